#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A real server, random cases (cases.py) with random faults (faults.py), and in
the end: is what was accepted where it belongs, and nothing anywhere else
(model.py)? Are memory and descriptors flat?

environment: SOAK_MINUTES (60), SOAK_SEED (random; it is printed), POSTERN_BUILD
Half of the time compartments are killed and disks full; in the second half
only the hosts elsewhere are moody, and memory is measured. The last line is
"N passed, N failed".
"""
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../e2e")]

import cases  # noqa: E402
import faults  # noqa: E402
import model  # noqa: E402
import postern  # noqa: E402
from test_auth import PASSWORD  # noqa: E402
from test_outbound import Outbound  # noqa: E402

WORKERS = 4
TRIES, LAST_TRY_S = 12, 90      # of a message
RSS_MORE, RSS_MORE_MIB, FDS_MORE = 1.3, 6, 12
ALIASES = """postmaster: alice
abuse: alice
root: alice
team: alice, bob, carol
owner-friends: alice
friends: bob, friend@elsewhere.example
away: away@moved.elsewhere.example
"""


class Lab:
    """The server, the hosts elsewhere, the book."""

    def __init__(self, seed):
        self.book = model.Book(seed)
        self.password = PASSWORD
        self.sink, self.front = faults.Elsewhere(), faults.Elsewhere()
        self.users = ["alice", "bob", "carol", "dave"]
        self.server = Outbound(
            self.sink, limits="unknown_recipients = 0  "
            "sessions_per_client = 0", more='domain "fronted.example" {{ '
            'next_hop = "smtp:[127.0.0.1]:%d" }}\n' % self.front.port)
        with open(self.server.folder + "/users", encoding="utf-8") as f:
            users = f.read()
        self.server.write("users", users + "bob\ndave\n")
        self.server.write("aliases", ALIASES)
        self.server.may_crash = True
        self.disks = []
        folder = self.server.mail_folder
        if os.geteuid() == 0 and faults.mount_disk(folder, 8192):
            self.server.mounts.append(folder)
            self.disks.append(folder)
        self.over = threading.Event()

    def pause(self, seconds):
        """Wait, but not longer than the soak lasts."""
        self.over.wait(seconds)

    def close(self):
        """All of it."""
        self.server.stop()
        self.server.close()
        self.sink.close()
        self.front.close()
        if self.disks and os.path.exists(self.disks[0] + ".image"):
            os.unlink(self.disks[0] + ".image")


# ---- load ----

def one(lab, rng):
    """A case, to its last word."""
    weights = [w for w, _ in cases.CASES]
    case = rng.choices([c for _, c in cases.CASES], weights)[0]
    made = case(lab, rng)
    if made is None:
        return
    mail, attempt = made
    began = time.monotonic()
    while len(mail.codes) < TRIES or time.monotonic() < began + LAST_TRY_S:
        code = attempt()
        mail.codes.append(code)
        if code == 250 or (code is not None and code >= 500):
            break
        time.sleep(rng.uniform(0.1, 2))
    mail.is_over = True


def load(lab, rng, until):
    while time.monotonic() < until:
        try:
            one(lab, rng)
        except Exception as error:      # a test that cannot go on has failed
            lab.book.fault("%s: %r" % (type(error).__name__, error))
            return


def phase(lab, rng, what, seconds):
    """Load and faults side by side."""
    until = time.monotonic() + seconds
    lab.over.clear()
    threads = [threading.Thread(target=load, args=(
        lab, random.Random(rng.random()), until)) for _ in range(WORKERS)]
    threads.append(threading.Thread(target=faults.run, args=(
        lab, random.Random(rng.random()), what, until)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for host in lab.sink, lab.front:
        host.mood("good")


def settle(lab, seconds=180):
    """The queue runs empty; False: it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        lab.server.ctl("flush", check=False)
        if not lab.server.waiting():
            return True
        time.sleep(1)
    return False


# ---- memory ----

def measure(lab):
    """{role: (most MiB, most descriptors)} of its processes."""
    found = {}
    for pid in lab.server.children():
        role = lab.server.role_of(pid)
        try:
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                rss = [int(line.split()[1]) / 1024 for line in f
                       if line.startswith("VmRSS")]
            fds = len(os.listdir("/proc/%d/fd" % pid))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if role and rss:
            before = found.get(role, (0, 0))
            found[role] = max(before[0], rss[0]), max(before[1], fds)
    return found


def is_flat(lab, before, after):
    """Print both; the number of roles that did not grow."""
    n = 0
    for role in sorted(after):
        rss, fds = before.get(role, after[role])
        print("%-10s %6.1f -> %6.1f MiB, %3d -> %3d descriptors" % (
            role, rss, after[role][0], fds, after[role][1]))
        if after[role][0] > rss * RSS_MORE + RSS_MORE_MIB or \
                after[role][1] > fds + FDS_MORE:
            lab.book.fault("%s has grown" % role)
        else:
            n += 1
    return n


# ---- all of it ----

def soak(lab, rng, seconds):
    """How many checks were passed."""
    phase(lab, rng, faults.CHAOS, seconds / 2)
    has_settled = settle(lab)
    phase(lab, rng, faults.STEADY, seconds / 4)
    has_settled &= settle(lab)
    before = measure(lab)
    phase(lab, rng, faults.STEADY, seconds / 4)
    has_settled &= settle(lab)
    time.sleep(12)      # workers that are not needed end
    passed = is_flat(lab, before, measure(lab))
    if has_settled:
        passed += 1
    else:
        lab.book.fault("the queue does not run empty: %s" %
                       lab.server.ctl("queue", check=False)[1][-2000:])
    for name in "suspected_break_in", "malformed_answer", "sandbox_attempt":
        if lab.server.events(name):
            lab.book.fault("%s: %s" % (name, lab.server.events(name)[0]))
    return passed + lab.book.check(
        lab.server, lab.users,
        lab.sink.messages.rows + lab.front.messages.rows)


def keep_log(lab):
    """Of a run that has failed."""
    path = os.path.join(postern.BUILD, "soak.log")
    with open(path, "w", encoding="utf-8") as f:
        f.write(lab.server.log_text())
    print("the server's log is kept in " + path)


def main():
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(10 ** 6))
    minutes = float(os.environ.get("SOAK_MINUTES") or 60)
    print("seed %d, %g minutes" % (seed, minutes), flush=True)
    lab = Lab(seed)
    try:
        lab.server.start()
        passed = soak(lab, random.Random(seed), minutes * 60)
        failed = len(lab.book.faults)
        if failed:
            keep_log(lab)
    finally:
        lab.close()
    kinds = {}
    for mail in lab.book.mails.values():
        kinds.setdefault(mail.kind, []).append(mail.fate)
    for kind, fates in sorted(kinds.items()):
        print("%-24s %s" % (kind, ", ".join("%d %s" % (
            fates.count(f), f) for f in sorted(set(fates)))))
    print(", ".join("%s: %d" % row for row in sorted(
        lab.book.counts.items())))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
