# SPDX-License-Identifier: ISC
"""Programs of Debian with our sendmail in the place of theirs.

    with Machine() as machine:
        machine.run(["mail", "-s", "hi", "bob"], input=b"...", user="alice")
        machine.mail("bob")

A Machine is this one's programs in a tree of its own, entered by chroot:
what `make install` puts there lies over the machine's /usr, the postern of
that tree runs with the sample configuration, and users, crontabs, homes, the
network and process ids are the tree's. All of it lies in a tmpfs of a mount
namespace and is gone with its first process."""
import os
import shutil
import subprocess
import tempfile

import postern

# $1: an empty folder; $2: what was installed; $3: make-users.sh
SETUP = r"""
set -eu
mount -t tmpfs -o mode=755 none "$1"
cd "$1"
mkdir root usr.work
cp -a "$2/usr" usr.ours
cd root
mkdir usr dev proc run home tmp var etc
mount -t overlay none -o lowerdir=/usr,upperdir=../usr.ours,workdir=../usr.work usr
for name in bin sbin lib lib32 lib64 libx32; do
    [ ! -e "/$name" ] || cp -a "/$name" .
done
mount -t proc none proc
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
chmod 1777 tmp
ip link set lo up

# not what other tests may be changing at this moment
for path in /etc/*; do
    case $path in
    */passwd*|*/group*|*/*shadow*|*/sub?id*|*.lock) ;;
    */cron*|*/anacron*|*/postern) ;;
    *) cp -a "$path" etc ;;
    esac
done
rm -rf etc/ssl/private
cp -a "$2/etc/postern" etc
mkdir etc/cron.d
for file in passwd group; do
    awk -F: '$3 < 1000 && $1 !~ /^postern/ || $1 ~ /^no(body|group)$/' \
        "/etc/$file" >"etc/$file"
done
awk -F: '{ print $1 ":*:20000::::::" }' etc/passwd >etc/shadow
chmod 600 etc/shadow
printf '%s: files\n' passwd group shadow hosts >etc/nsswitch.conf
echo '127.0.0.1 localhost host' >etc/hosts
echo host >etc/hostname
echo example.org >etc/mailname
printf 'postmaster: root\nroot: carol\nboth: alice, bob\n' >etc/aliases
# who is in a container already cannot be given another
sed -i '/pam_loginuid/d' etc/pam.d/*

mkdir -p var/spool var/log var/lib/postern var/mail var/tmp root
chmod 1777 var/tmp
ln -s /run /run/lock var
cp -a /var/spool/cron /var/spool/anacron var/spool
find var/spool -type f ! -name .SEQ -delete
hostname host
chroot . sh -s <"$3"
exec chroot . sh -c '
    for name in alice bob carol; do
        useradd --user-group --create-home --skel /nonexistent \
            --shell /bin/sh --comment "$name Ptarmigan,Room 5" "$name"
        chmod 700 "/home/$name"
    done
    echo ready
    while :; do sleep 3600; done'
"""
# nobody is asked for names from here
RESOLVER = 'resolver { servers = { "127.0.0.1@9" }  dnssec = off }\n'


def install(folder):
    """make install, as the packager of a distribution calls it."""
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(
        ["make", "-s", "install", "DESTDIR=" + folder, "PREFIX=/usr",
         "BUILD=" + os.path.relpath(postern.BUILD, postern.TOP)],
        cwd=postern.TOP, env=environment, check=True, timeout=600)


