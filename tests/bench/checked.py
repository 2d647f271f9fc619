# SPDX-License-Identifier: ISC
"""Both servers with SPF, a DNS list, DKIM, DMARC and clamd.

Postfix has the same done by policyd-spf, opendkim, opendmarc and
clamav-milter, its own DNS list look-up, and unbound as its resolver; Postern
does it itself and asks clamd. Each side has a clamd of its own with one
signature, EICAR, and an nsd of its own with the zones below, from the same
packages and with the same settings. All of these processes are in the
server's control group: their CPU time is its own.

The load comes from CLIENT, an address of a network namespace that run.py
makes, since filters trust 127.0.0.1.
"""

import base64
import ctypes
import glob
import os
import smtplib
import subprocess
import time

import servers
from servers import HERE, write

CLIENT = "192.0.2.10"       # may send for SENDER's domain
STRANGER = "192.0.2.66"     # may not
LISTED = "192.0.2.77"       # is on LIST
SENDER = "load@sender.example"
LIST = "bl.example"
NSD_PORT = {"postfix": 5301, "postern": 5302}
CLONE_NEWNET = 0x40000000
# as one octet less, so that this file is not a virus itself
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" \
    r"ANTIVIRUS-TEST-FILE!$H+H*"

ZONE_HEAD = """$ORIGIN %s.
$TTL 86400
@ SOA ns hostmaster 1 3600 600 864000 86400
@ NS ns
ns A 127.0.0.1
"""
ZONES = {
    "sender.example": """@ MX 10 load
@ TXT "v=spf1 ip4:192.0.2.10 -all"
load A 192.0.2.10
load TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
bench._domainkey TXT @KEY@
""",
    "other.example": """@ MX 10 mx
mx A 192.0.2.66
@ TXT "v=spf1 ip4:192.0.2.66 ip4:192.0.2.77 -all"
""",
    "plain.example": """@ MX 10 mx
mx A 192.0.2.10
@ TXT "v=spf1 -all"
""",
    LIST: """77.2.0.192 A 127.0.0.2
77.2.0.192 TXT "listed for the benchmark"
2.0.0.127 A 127.0.0.2
""",
    "example": "x TXT x\n",
}

NSD = """server:
    ip-address: 127.0.0.1@%d
    do-ip6: no
    server-count: 1
    username: ""
    chroot: ""
    database: ""
    zonesdir: "/mnt/checks"
    zonelistfile: "/mnt/checks/zone.list"
    pidfile: "/mnt/checks/nsd.pid"
    xfrdfile: "/mnt/checks/xfrd.state"
    xfrdir: "/mnt/checks"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""
CLAMD = """DatabaseDirectory /mnt/checks/db
Foreground yes
LocalSocket /mnt/checks/clamd.sock
LocalSocketMode 666
TemporaryDirectory /mnt/checks
ConcurrentDatabaseReload no
SelfCheck 0
MaxThreads 20
"""
UNBOUND = """server:
    interface: 127.0.0.1
    port: 53
    do-ip6: no
    username: ""
    chroot: ""
    directory: "/mnt/checks"
    pidfile: "/mnt/checks/unbound.pid"
    use-syslog: no
    do-daemonize: no
    do-not-query-localhost: no
    module-config: "iterator"
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@%d
"""
OPENDKIM = """Mode v
Socket local:/mnt/checks/opendkim.sock
UMask 000
Nameservers 127.0.0.1
AuthservID mx.example.test
AlwaysAddARHeader yes
Syslog yes
Background no
On-Default accept
On-DNSError tempfail
On-InternalError tempfail
"""
OPENDMARC = """Socket local:/mnt/checks/opendmarc.sock
UMask 000
AuthservID mx.example.test
TrustedAuthservIDs mx.example.test
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
RejectFailures true
Syslog true
Background false
"""
CLAMAV_MILTER = """MilterSocket unix:/mnt/checks/clamav-milter.sock
MilterSocketMode 666
ClamdSocket unix:/mnt/checks/clamd.sock
Foreground yes
OnInfected Reject
OnFail Defer
LogSyslog yes
"""
POLICYD_SPF = """debugLevel = 1
TestOnly = 1
HELO_reject = Fail
Mail_From_reject = Fail
PermError_reject = False
TempError_Defer = True
Header_Type = AR
Authserv_Id = mx.example.test
skip_addresses = 127.0.0.0/8,::ffff:127.0.0.0/104,::1
"""
MAIN_CF = """
smtpd_recipient_restrictions = reject_unauth_destination,
    reject_rbl_client %s,
    check_policy_service unix:private/policyd-spf
