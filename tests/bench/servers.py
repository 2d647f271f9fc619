# SPDX-License-Identifier: ISC
"""The servers under load: Postfix in a folder of its own, and Postern.

Both get the same job: DOMAIN with USERS table users, one uid, Maildirs,
flushes as by default, no filters, no DNS, a log (checked.py: with all
checks). Both run in a mount
namespace of their own with private passwd and group files; nothing
outside the build folder is changed.
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import time

from accounting import Group

DOMAIN = "example.test"
USERS = 1000
MAIL_UID = 5000
PASSWD = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
postfix:x:4990:4990::/var/spool/postfix:/usr/sbin/nologin
vmail:x:%d:%d::/srv/mail:/usr/sbin/nologin
""" % (MAIL_UID, MAIL_UID)
GROUP = """root:x:0:
nogroup:x:65534:
postfix:x:4990:
postdrop:x:4991:
vmail:x:%d:
""" % MAIL_UID
# Whose programs are needed; and those of all libraries that come with them.
PACKAGES = ("postfix", "postfix-policyd-spf-python", "opendkim", "opendmarc",
            "publicsuffix", "clamav-daemon", "clamav-milter", "nsd",
            "unbound", "netbase", "zlib1g")
HERE = os.path.dirname(os.path.abspath(__file__))
SYSUSERS = os.path.join(HERE, "../../etc/sysusers.d/postern.conf")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(text)
    os.chmod(path, mode)


def write_accounts(folder):
    """PASSWD and GROUP, and whom Postern's own sysusers.d file makes."""
    passwd, group, numbers = PASSWD, GROUP, {}
    with open(SYSUSERS) as lines:
        entries = [line.split()[:3] for line in lines
                   if line.startswith(("u ", "g "))]
    for number, (kind, name, number_of) in enumerate(entries, 900):
        numbers[name] = number
        group += "%s:x:%d:\n" % (name, number)
        if kind == "u":
            primary = numbers.get(number_of.partition(":")[2], number)
            passwd += "%s:x:%d:%d::/:/usr/sbin/nologin\n" % (
                name, number, primary)
    write(os.path.join(folder, "passwd"), passwd)
    write(os.path.join(folder, "group"), group)