class Machine:
    """See above. Its root, seen from outside, is .root."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-machine-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.process = None
        self.pid = None
        self.log_path = os.path.join(self.folder, "log")

    def __enter__(self):
        stage = os.path.join(self.folder, "stage")
        inside = os.path.join(self.folder, "inside")
        os.mkdir(stage)
        os.mkdir(inside)
        install(stage)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc",
             "--fork", "--kill-child", "sh", "-c", SETUP, "sh", inside,
             stage, os.path.join(postern.TOP, "tests/make-users.sh")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n", \
            "the tree could not be made"
        with open("/proc/%d/task/%d/children" % (
                self.process.pid, self.process.pid), encoding="ascii") as f:
            self.pid = int(f.read())
        with open(self.path("/etc/postern/postern.conf"), "a",
                  encoding="ascii") as f:
            f.write(RESOLVER)
        self.start_server()
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, path):
        """A path of the tree, as it is to be opened here."""
        return "/proc/%d/root%s" % (self.pid, path)

    def write(self, path, text, mode=0o644):
        """A file of the tree."""
        with open(self.path(path), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(path), mode)

    def mail(self, user):
        """The messages in a user's Maildir."""
        return postern.maildir_mail(self.path("/home/%s/Maildir" % user))

    # ---- programs ----

    def words(self, words, user=None):
        """The command line that runs these words inside."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid",
                 "--net", "--uts", "--ipc", "--root", "--wd", "--"]
        if user is None:
            return [*enter, *words]
        return [*enter, "runuser", "-u", user, "--", *words]

    @staticmethod
    def environment(more):
        """What a program finds there, and nothing of the tests'."""
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                "HOME": "/", "SHELL": "/bin/sh", **more}

    def run(self, words, user=None, timeout=60, env=(), **options):
        """The finished process, with its output."""
        options.setdefault("input", b"")
        more = {"HOME": "/home/" + user, "LOGNAME": user, "USER": user} \
            if user else {"HOME": "/root", "LOGNAME": "root"}
        return subprocess.run(
            self.words(words, user), timeout=timeout, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, check=False,
            env=self.environment({**more, **dict(env)}), **options)

    def start(self, words, log):
        """The same, left running: it ends with the machine."""
        with open(os.path.join(self.folder, log), "ab") as f:
            return subprocess.Popen(
                self.words(words), stdin=subprocess.DEVNULL, stdout=f,
                stderr=f, env=self.environment({}))

    # ---- postern ----

    def start_server(self):
        """postern, as its unit starts it."""
        before = self.log_text().count("event=ready")
        os.makedirs(self.path("/run/postern"), exist_ok=True)
        self.start(["sh", "-c", "echo $$ >/run/postern.pid; exec "
                    "postern -f /etc/postern/postern.conf"], "log")
        postern.wait_until(
            lambda: self.log_text().count("event=ready") > before, 60,
            "event=ready")

    def reload_server(self):
        """SIGHUP, until it is done."""
        before = self.log_text().count("event=reloaded")
        self.run(["sh", "-c", 'kill -HUP "$(cat /run/postern.pid)"'])
        postern.wait_until(
            lambda: self.log_text().count("event=reloaded") > before, 60,
            "event=reloaded")

    def stop_server(self):
        """SIGTERM, until it has gone."""
        self.run(["sh", "-c", 'pid=$(cat /run/postern.pid) && kill "$pid" && '
                  'while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done'])

    def log_text(self):
        """What postern logged."""
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def problems(self):
        """Log lines of compartments that died or misbehaved."""
        whole = self.log_text().rpartition("\n")[0]     # no half line
        events = map(postern.parse_logfmt, whole.splitlines())
        return [e for e in events if e and e["event"] in
                postern.FAULTS_OF_OURS]


LOCAL = 'listen "unix:{folder}/submit" {{ role = local }}\n'


def with_name_services(server, services, words):
    """words with a nsswitch.conf that names these for "passwd"."""
    path = server.write("nsswitch.conf", "passwd: %s\ngroup: files\n" %
                        services)
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" '
            '/etc/nsswitch.conf && exec "$@"', path, *words]


def sendmail(server, *arguments, text=b"", user=None, name="sendmail",
             **options):
    """sendmail itself: (exit status, stdout, stderr)."""
    program = os.path.join(postern.BUILD, "sendmail")
    environment = dict(os.environ, POSTERN_CONFIG=server.config_path)
    words = [name, *arguments]
    if user:
        options["user"] = user
        options["extra_groups"] = []
    result = subprocess.run(words, executable=program, input=text,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment, check=False, timeout=60,
                            **options)
    return result.returncode, result.stdout.decode("utf-8", "replace"), \
        result.stderr.decode("utf-8", "replace")
