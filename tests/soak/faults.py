# SPDX-License-Identifier: ISC
"""What goes wrong meanwhile: compartments are killed, disks fill up, the
configuration is read again; hosts elsewhere and programs refuse, put off,
stand still and hang up at any stage. Only processes of the soak's own server
are ever signalled."""
import collections
import errno
import os
import random
import re
import signal
import subprocess
import threading
import time

from relay_lab import USUAL, Sink

ROLES = ("smtpd", "policy", "directory", "store", "vault", "resolver",
         "deliver", "queue", "relay", "auth", "control")
ADDRESS = re.compile(r"<([^>]*)>")
NAME = re.compile(rb"(?mi)^Message-ID: (\S+)")
TAGGED = re.compile(r"prvs=[^>]*=alice@example\.org", re.I)
SRS = re.compile(r"SRS0=[^>]*=bob@example\.org")


class Taken:
    """What the hosts elsewhere have taken, without the texts."""

    def __init__(self):
        self.lock = threading.Lock()
        self.found = collections.Counter()      # as of model.Book.check
        self.unsure = collections.Counter()
        self.senders = {"tagged": [], "forward": []}

    def note(self, text, sender, recipients, is_unsure):
        """A message for them."""
        name = NAME.search(text)
        name = name.group(1).decode() if name else "none"
        with self.lock:
            for recipient in recipients:
                key = ("host", ADDRESS.search(recipient).group(1)), name
                self.found[key] += 1
                self.unsure[key] += is_unsure
            sender = ADDRESS.search(sender).group(1)
            for kind, form in ("tagged", TAGGED), ("forward", SRS):
                if form.fullmatch(sender):
                    self.senders[kind] = self.senders[kind][-100:] + [sender]

    def a_sender(self, kind, rng):
        """A reverse-path with which mail of ours has come, or None."""
        with self.lock:
            return rng.choice(self.senders[kind]) if self.senders[kind] \
                else None


class Ended:
    """The message that this thread has read to its end; a Sink's list."""

    def __init__(self):
        self.local = threading.local()

    def append(self, message):
        """As list.append."""
        self.local.message = message


STAGES = ("greeting", "ehlo", "starttls", "mail", "rcpt", "data", "bdat",
          "dot", "rset", "quit")
WORDS = ("later", "bye", "close", "reset", "slow", "nonsense")
# of the end of a message: it was taken, and nobody hears of it
SILENT = ("takes and closes", "takes and resets")


class Elsewhere(Sink):
    """All other hosts, or a server of mailboxes behind us; they have
    moods."""

    def __init__(self, taken, **options):
        super().__init__({stage: self.saying(stage) for stage in STAGES},
                         **options)
        self.taken_by_all = taken
        self.messages = self.ended = Ended()
        self.now = None, None, 0.0

    def mood(self, rng=None):
        """From now on: at one stage, always or now and then. None: good."""
        stage = rng.choice(STAGES + ("rcpt", "data", "dot", "dot", "dot")) \
            if rng else None
        self.now = stage, rng and rng.choice(
            WORDS + SILENT if stage == "dot" else WORDS), \
            rng and rng.choice((1.0, 0.5, 0.5, 0.2))
        self.sessions = self.sessions[-100:]

    def saying(self, stage):
        """What is said there."""
        def say(session, arg):
            at, word, share = self.now
            word = word if at == stage and random.random() < share else None
            if stage == "dot":
                return self.dot(session, arg, word)
            if stage == "rcpt" and "<refused" in arg:
                return "550 5.1.1 no such user"
            return self.says(stage, word)
        return say

    @staticmethod
    def says(stage, word):
        """A word of WORDS, as a reply."""
        if word == "slow":
            time.sleep(1.5)
        return {"later": "421 4.3.2 busy" if stage == "greeting" else
                "450 4.2.0 not now", "bye": "421 4.3.2 going down",
                "close": None, "reset": "reset",
                "nonsense": "2x0 what is this"}.get(word, USUAL)

    def dot(self, session, arg, word):
        """The end of a message; with LMTP for each recipient."""
        message = self.ended.local.message
        recipients = [arg] if self.lmtp else message.recipients
        if any("<late-refused" in r for r in recipients):
            return "550 5.7.1 not this"
        if self.lmtp and word:      # RST takes along the replies before it
            word = word.replace("resets", "closes").replace("reset", "close")
        if self.lmtp and word == "nonsense":
            self.ended.local.unheard = message.text
        if word not in (None, "slow") + SILENT:
            return self.says("dot", word)
        # nobody counts replies behind one that is none
        self.taken_by_all.note(
            message.text, session.sender, recipients, word in SILENT or
            getattr(self.ended.local, "unheard", None) is message.text)
        if word in SILENT:
            return self.says("dot", word.split()[-1][:-1])
        return self.says("dot", word)


# ---- programs ----

