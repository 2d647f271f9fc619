#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A real server, random cases (cases.py) with random faults (faults.py), and in
the end: is what was accepted where it belongs, and nothing anywhere else
(model.py)? Are memory and descriptors flat?

environment: SOAK_MINUTES (60), SOAK_SEED (random; it is printed), POSTERN_BUILD
Half of the time compartments are killed and disks full; in the second half
only the hosts elsewhere and the programs are moody, and memory is measured.
The seed decides which messages are sent in which order and which faults come
after which; what meets what is up to the machine. The last line is "N passed,
N failed".
"""
import os
import random
import re
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../e2e")]

import cases  # noqa: E402
import faults  # noqa: E402
import model  # noqa: E402
import postern  # noqa: E402
from certificates import make_certificate  # noqa: E402
from nameserver import Nameserver  # noqa: E402
from test_auth import PASSWORD  # noqa: E402
from test_outbound import Outbound  # noqa: E402

WORKERS = 4
TRIES, LAST_TRY_S = 12, 90      # of a message
ENOUGH = 12                     # messages of a kind, one of them accepted
RSS_MORE, RSS_MORE_MIB, FDS_MORE = 1.3, 6, 12
USERS = ["alice", "bob", "carol", "dave"]
ALIASES = """postmaster: alice
abuse: alice
root: alice
team: alice, bob, carol
owner-friends: alice
friends: bob, friend@elsewhere.example
owner-board: carol
board: dave, m1@d1.elsewhere.example, m2@d2.elsewhere.example,
  refused9@d1.elsewhere.example
owner-crew: alice
crew: carol, m3@d3.elsewhere.example, "|{folder}/robot crew"
away: away@moved.elsewhere.example
pair: carol, pair@moved.elsewhere.example
robot: "|{folder}/robot robot"
helpdesk: dave, "|{folder}/robot helpdesk"
refuses: "|{folder}/robot refuses"
"""
# SPF vouches for whoever writes from this machine
ZONES = {"remote.example": '@ MX 10 mx\nmx A 127.0.0.1\n'
         '@ TXT "v=spf1 ip4:127.0.0.1 ip6:::1 -all"'}
CHECKS = """default = off
spf = mark
attachments = refuse
relay_peer = {{ "127.0.0.2" }}
"""
BEHIND = '''domain "%s.example" {{ next_hop = "%s" }}
'''


class Lab:
    """The server, the hosts elsewhere and behind it, programs, the book."""

    def __init__(self, seed):
        self.book = model.Book(seed)
        self.password, self.users = PASSWORD, USERS
        self.taken = faults.Taken()
        self.nameserver = Nameserver(ZONES)
        self.sink = faults.Elsewhere(self.taken)
        self.server = Outbound(
            self.sink, limits="unknown_recipients = 0  "
            "sessions_per_client = 0  errors_per_session = 0",
            settings="program_timeout = 6s\n", checks=CHECKS)
        self.hosts = [self.sink, *self.hosts_behind()]
        self.robots = faults.Robots(self.server)
        self.moody = [*self.hosts, self.robots]
        self.configure()
        self.server.may_crash = True
        self.disks = []
        self.mount_disks()
        self.over = threading.Event()

    def hosts_behind(self):
        """SMTP with STARTTLS, LMTP over TCP, LMTP at a unix socket."""
        folder = self.server.folder
        make_certificate(folder, "behind", "127.0.0.1")
        return [faults.Elsewhere(self.taken, tls=(
            folder + "/behind.pem", folder + "/behind.key")),
            faults.Elsewhere(self.taken, lmtp=True),
            faults.Elsewhere(self.taken, lmtp=True, path=folder + "/lmtp")]

    def configure(self):
        """What Outbound does not have."""
        server, (_, fronted, lmtp, unix) = self.server, self.hosts
        assert unix.port == 0
        more = server.pieces["more"]
        resolver = re.search(r"resolver {{.*?}}  .*?}}\n", more).group(0)
        server.write_config(more=more.replace(
            resolver, self.nameserver.config("timeout = 2s")) +
            BEHIND % ("fronted", "smtp:[127.0.0.1]:%d" % fronted.port) +
            BEHIND % ("lmtp", "lmtp:[127.0.0.1]:%d" % lmtp.port) +
            BEHIND % ("unix", "lmtp:unix:{folder}/lmtp"))
        with open(server.folder + "/users", encoding="utf-8") as f:
            users = f.read()
        server.write("users", users + "bob\ndave\n")
        server.write("aliases", ALIASES.format(folder=server.folder))

    def mount_disks(self):
        """Disks that can be full: of mailboxes; of the spool and store."""
        state = self.server.folder + "/state"
        os.mkdir(state, 0o755)
        for folder in [self.server.mail_folder, state]:
            if os.geteuid() == 0 and faults.mount_disk(folder, 8192):
                self.server.mounts.append(folder)
                self.disks.append(folder)

    def pause(self, seconds):
        """Wait, but not longer than the soak lasts."""
        self.over.wait(seconds)

    def close(self):
        """All of it."""
        self.server.stop()
        self.server.close()
        for host in self.hosts:
            host.close()
        self.nameserver.close()


# ---- load ----

def one(lab, rng):
    """A case, to its last word. Its dice are its own: how many tries others
    have needed changes nothing about it."""
    rng = random.Random(rng.random())
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
    for host in lab.moody:
        host.mood()


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

def compare(lab):
    """What was promised and what is there; the number of good messages."""
    found, returned = model.look(lab.server, lab.users)
    found.update(lab.taken.found)
    unsure = lab.taken.unsure.copy()
    lab.robots.look(found, unsure)
    for name in returned:
        mail = lab.book.mails.get(name)
        at_home = [t for t in mail.targets if t[0] == "home"] if mail else []
        found.update({(t, name): 1 for t in at_home})
        if not at_home:
            lab.book.fault("%s: home was told of %s" % (
                name, mail and mail.kind))
    return lab.book.check(found, unsure)


def kinds(lab):
    """{kind: the fates of its messages}."""
    found = {}
    for mail in lab.book.mails.values():
        found.setdefault(mail.kind, []).append(mail)
    return found


def tries_all(lab):
    """A kind of which nothing is ever accepted tests nothing."""
    for kind, mails in kinds(lab).items():
        if mails[0].may_pass and len(mails) >= ENOUGH and \
                not any(m.fate == "accepted" for m in mails):
            lab.book.fault("none of %d is accepted: %s" % (len(mails), kind))


def crashes(lab):
    """Who ended otherwise than by our kill, or was lied to."""
    for event in lab.server.events():
        name = event.get("event")
        if name in ("suspected_break_in", "malformed_answer",
                    "sandbox_attempt") or name in (
                        "compartment_died", "worker_died") and \
                event.get("signal", "9") not in ("0", "9"):
            lab.book.fault(str(event))
    if "Assertion" in lab.server.log_text():
        lab.book.fault("an assertion failed")


def soak(lab, rng, seconds):
    """How many checks were passed."""
    phase(lab, rng, faults.CHAOS, seconds / 2)
    has_settled = settle(lab)
    lab.book.among_kills = False
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
    crashes(lab)
    tries_all(lab)
    return passed + compare(lab)


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
    for kind, mails in sorted(kinds(lab).items()):
        fates = [m.fate for m in mails]
        print("%-24s %s" % (kind, ", ".join("%d %s" % (
            fates.count(f), f) for f in sorted(set(fates)))))
    print(", ".join("%s: %d" % row for row in sorted(
        lab.book.counts.items())))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
