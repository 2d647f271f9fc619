# SPDX-License-Identifier: ISC
"""Start, watch and stop a real server for one test.

    server = Server(limits="recipients = 3")
    server.start()
    with server.connect() as client: ...
    server.mail("alice")      the messages in that mailbox
    server.stop()

Every server has a folder, ports and a log of its own. As root the
compartments run under their own uids and mailboxes belong to OWNER; without
root everything belongs to the caller. Only processes started here are ever
signalled.
"""
import contextlib
import fcntl
import os
import pwd
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from client import Client

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("POSTERN_BUILD", "build"))
FAULT_BUILD = os.path.join(TOP, os.environ.get("POSTERN_FAULT_BUILD",
                                               "build-faults"))
IS_ROOT = os.geteuid() == 0
OWNER = "postern-test"
OTHER_OWNER = "postern-test-b"

sys.path.insert(0, os.path.join(TOP, "tests"))

# what must never stand in a log unless the test brought it about
FAULTS_OF_OURS = {"compartment_died", "compartment_misbehaved",
                  "compartment_overdue",
                  "peer_misbehaved", "malformed_answer", "sandbox_attempt",
                  "stop_forced", "worker_died", "worker_lost",
                  "worker_stuck", "fatal"}

DEFAULT_USERS = 'alice name="Alice Smith"\nbob name="Bob Jones"\n' \
    'carol name="Carol Brown"\n'
DEFAULT_ALIASES = "postmaster: alice\nabuse: alice\nroot: alice\n"

TOP_LEVEL = """hostname = "mx.example.org"
origin = "example.org"
postmaster = "alice@example.org"
state_dir = "{folder}/state"
"""
DOMAIN = """domain "example.org" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases"
    mailbox = "{folder}/mail/%u/Maildir"
    {owner}
    {domain_keys}
}}
"""
# nobody answers, and nobody outside of this machine is asked
NO_RESOLVER = """resolver {{
    servers = {{ "127.0.0.1@9" }}
    dnssec = off
}}
"""


def shut_down(one):
    """Whoever waits for it is told that it is over. Below TLS."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)


def wait_until(condition, timeout=15, what="condition", every=0.05):
    """Poll until condition() is true; returns its value. what names it: a
    text, or a function that makes one when time is up."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "no %s in %s s" % (
            what() if callable(what) else what, timeout)
        time.sleep(every)