policyd-spf_time_limit = 3600
smtpd_milters = unix:/mnt/checks/opendkim.sock,
    unix:/mnt/checks/opendmarc.sock,
    unix:/mnt/checks/clamav-milter.sock
milter_default_action = tempfail
""" % LIST
MASTER_CF = """policyd-spf unix - n n - 0 spawn
  user=nobody argv=/usr/bin/policyd-spf /mnt/checks/policyd-spf.conf
"""
POSTERN = """    spf = refuse
    dkim = mark
    dmarc = refuse
    virus = refuse
    dnsbl "%s" { }
    dnsbl_refuse_at = 1
    clamd "unix:/mnt/checks/clamd.sock" { }
""" % LIST
# A line each; the sockets that must be there before the server starts.
START_COMMON = """mount --bind "$folder" "$root/mnt"
rm -f "$folder"/checks/*.sock
chroot "$root" /usr/sbin/nsd -d -c /mnt/checks/nsd.conf &
chroot "$root" /usr/sbin/clamd -c /mnt/checks/clamd.conf &
"""
START_MILTERS = """chroot "$root" /usr/sbin/unbound -d -c /mnt/checks/unbound.conf &
chroot "$root" /usr/sbin/opendkim -f -x /mnt/checks/opendkim.conf &
chroot "$root" /usr/sbin/opendmarc -f -c /mnt/checks/opendmarc.conf &
"""
START_CLAMAV_MILTER = \
    'chroot "$root" /usr/sbin/clamav-milter -c ' \
    '/mnt/checks/clamav-milter.conf &\n'


def waiting_for(name):
    """Lines that wait for a socket, at most 30 s."""
    return 'n=0; while ! [ -S "$folder/checks/%s.sock" ] && ' \
        '[ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done\n' % name


def enter_network():
    """A network of our own, in which 192.0.2.0/24 is this machine."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise RuntimeError("no network namespace: %s" %
                           os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", "192.0.2.0/24", "dev",
                    "lo"], check=True)


# ---- keys and zones ----

def key_path(build):
    return os.path.join(build, "bench", "dkim.pem")


def public_key(path):
    """As a TXT record's strings."""
    if not os.path.exists(path):
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"],
                       check=True, stderr=subprocess.DEVNULL)
    der = subprocess.run(["openssl", "rsa", "-in", path, "-pubout",
                          "-outform", "DER"], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = "v=DKIM1; k=rsa; p=" + base64.b64encode(der.stdout).decode()
    return [text[i:i + 200] for i in range(0, len(text), 200)]


def write_zones(folder, port, key):
    text = NSD % port
    strings = " ".join('"%s"' % part for part in key)
    for origin, zone in ZONES.items():
        write("%s/%s.zone" % (folder, origin),
              ZONE_HEAD % origin + zone.replace("@KEY@", strings))
        text += 'zone:\n    name: "%s"\n    zonefile: "%s.zone"\n' % (
            origin, origin)
    write(folder + "/nsd.conf", text)


# ---- the servers ----

class Checked:
    """What both have. Comes before the server in the list of bases."""

    def __init__(self, build, port, tools):
        super().__init__(build, port, tools)
        self.checks = self.folder + "/checks"
        self.key = key_path(build)
        self.is_verified = False

    def prepare(self):
        super().prepare()
        servers.unpack(self.root)
        write_zones(self.checks, NSD_PORT[self.name], public_key(self.key))
        write(self.checks + "/clamd.conf", CLAMD)
        write(self.checks + "/db/bench.ndb", "Bench.Eicar:0:*:%s\n" %
              EICAR.encode().hex())

    def start(self, wrapper=""):
        super().start(wrapper)
        if not self.is_verified:
            verify(self)
            self.is_verified = True


class CheckedPostfix(Checked, servers.Postfix):
    instance = "postfix-checks"

    def prepare(self):
        super().prepare()
        write(self.root + "/etc/resolv.conf", "nameserver 127.0.0.1\n")
        write(self.checks + "/unbound.conf", UNBOUND % NSD_PORT[self.name])
        write(self.checks + "/opendkim.conf", OPENDKIM)
        write(self.checks + "/opendmarc.conf", OPENDMARC)
        write(self.checks + "/clamav-milter.conf", CLAMAV_MILTER)
        write(self.checks + "/policyd-spf.conf", POLICYD_SPF)

    def _complete(self, name, text):
        more = MAIN_CF if name == "main.cf" else MASTER_CF
        return super()._complete(name, text) + more

    def _helpers(self):
        return START_COMMON + START_MILTERS + waiting_for("clamd") + \
            START_CLAMAV_MILTER + "".join(waiting_for(name) for name in (
                "opendkim", "opendmarc", "clamav-milter"))


class CheckedPostern(Checked, servers.Postern):
    instance = "postern-checks"

    def _complete(self, text):
        text = text.replace("@CHECKS@", POSTERN).replace(
            "@DNS@", "127.0.0.1@%d" % NSD_PORT[self.name])
        return super()._complete(text)

    def _helpers(self):
        return servers.BIND_DEVICES + START_COMMON + waiting_for("clamd")


class WaitingPostern(CheckedPostern):
    """The same with a name server that never answers for dead.example."""

    instance = "postern-waiting"
    port_asked = 5303

    def _complete(self, text):
        return super()._complete(text.replace(
            "@DNS@", "127.0.0.1@%d" % self.port_asked))

    def _helpers(self):
        return super()._helpers() + "%s/deadzone.py %d %d dead.example &\n" \
            % (HERE, self.port_asked, NSD_PORT[self.name])


# ---- do they check at all? ----

def reply_to(server, source, sender, author, body):
    """The reply that ends the transaction."""
    text = "From: <%s>\r\nTo: <user0@%s>\r\nSubject: verify\r\n" \
        "Date: %s\r\nMessage-ID: <%s@verify>\r\n\r\n%s\r\n" % (
            author, servers.DOMAIN,
            time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
            time.time(), body)
    with smtplib.SMTP("127.0.0.1", server.port, "mx.other.example",
                      timeout=30, source_address=(source, 0)) as client:
        client.ehlo()
        for command, reply in (
                ("MAIL", lambda: client.mail(sender)),
                ("RCPT", lambda: client.rcpt("user0@" + servers.DOMAIN)),
                ("DATA", lambda: client.data(text))):
            code, said = reply()
            if code >= 400:
                break
        return "%d %s to %s" % (code, said.decode(errors="replace"), command)


def wait_for_mail(server, n):
    """The paths of all n messages of user0."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        paths = glob.glob(server.mail + "/user0/Maildir/new/*")
        if len(paths) == n:
            return paths
        time.sleep(0.1)
    raise RuntimeError("%s: %d messages where %d were accepted" % (
        server.name, len(paths), n))


def authentication(server):
    """Our Authentication-Results of a signed message, once delivered."""
    subprocess.run([
        server.tools + "/smtpload", "--port", str(server.port), "--source",
        CLIENT, "--sender", SENDER, "--dkim-key", server.key, "--tag",
        "verify", "--timeout", "20"], check=True, stdout=subprocess.DEVNULL)
    with open(wait_for_mail(server, 1)[0], errors="replace") as mail:
        header = mail.read().partition("\n\n")[0]
    fields = header.replace("\n\t", " ").replace("\n ", " ")
    return " ".join(
        line for line in fields.split("\n")
        if line.startswith("Authentication-Results: mx.example.test"))


def verify(server):
    """No figure without the work: each check accepts and refuses here."""
    said = authentication(server)
    for word in ("spf=pass", "dkim=pass", "dmarc=pass"):
        if word not in said:
            raise RuntimeError("%s: no %s in: %s" % (server.name, word, said))
    other, plain = "a@other.example", "a@plain.example"
    for what, wanted, source, sender, author, body in (
            ("a virus", "554 550", CLIENT, SENDER, SENDER, EICAR),
            # each time nothing but the one check has a reason to
            ("SPF", "550", STRANGER, plain, plain, "x"),
            ("DMARC", "550", STRANGER, other, SENDER, "x"),
            ("the list", "450 550 554", LISTED, other, other, "x"),
            ("nothing", "250", STRANGER, other, other, "x")):
        reply = reply_to(server, source, sender, author, body)
        if reply[:3] not in wanted.split():
            raise RuntimeError("%s, to be refused for %s: %s" % (
                server.name, what, reply))
    wait_for_mail(server, 2)
    subprocess.run([server.tools + "/maildircheck", "-m", "-w", "0",
                    server.mail], stdout=subprocess.DEVNULL)
