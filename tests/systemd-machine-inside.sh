#!/bin/sh
# SPDX-License-Identifier: ISC
# systemd-machine-inside.sh: the part of systemd-machine.sh that a service of
# the new machine runs as root, when all others are up.
set -eu

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { printf '\n== %s\n' "$*"; }
log() { journalctl -u postern --no-pager -o cat; }
die() { echo "FAILED: $*"; exit 1; }
trap '[ $? -eq 0 ] || log | tail -n 50' EXIT

# send TAG SECONDS: eight clients; each 250 is a line of /root/TAG
cat >/root/send.py <<'PYTHON'
import smtplib, sys, threading, time
tag, until = sys.argv[1], time.time() + float(sys.argv[2])
taken = open("/root/" + tag, "w", buffering=1)

def run(worker):
    n = 0
    while time.time() < until:
        n += 1
        name = "%s-%d-%d" % (tag, worker, n)
        try:
            s = smtplib.SMTP("127.0.0.1", 25, "localhost", timeout=60)
            s.sendmail("", ["alice@example.org"], "From: a@example.com\r\n"
                       "Message-ID: <%s@x>\r\n\r\nx\r\n" % name)
            taken.write(name + "\n")
            s.quit()
            time.sleep(0.05)
        except (OSError, smtplib.SMTPException) as e:
            print(name, e)

workers = [threading.Thread(target=run, args=(i,)) for i in range(8)]
[w.start() for w in workers]
[w.join() for w in workers]
PYTHON

# RCPT TO:<$1> says a reply that begins with $2
rcpt() {
	python3 -c '
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", 25, "localhost", timeout=60)
s.ehlo(), s.mail("")
code, text = s.rcpt(sys.argv[1])
print(code, text.decode())
' "$1" >/root/reply
	case $(cat /root/reply) in
	"$2"*) ;;
	*) die "RCPT TO:<$1>: $(cat /root/reply)" ;;
	esac
}

# every 250 of TAG is in the mailbox, once
all_are_there() {
	grep -rho "$1-[0-9]*-[0-9]*@x" /home/alice/Maildir/new |
	    sed 's/@x//' | sort >/root/there
	[ -s "/root/$1" ] || die "$1: nothing was taken"
	[ -z "$(uniq -d /root/there)" ] || die "$1: twice"
	missing=$(sort "/root/$1" | comm -23 - /root/there)
	[ -z "$missing" ] || die "$1: not there: $(echo "$missing" | head)"
	echo "$(wc -l <"/root/$1") taken, all there"
}

say "the unit starts it"
useradd --create-home alice
# no name server answers: nothing that asks one
sed -i 's/^checks {/&\n    default = off/
    s/sessions_per_client *= .*/sessions_per_client = 0/' \
    /etc/postern/postern.conf
postern -n
systemd-analyze verify --man=no /usr/local/lib/systemd/system/postern.*
systemctl enable --now postern
systemctl is-active postern

say "recipients, with libnss-systemd"
grep '^passwd:.*systemd' /etc/nsswitch.conf
rcpt alice@example.org 250
for n in 1 2 3; do
	rcpt nobody-$n@example.org "550 5.1.1"
done
! log | grep compartment_died || die "a compartment died"

say "sendmail: a user, a service with DynamicUser="
su alice -c 'printf "To: alice\nSubject: from alice\n\nx\n" | sendmail -t'
systemd-run --quiet --wait --pipe -p DynamicUser=yes --unit=dynamic \
    /bin/sh -c 'printf "To: alice\nSubject: from a service\n\nx\n" |
    /usr/local/sbin/sendmail -t'
grep -rq '^Subject: from alice' /home/alice/Maildir/new
grep -rq '^From:.*dynamic@example.org' /home/alice/Maildir/new

say "a program of an alias, within the unit's limits"
printf '#!/bin/sh\ncat >/tmp/mail && id -un >/tmp/who\n' >/usr/local/bin/got
chmod 755 /usr/local/bin/got
echo 'got: |/usr/local/bin/got' >>/etc/aliases
newaliases
echo x | su alice -c 'sendmail got'
[ "$(cat /tmp/systemd-private-*-postern.service-*/tmp/who)" = postern-program ]

say "reloads, and a configuration with errors"
python3 /root/send.py reload 12 &
for n in 1 2 3; do
	sleep 3
	systemctl reload postern
done
wait $!
all_are_there reload
cp /etc/postern/postern.conf /root/good.conf
echo 'nonsense = 1' >>/etc/postern/postern.conf
! systemctl reload postern 2>/dev/null || die "errors were reloaded"
cp /root/good.conf /etc/postern/postern.conf
rcpt alice@example.org 250

say "postern.socket: restarts and a kill, and no client is refused"
systemctl stop postern
systemctl enable --now postern.socket
systemctl start postern
python3 /root/send.py socket 20 >/root/errors &
for n in 1 2; do
	sleep 4
	systemctl restart postern
done
sleep 4
systemctl kill --kill-who=main -s KILL postern
wait $!
all_are_there socket
! grep refused /root/errors || die "a connection was refused"
systemctl is-active postern

say "a full stop, with a message in DATA"
python3 -c '
import smtplib, subprocess
s = smtplib.SMTP("127.0.0.1", 25, "localhost", timeout=60)
s.ehlo(), s.mail(""), s.rcpt("alice@example.org"), s.putcmd("data")
assert s.getreply()[0] == 354
s.send(b"From: a@example.com\r\nSubject: at the end\r\n\r\n")
stop = subprocess.Popen(["systemctl", "stop", "postern"])
subprocess.run(["sleep", "1"])
s.send(b"x\r\n.\r\n")
assert s.getreply()[0] == 250
s.close()
stop.wait()'
grep -rq '^Subject: at the end' /home/alice/Maildir/new
[ -z "$(pgrep -x smtpd)" ] || die "processes are left"