class Ports:
    """Ports that are the caller's until his process ends: below those that
    the kernel gives to clients, and not those of other runs of the tests.
    A server that is started again then finds its port free."""
    RANGE = range(10240, 32768)

    def __init__(self):
        # these locks are the process's, one octet of the file a port
        self.lock = open("/tmp/postern-e2e-ports-%d.lock" % os.geteuid(),
                         "w", encoding="ascii")
        self.mine = set()
        self.taking = threading.Lock()

    def is_free(self, port):
        """Take it, if nobody has it."""
        if port in self.mine:
            return False
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                fcntl.lockf(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                four.bind(("127.0.0.1", port))
                six.bind(("::1", port))
            except OSError:
                return False
        self.mine.add(port)
        return True

    def take(self):
        """A port that is free on both loopback addresses."""
        for _ in range(200):
            port = random.choice(self.RANGE)
            with self.taking:
                if self.is_free(port):
                    return port
        raise RuntimeError("no port is free on both 127.0.0.1 and ::1")


PORTS = Ports()


def free_port():
    """A port that nobody else will take while this process lives."""
    return PORTS.take()


def is_running(pid):
    """Whether there is such a process, and not only its exit status."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def owner_key(name=OWNER):
    """The owner line of a domain; empty without root."""
    return 'owner = "%s"' % name if IS_ROOT else ""


def make_folder():
    """A folder below /tmp that every uid can enter."""
    folder = tempfile.mkdtemp(prefix="postern-e2e-", dir="/tmp")
    os.chmod(folder, 0o755)
    return folder


def parse_logfmt(line):
    """{key: value} of a line, with its level and compartment."""
    m = re.match(r"<(\d)>postern/([\w-]+): (.*)$", line)
    if not m:
        return None
    fields = {"level": int(m.group(1)), "compartment": m.group(2)}
    for key, quoted, bare in re.findall(
            r'([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', m.group(3)):
        fields[key] = re.sub(r'\\(["\\])', r"\1", quoted) or bare
    return fields


class Mail:
    """One file of a Maildir."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        with open(path, "rb") as f:
            self.raw = f.read()
        header, _, self.body = self.raw.partition(b"\n\n")
        self.fields = []
        for line in header.decode("utf-8", "replace").split("\n"):
            if line[:1] in " \t" and self.fields:
                self.fields[-1] = (self.fields[-1][0],
                                   self.fields[-1][1] + "\n" + line)
            else:
                name, _, value = line.partition(":")
                self.fields.append((name, value.strip()))

    def get(self, name):
        """The first field of this name, or None."""
        return next((v for n, v in self.fields
                     if n.lower() == name.lower()), None)

    def get_all(self, name):
        """All fields of this name."""
        return [v for n, v in self.fields if n.lower() == name.lower()]


def maildir_mail(maildir, folders=("new", "cur")):
    """The messages of a Maildir, oldest first."""
    paths = []
    for folder in folders:
        path = os.path.join(maildir, folder)
        if os.path.isdir(path):
            paths += [os.path.join(path, n) for n in os.listdir(path)]
    return [Mail(p) for p in sorted(paths, key=lambda p: (
        os.stat(p).st_mtime_ns, p))]


def sanitizer_said(text):
    """What a build with sanitizers (POSTERN_BUILD=build-san) complains of."""
    at = re.search(r"runtime error: |ERROR: \w+Sanitizer", text)
    return text[max(0, at.start() - 200):at.start() + 3000] if at else ""


class Server:
    """See the top of the file. config replaces the whole configuration;
    checks=None leaves the built-in checks as they are."""

    def __init__(self, config=None, users=DEFAULT_USERS,
                 aliases=DEFAULT_ALIASES, settings="", limits="", checks="",
                 domain_keys="", more="", build=None, faults=False,
                 run_as=None):
        self.folder = make_folder()
        self.build = build or (FAULT_BUILD if faults else BUILD)
        self.port = free_port()
        self.process = None
        self.run_as = run_as
        self.launcher = []          # a program that runs the words behind
        self.pieces = dict(settings=settings, limits=limits, checks=checks,
                           domain_keys=domain_keys, more=more)
        self.is_own_config = config is not None
        self.config_path = os.path.join(self.folder, "postern.conf")
        self.log_path = os.path.join(self.folder, "log")
        self.mail_folder = os.path.join(self.folder, "mail")
        self.mounts = []
        self.environment = dict(os.environ)
        self.faults = None
        self.may_crash = faults     # the test kills something
        self._make_mail_folder()
        self.write("users", users)
        self.write("aliases", aliases)
        if config is None:
            self.write_config()
        else:
            self.write("postern.conf", self.fill(config))
        if faults:
            self._make_faults()

    def _make_mail_folder(self):
        os.mkdir(self.mail_folder)
        if self.run_as:
            self.own_by(self.folder, self.run_as)
            self.own_by(self.mail_folder, self.run_as)
        elif IS_ROOT:
            self.own_by(self.mail_folder, OWNER)

    def _make_faults(self):
        from faultctl import Faults
        path = os.path.join(self.folder, "faults")
        self.faults = Faults(path, create=True)
        self.environment["POSTERN_FAULTS"] = path

    @staticmethod
    def own_by(path, user):
        """chown to a user and his group."""
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)

    # ---- files ----

    def fill(self, text):
        """Replace {folder}, {port}, {owner}; {{ and }} are braces."""
        owner = "" if self.run_as else owner_key()
        return text.format(folder=self.folder, port=self.port, owner=owner)

    def write(self, name, text):
        """Replace a file of the folder as an editor does: by rename."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".tmp", "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path + ".tmp", 0o644)
        os.rename(path + ".tmp", path)
        return path

    def write_config(self, **pieces):
        """The default configuration with these pieces put in."""
        self.pieces.update(pieces)
        text = TOP_LEVEL + self.pieces["settings"] + """
