# SPDX-License-Identifier: ISC
"""What goes wrong meanwhile: compartments are killed, disks fill up, the
configuration is read again, hosts elsewhere refuse, put off and hang up. Only
processes of the soak's own server are ever signalled."""
import errno
import os
import re
import signal
import subprocess
import time

from relay_lab import Sink

ROLES = ("smtpd", "policy", "directory", "store", "vault", "resolver",
         "deliver", "queue", "relay", "auth", "control")
TO = re.compile(r"TO:<([^>]*)>", re.I)
NAME = re.compile(rb"(?mi)^Message-ID: (\S+)")
TAGGED = re.compile(r"FROM:<(prvs=[^>]*=alice@example\.org)>", re.I)


class Taken:
    """What a Sink has taken, without the texts."""

    def __init__(self):
        self.rows, self.senders = [], []

    def append(self, message):
        """As list.append."""
        found = NAME.search(message.text)
        self.rows.append((found.group(1).decode() if found else "none", {
            TO.match(r).group(1) for r in message.recipients}))
        tagged = TAGGED.match(message.sender)
        if tagged:
            self.senders = self.senders[-100:] + [tagged.group(1)]


class Nothing:
    """Keeps none of it."""

    def append(self, _):
        """As list.append."""


class Elsewhere(Sink):
    """All other hosts; they have moods."""

    MOODS = ("good", "good", "later", "busy", "close", "reset")

    def __init__(self):
        super().__init__()
        self.messages, self.ended = Taken(), Nothing()
        self.mood("good")

    def mood(self, word):
        """From now on."""
        self.replies = {"rcpt": self.rcpt}
        if word == "later":
            self.replies["mail"] = "450 4.2.0 not now"
        elif word == "busy":
            self.replies["greeting"] = "421 4.3.2 busy"
        elif word == "close":
            self.replies["dot"] = lambda session, arg: None
        elif word == "reset":
            self.replies["data"] = "reset"
        self.sessions = self.sessions[-100:]

    @staticmethod
    def rcpt(_, arg):
        """Some are refused for good."""
        return "550 5.1.1 no such user" if "refused" in arg else \
            "250 2.1.5 ok"

    def a_sender(self, rng):
        """A reverse-path with which mail of ours has come."""
        return rng.choice(self.messages.senders) \
            if self.messages.senders else None


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
    """One process, or one of the workers."""
    pids = [p for p in lab.server.children(rng.choice(ROLES))]
    if pids:
        os.kill(rng.choice(pids), signal.SIGKILL)
        lab.book.counts["kills"] += 1


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
    for host in (lab.sink, lab.front):
        host.mood(rng.choice(Elsewhere.MOODS))
    lab.book.counts["moods"] += 1
    lab.pause(rng.random() * 4)
    for host in (lab.sink, lab.front):
        host.mood("good")


def full_disk(lab, rng):
    if not lab.disks:
        return
    path = fill_disk(rng.choice(lab.disks))
    lab.pause(rng.random() * 3)
    os.unlink(path)
    lab.book.counts["full disks"] += 1


CHAOS = [kill] * 6 + [stop_a_while, reload, full_disk, full_disk, moods,
                      moods]
STEADY = [moods]


def run(lab, rng, faults, until):
    """One after the other."""
    while time.monotonic() < until:
        try:
            rng.choice(faults)(lab, rng)
        except ProcessLookupError:
            pass
        lab.pause(rng.uniform(0.5, 4))