def make_mailboxes(base, tools):
    """Those of an earlier run are used again; maildircheck.c says why."""
    if os.path.exists("%s/user%d/Maildir/cur" % (base, USERS - 1)):
        subprocess.run(["find", base, "-path", "*/Maildir/tmp/*", "-delete"],
                       check=True)
        subprocess.run([tools + "/maildircheck", "-m", "-w", "0", base],
                       stdout=subprocess.DEVNULL)
        return
    for user in range(USERS):
        for part in ("tmp", "new", "cur"):
            os.makedirs("%s/user%d/Maildir/%s" % (base, user, part),
                        exist_ok=True)
    subprocess.run(["chown", "-R", "%d:%d" % (MAIL_UID, MAIL_UID), base],
                   check=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=", base], check=True)


BIND_DEVICES = """for d in null zero random urandom; do
: > "$root/dev/$d"; mount --bind /dev/$d "$root/dev/$d"; done
"""


def write_certificate(folder):
    """cert.pem and key.pem, P-256: the same kind for both servers."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem",
         "-subj", "/CN=mx.example.test",
         "-addext", "subjectAltName=DNS:mx.example.test"],
        check=True, capture_output=True)
    os.chmod(folder + "/key.pem", 0o600)


class Server:
    """prepare, start, stop; port; mail: base of the Maildirs; group."""

    instance = None  # the name of its folder; name: where figures stand

    def __init__(self, build, port, tools):
        self.port, self.tools = port, tools
        self.tls_port = port + 10
        self.folder = os.path.join(build, "bench", self.instance)
        self.group = None
        self.process = None
        self.log = None

    def _spawn(self, script, *arguments):
        """Runs a shell script as root of a mount namespace of its own."""
        os.makedirs(self.folder, exist_ok=True)
        self.group = Group(self.instance)
        self.log = open(os.path.join(self.folder, "server.log"), "wb")
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-e", "-c", script, "sh", *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=self.group.enter, start_new_session=True)
        self._wait_for_greeting()

    def _wait_for_greeting(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    if s.recv(4) == b"220 ":
                        s.sendall(b"QUIT\r\n")
                        return
            except OSError:
                pass
            time.sleep(0.1)
        log = os.path.join(self.folder, "server.log")
        with open(log, errors="replace") as text:
            tail = text.read()[-2000:]
        self.stop()
        raise RuntimeError("%s does not start, see %s:\n%s" % (
            self.name, log, tail))

    def stop(self):
        """In the order that the server itself wants, then what is left."""
        if self.process and self.process.poll() is None:
            for pid in self._main_pids():
                os.kill(pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        self.process = None
        if self.group:
            self.group.remove()
            self.group = None
        if self.log:
            self.log.close()
            self.log = None


    def _main_pids(self):
        """The server's first process: under strace, strace's child."""
        pid = self.process.pid
        with open("/proc/%d/comm" % pid) as comm:
            if comm.read().strip() != "strace":
                return [pid]
        with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
            return [int(child) for child in children.read().split()]


def postfix_root(build):
    """Where Debian's packages are unpacked, Postfix and its filters."""
    return os.path.join(build, "bench", "postfix", "root")


def is_needed(package):
    return package in PACKAGES or package.startswith("python3") or \
        package.startswith("lib") and "perl" not in package


def unpack(root):
    """With an empty status file apt fetches all that PACKAGES need."""
    if os.path.exists(root + "/complete"):
        return
    folder = os.path.dirname(root)
    debs = os.path.join(folder, "debs")
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(debs + "/partial", exist_ok=True)
    write(folder + "/no-packages", "")
    subprocess.run(
        ["apt-get", "-qq", "-y", "--download-only",
         "--no-install-recommends",
         "-o", "Dir::State::status=%s/no-packages" % folder,
         "-o", "Dir::Cache::archives=" + debs,
         "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
         "install", *PACKAGES], check=True)
    for deb in sorted(glob.glob(debs + "/*.deb")):
        if is_needed(os.path.basename(deb).split("_")[0]):
            subprocess.run(["dpkg", "-x", deb, root], check=True)
    # as the packages' own scripts would, so that Python starts fast
    subprocess.run(["chroot", root, "/usr/bin/python3", "-m", "compileall",
                    "-q", "/usr/lib/python3", "/usr/lib/python3.11"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in ("dev", "mnt", "tmp", "run"):
        os.makedirs("%s/%s" % (root, name), exist_ok=True)
    write(root + "/complete", "")


class Postfix(Server):
    """Debian's package and the libraries that it needs, as a chroot."""

    name = instance = "postfix"

    def __init__(self, build, port, tools):
        super().__init__(build, port, tools)
        self.root = postfix_root(build)
        self.mail = os.path.join(self.root, "srv/mail")
        self.logger = None

    def prepare(self):
        unpack(self.root)
        self._write_configuration()
        self._make_queue()
        make_mailboxes(self.mail, self.tools)

    def _write_configuration(self):
        etc = self.root + "/etc/"
        write_accounts(etc)
        for name in ("main.cf", "master.cf"):
            with open("%s/postfix.%s" % (HERE, name)) as template:
                write("%s%s/%s" % (etc, self.instance, name),
                      self._complete(name, template.read()))
        write_certificate(etc + self.instance)
        write(etc + self.instance + "/users", "".join(
            "user%d@%s user%d/Maildir/\n" % (n, DOMAIN, n)
            for n in range(USERS)))
        write(etc + "hosts", "127.0.0.1 localhost\n")
        write(etc + "services", "smtp 25/tcp\n")
        subprocess.run(["chroot", self.root, "/usr/sbin/postmap",
                        "hash:/etc/%s/users" % self.instance], check=True)

    def _complete(self, name, text):
        """Of a configuration file: two instances live in one root."""
        for folder in ("/etc/", "/var/spool/", "/var/lib/"):
            text = text.replace(folder + "postfix", folder + self.instance)
        return text.replace("@PORT@", str(self.port)).replace(
            "@TLS_PORT@", str(self.tls_port))

    def _make_queue(self):
        """What Postfix's own script would do, without a shell in there."""
        queue = "%s/var/spool/%s" % (self.root, self.instance)
        shutil.rmtree(queue, ignore_errors=True)
        for name in ("active", "bounce", "corrupt", "defer", "deferred",
                     "flush", "hold", "incoming", "private", "saved",
                     "trace"):
            os.makedirs("%s/%s" % (queue, name))
            os.chown("%s/%s" % (queue, name), 4990, 0)
            os.chmod("%s/%s" % (queue, name), 0o700)
        for name, mode, group in (("public", 0o2710, 4991),
                                  ("maildrop", 0o1730, 4991),
                                  ("pid", 0o755, 0)):
            os.makedirs("%s/%s" % (queue, name))
            os.chown("%s/%s" % (queue, name), 4990 if group else 0, group)
            os.chmod("%s/%s" % (queue, name), mode)
        data = "%s/var/lib/%s" % (self.root, self.instance)
        os.makedirs(data, exist_ok=True)
        os.chown(data, 4990, 4990)

    def start(self, wrapper=""):
        """wrapper: a command that runs the server, as strace does."""
        # As syslog would, outside Postfix's own account of CPU time.
        os.makedirs(self.folder, exist_ok=True)
        self.logger = subprocess.Popen(
            [self.tools + "/logsink", self.root + "/dev/log",
             self.folder + "/mail.log"])
        self._spawn(
            'root=$1 folder=$2\n' + BIND_DEVICES + self._helpers() +
            'exec %s chroot "$1" /usr/lib/postfix/sbin/master -d -c /etc/%s'
            % (wrapper, self.instance), self.root, self.folder)

    def _helpers(self):
        """Lines of the script that start what Postfix needs beside it."""
        return ""

    def stop(self):
        super().stop()
        if self.logger:
            self.logger.terminate()
            self.logger.wait()
            self.logger = None


class Postern(Server):
    """The server of this tree; its folder is /mnt in its namespace."""

    name = instance = "postern"

    def __init__(self, build, port, tools):
        super().__init__(build, port, tools)
        self.binary = os.path.join(build, "postern")
        self.root = postfix_root(build)
        self.mail = os.path.join(self.folder, "mail")

    def prepare(self):
        shutil.rmtree(self.folder + "/state", ignore_errors=True)
        write_accounts(self.folder)
        with open(HERE + "/postern.conf") as template:
            write(self.folder + "/postern.conf",
                  self._complete(template.read()))
        write_certificate(self.folder)
        write(self.folder + "/users",
              "".join("user%d\n" % n for n in range(USERS)))
        write(self.folder + "/aliases",
              "postmaster: user0\nabuse: user0\nroot: user0\n")
        make_mailboxes(self.mail, self.tools)

    def _complete(self, text):
        return text.replace("@PORT@", str(self.port)).replace(
            "@TLS_PORT@", str(self.tls_port)).replace(
            "@CHECKS@", "").replace("@DNS@", "127.0.0.1@9")

    def _helpers(self):
        """Lines of the script that start what Postern needs beside it."""
        return ""

    def start(self, wrapper=""):
        """wrapper: a command that runs the server, as strace does."""
        self._spawn(
            'root=$3 folder=$1\n' + self._helpers() +
            'mount --bind "$1/passwd" /etc/passwd\n'
            'mount --bind "$1/group" /etc/group\n'
            'mount --bind "$1" /mnt\n'
            'ulimit -n $(ulimit -H -n)\n'
            'exec %s "$2" -f /mnt/postern.conf' % wrapper,
            self.folder, self.binary, self.root)