listen "127.0.0.1:{port}" {{ role = mx }}
listen "[::1]:{port}" {{ role = mx }}
"""
        if self.pieces["limits"]:
            text += "limits {{\n%s\n}}\n" % self.pieces["limits"]
        checks = self.pieces["checks"]
        if checks is not None:
            # what asks the DNS is off unless the test speaks of it
            if not re.search(r"^\s*default\b", checks, re.M):
                checks = "default = off\n" + checks
            text += "checks {{\n%s\n}}\n" % checks
        text += DOMAIN.replace("{domain_keys}", self.pieces["domain_keys"])
        text += self.pieces["more"]
        if "resolver {" not in self.pieces["more"]:
            text += NO_RESOLVER
        self.write("postern.conf", self.fill(text))

    # ---- life ----

    def command(self, program, *arguments):
        """A program of the build, under the server's user."""
        words = [os.path.join(self.build, program), *arguments]
        if self.run_as:
            words = ["setpriv", "--reuid", self.run_as, "--regid",
                     self.run_as, "--clear-groups", "--", *words]
        return words

    def check(self):
        """postern -n: (exit status, what it said)."""
        result = subprocess.run(
            self.command("postern", "-n", "-f", self.config_path),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False)
        return result.returncode, result.stdout

    def launch(self):
        """Start without waiting."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.launcher,
                 *self.command("postern", "-f", self.config_path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, start_new_session=True)

    def start(self, timeout=30):
        """Start and wait until it is ready. Returns self."""
        before = len(self.events("ready"))
        self.launch()
        wait_until(lambda: len(self.events("ready")) > before or
                   self.process.poll() is not None, timeout, "event=ready")
        assert self.process.poll() is None, \
            "the server ended:\n" + self.log_text()
        return self

    def stop(self, timeout=100):
        """SIGTERM, and wait for the end; returns the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.kill_tree()
            self.process = None

    def kill_tree(self):
        """Last resort: the supervisor and what it started; back when all
        of them have gone, and with them their sockets."""
        # standing still it starts nobody while the others end
        self.process.send_signal(signal.SIGSTOP)
        pids = self.children()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not any(map(is_running, pids)), 20,
                   "end of all processes", every=0.01)

    def restart(self):
        """Stop and start again on the same folder."""
        self.stop()
        return self.start()

    def reload(self, timeout=30):
        """SIGHUP, and wait until it is done."""
        before = len(self.events("reloaded"))
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.events("reloaded")) > before, timeout,
                   "event=reloaded")

    def problems(self):
        """Log lines of compartments that died or misbehaved, unless the
        test itself brought that about."""
        return [] if self.may_crash else [
            e for e in self.events() if e.get("event") in FAULTS_OF_OURS]

    def close(self):
        """Stop, unmount, remove the folder."""
        try:
            self.stop()
        finally:
            for path in reversed(self.mounts):
                subprocess.run(["umount", "-l", path], check=False)
            said = sanitizer_said(self.log_text())
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not said, said

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def children(self, role=None):
        """Pids of the compartments (workers among them), or of one role."""
        found, todo = [], [self.process.pid]
        while todo:
            parent = todo.pop()
            try:
                with open("/proc/%d/task/%d/children" % (parent, parent),
                          encoding="ascii") as f:
                    pids = [int(p) for p in f.read().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += pids
            todo += pids
        if role is None:
            return found
        return [p for p in found if self.role_of(p) == role]

    @staticmethod
    def role_of(pid):
        """The compartment that a process says it is on its command line."""
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                words = f.read().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return None
        return words[2].decode() if len(words) > 2 and words[1] == b"-c" \
            else None

    @contextlib.contextmanager
    def only_smtpd(self, pid):
        """Let no other smtpd process accept connections meanwhile."""
        others = [p for p in self.children("smtpd") if p != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            yield
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)

    # ---- talk ----

    def connect(self, host="127.0.0.1", **options):
        """A raw client; 127.0.0.1 or ::1."""
        return Client((host, self.port), **options)

    def deliver(self, recipients, message, **options):
        """One message in a session of its own; the reply to its dot."""
        with self.connect() as client:
            client.ehlo()
            reply = client.deliver(recipients, message, **options)
            client.quit()
            return reply

    def rcpt(self, address, params="", sender="sender@elsewhere.example"):
        """The reply to one RCPT, in a session of its own."""
        with self.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<%s>%s" % (sender, params), "250")
            reply = client.command("RCPT TO:<%s>" % address)
            client.quit()
            return reply

    def await_trail(self):
        """Wait until a session has one: right after the start store may not
        be there in time for it. Returns the server."""
        wait_until(lambda: not self.rcpt("nobody@example.org").id.startswith(
            "zzz"), what="a trail")
        return self

    def ctl(self, *arguments, check=True):
        """posternctl: what it prints; (status, text) with check=False."""
        result = subprocess.run(
            self.command("posternctl", "-f", self.config_path, *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False)
        if not check:
            return result.returncode, result.stdout
        assert result.returncode == 0, "posternctl %s: %s\n%s" % (
            shlex.join(arguments), result.returncode, result.stdout)
        return result.stdout

    def why(self, reply_or_id, *words, timeout=15):
        """posternctl why: what it prints of a reply, or of an id, once it
        knows it and says all the words. A refusal is in the trail whole or
        not at all; what is told of a session beside it leaves smtpd some
        milliseconds after the reply, so whoever looks for that says so."""
        name = getattr(reply_or_id, "id", reply_or_id)
        assert name, "no id in %r" % reply_or_id
        said = [None, ""]

        def has_all():
            said[:] = self.ctl("why", name, check=False)
            return said[0] == 0 and all(w in said[1] for w in words)
        wait_until(has_all, timeout, lambda: "trail of %s with %s: %s" % (
            name, words, said[1]))
        return said[1]

    def figure(self, name):
        """A number of posternctl status."""
        return int(re.search(r"(?m)^%s +(\d+)$" % name,
                             self.ctl("status")).group(1))

    def wait_confirmed(self):
        """Until store holds no delivery record of a session: what a client
        has confirmed is forgotten, what he has not is on disk. smtpd tells
        it after the reply, with the next thing that it has to tell."""
        wait_until(lambda: self.figure("records_live") == 0,
                   what="end of the open records")
        self.figure("records_live")     # the commit ends the round before

    # ---- what came of it ----

    def maildir(self, user):
        """The path of a table user's Maildir."""
        return os.path.join(self.mail_folder, user, "Maildir")

    def mail(self, user):
        """The messages in a table user's mailbox."""
        return maildir_mail(self.maildir(user))

    def tmp_files(self, user):
        """What lies in a mailbox's tmp/."""
        path = os.path.join(self.maildir(user), "tmp")
        return sorted(os.listdir(path)) if os.path.isdir(path) else []

    def all_files(self):
        """Every message file below the mail folder, tmp/ included."""
        found = []
        for path, _, names in os.walk(self.mail_folder):
            if os.path.basename(path) in ("new", "cur", "tmp"):
                found += [os.path.join(path, n) for n in names]
        return sorted(found)

    def log_text(self):
        """The log so far."""
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def events(self, name=None, **fields):
        """Parsed log lines: of one event, with these fields."""
        found = []
        # the last one may be on its way
        for line in self.log_text().rpartition("\n")[0].splitlines():
            event = parse_logfmt(line)
            if event and (name is None or event.get("event") == name) and \
                    all(event.get(k) == v for k, v in fields.items()):
                found.append(event)
        return found

    def wait_event(self, name, timeout=15, **fields):
        """The first such event, once it is there."""
        return wait_until(lambda: self.events(name, **fields), timeout,
                          "event=%s %s" % (name, fields))[0]