ROBOT = """#!/bin/sh
# robot NAME: keeps what it gets in {out}/NAME.*, as {out}/mood says
mood=$(cat {out}/mood)
case $1 in refuses) exit 67 ;; esac
case $mood in
later) cat >/dev/null; exit 75 ;;
deaf) exit 1 ;;
hangs) exec sleep 60 ;;
floods) head -c 1000000 /dev/zero; exit 0 ;;
esac
new=$(mktemp {out}/new.XXXXXXXX) || exit 75
cat >"$new" || exit 75
case $mood in
dies) kill -9 $$ ;;
"kept and dies") mv "$new" "{out}/$1.unsure.$$.${{new##*.}}"; kill -9 $$ ;;
slow) sleep 1 ;;
esac
mv "$new" "{out}/$1.sure.$$.${{new##*.}}" || exit 75
"""
PROGRAM_MOODS = ("later", "deaf", "hangs", "floods", "dies", "kept and dies",
                 "slow")


class Robots:
    """The program of several aliases."""

    def __init__(self, server):
        self.server, self.out = server, server.folder + "/out"
        os.mkdir(self.out)
        os.chmod(self.out, 0o1777)
        os.chmod(server.write("robot", ROBOT.format(out=self.out)), 0o755)
        self.mood()

    def mood(self, rng=None):
        """From now on; None: good."""
        self.server.write("out/mood", rng.choice(PROGRAM_MOODS) if rng
                          else "good")

    def look(self, found, unsure):
        """Count what they have kept, as model.Book.check wants it."""
        for path in os.listdir(self.out):
            name, *words = path.split(".")
            if words[:1] not in (["sure"], ["unsure"]):
                continue
            with open(os.path.join(self.out, path), "rb") as f:
                key = ("run", name), NAME.search(f.read()).group(1).decode()
            found[key] += 1
            unsure[key] += words[0] == "unsure"


# ---- a disk of its own ----

def mount_disk(folder, size_mib):
    """A file system in a file; False where that is not allowed."""
    image = folder + ".image"
    with open(image, "wb") as f:
        f.truncate(size_mib << 20)
    st = os.stat(folder)
    if subprocess.run(["mkfs.ext4", "-q", "-F", image], check=False,
                      stderr=subprocess.DEVNULL).returncode or \
            subprocess.run(["mount", "-o", "loop", image, folder],
                           check=False, stderr=subprocess.DEVNULL).returncode:
        os.unlink(image)
        return False
    os.chown(folder, st.st_uid, st.st_gid)
    os.chmod(folder, st.st_mode & 0o7777)
    return True


def fill_disk(folder):
    """To the last block; the file to remove."""
    path = os.path.join(folder, "ballast")
    size, at = 256 << 20, 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    while size >= 4096:
        try:
            os.posix_fallocate(fd, at, size)
            at += size
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            size //= 2
    os.close(fd)
    return path


# ---- one fault each ----

def kill(lab, rng):
    """One process, or one of the workers, runners, monitors, programs."""
    role = rng.choice(ROLES + ("deliver", None))
    pids = [p for p in lab.server.children() if lab.server.role_of(p) == role]
    if pids:
        os.kill(rng.choice(pids), signal.SIGKILL)
        lab.book.counts["kills"] += 1


def kill_supervisor(lab, _):
    """The others end with it, and the next one waits for them."""
    lab.server.process.kill()
    lab.server.process.wait()
    lab.server.start(90)
    lab.book.counts["kills of the supervisor"] += 1


def restart(lab, _):
    """As an operator does."""
    lab.server.restart()
    lab.book.counts["restarts"] += 1


def stop_a_while(lab, rng):
    """It stands still."""
    pids = lab.server.children(rng.choice(ROLES))
    if pids:
        pid = rng.choice(pids)
        try:
            os.kill(pid, signal.SIGSTOP)
            lab.pause(rng.random() * 3)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
        lab.book.counts["standstills"] += 1


def reload(lab, _):
    lab.server.process.send_signal(signal.SIGHUP)
    lab.book.counts["reloads"] += 1


def moods(lab, rng):
    """Of some of those outside, for a while."""
    moody = rng.sample(lab.moody, rng.randint(1, len(lab.moody)))
    for host in moody:
        host.mood(rng)
    lab.book.counts["moods"] += len(moody)
    lab.pause(rng.random() * 4)
    for host in moody:
        host.mood()


def full_disk(lab, rng):
    if not lab.disks:
        return
    path = fill_disk(rng.choice(lab.disks))
    lab.pause(rng.random() * 3)
    os.unlink(path)
    lab.book.counts["full disks"] += 1


CHAOS = [kill] * 12 + [stop_a_while] * 2 + [reload] * 2 + [full_disk] * 4 + \
    [moods] * 6 + [kill_supervisor, restart]
STEADY = [moods]


def run(lab, rng, faults, until):
    """One after the other."""
    while time.monotonic() < until:
        try:
            rng.choice(faults)(lab, rng)
        except ProcessLookupError:
            pass
        except Exception as error:      # nothing goes wrong from here on
            lab.book.fault("%s: %r" % (type(error).__name__, error))
            return
        lab.pause(rng.uniform(0.2, 2.5))
