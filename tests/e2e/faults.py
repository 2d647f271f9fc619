# SPDX-License-Identifier: ISC
"""A laboratory: one server of the fault-injection build, a client that
retries as a mail server does, and the invariants of DESIGN 6.

    lab = Lab()
    told = lab.attempt(TWO, message)      one try; {recipient: Reply}
    lab.send(TWO, message)                until everybody was told 250
    lab.check()                           nobody has anything else
"""
import concurrent.futures
import os
import queue
import re
import signal
import threading
import time

from client import Closed, new_message, wire
from postern import (IS_ROOT, OTHER_OWNER, OWNER, Mail, Server, is_running,
                     owner_key, wait_until)

NAMES = ("alice", "bob", "carol", "dave", "erin", "small") + \
    tuple("p%d" % i for i in range(10))
USERS = "".join("%s%s\n" % (n, " quota=10M" if n == "small" else "")
                for n in NAMES)
ALIASES = """postmaster: alice
abuse: alice
root: alice
team: alice, bob, carol@second.example
"""
SECOND = """
domain "second.example" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases.second"
    mailbox = "{folder}/second/%u/Maildir"
    OWNER
}}
"""
ONE = ("alice@example.org",)
TWO = ("alice@example.org", "alice@second.example")
TEAM = ("team@example.org",)
FOUR = ("alice@example.org", "bob@example.org", "carol@example.org",
        "dave@example.org")


class Broken(AssertionError):
    """An invariant does not hold."""


def must(condition, text, *arguments):
    """Raise Broken unless condition."""
    if not condition:
        raise Broken(text % arguments)


class Lab:
    """One server, and what each mailbox must hold."""

    def __init__(self, **options):
        settings = options.pop("settings", "")
        more = options.pop("more", "")
        self.server = Server(
            faults=True, users=USERS, aliases=ALIASES,
            settings="\nprocesses {{ smtpd = 1  directory = 1 }}\n"
            + settings,
            more=SECOND.replace("OWNER", owner_key(OTHER_OWNER)) + more,
            **options)
        self.server.may_crash = True
        self.server.write("aliases.second",
                          "postmaster: alice\nabuse: alice\n")
        self.second = os.path.join(self.server.folder, "second")
        os.mkdir(self.second)
        if IS_ROOT and not self.server.run_as:
            self.server.own_by(self.second, OTHER_OWNER)
        self.expected = {}      # Maildir -> {Message-ID}
        self.seen = {}          # path -> Message-ID
        self.n_kills = self.n_runners = 0
        self.ending = []        # deliver whose runner was killed

    @property
    def faults(self):
        """The points of this server."""
        return self.server.faults

    # ---- mailboxes ----

    def boxes(self, recipient):
        """The Maildirs that a recipient stands for."""
        if recipient == TEAM[0]:
            return [self.box("alice@example.org"),
                    self.box("bob@example.org"),
                    self.box("carol@second.example")]
        return [self.box(recipient)]

    def box(self, address):
        """A user's Maildir."""
        user, domain = address.split("@")
        top = self.second if domain == "second.example" else \
            self.server.mail_folder
        return os.path.join(top, user, "Maildir")

    def all_boxes(self):
        """Every Maildir there could be."""
        return [os.path.join(top, n, "Maildir")
                for top in (self.second, self.server.mail_folder)
                for n in NAMES]

    def ids(self, box):
        """The Message-IDs in new/ and cur/, one per file."""
        found = []
        for folder in ("new", "cur"):
            path = os.path.join(box, folder)
            if not os.path.isdir(path):
                continue
            for name in os.listdir(path):
                full = os.path.join(path, name)
                if full not in self.seen:
                    try:
                        self.seen[full] = self.read(full)
                    except FileNotFoundError:
                        continue        # taken back just now
                found.append(self.seen[full])
        return found

    @staticmethod
    def read(path):
        """The Message-ID of a file that is whole."""
        mail = Mail(path)
        size = int(re.search(r",S=(\d+)", mail.name).group(1))
        must(len(mail.raw) == size, "%s has %d octets", path, len(mail.raw))
        return mail.get("Message-ID")

    def count(self, recipients, message):
        """How many copies of the message each box has, in order."""
        wanted = id_of(message)
        return [self.ids(box).count(wanted)
                for r in recipients for box in self.boxes(r)]

    def expect(self, recipient, message):
        """From now on this recipient must have it."""
        for box in self.boxes(recipient):
            self.expected.setdefault(box, set()).add(id_of(message))

    def check(self):
        """Everybody has what he was promised, once, and nothing else."""
        wrong = []
        for box in self.all_boxes():
            has = sorted(self.ids(box))
            want = sorted(self.expected.get(box, ()))
            if has != want:
                wrong.append((box, "has", set(has) - set(want), "lacks",
                              set(want) - set(has), len(has) - len(want)))
                self.expected[box] = set(has)   # said once
        must(not wrong, "%s", wrong)
        self.check_log()

    def check_log(self):
        """Nothing ended in another way than by a kill, or by the abort()
        of a fault point in a process that may not even kill itself; a
        deliver whose runner was killed ends by itself."""
        must("Assertion" not in self.server.log_text(), "an assertion failed")
        for event in self.server.events("compartment_died"):
            must(event.get("signal") in ("6", "9") or self.n_runners and
                 event["role"] == "deliver" and event["status"] == "0",
                 "%s", event)
        must(not self.server.events("fatal"), "fatal")

    # ---- the client ----

    def attempt(self, recipients, message, params="", told=None,
                sender="sender@elsewhere.example"):
        """One try, ended by QUIT. {recipient: last Reply for him, with
        .at_rcpt if it was to RCPT}; who is not in it heard nothing, as the
        connection broke."""
        told = {} if told is None else told
        try:
            with self.server.connect(timeout=70) as c:
                self._dialogue(c, recipients, message,
                               (params, sender), told)
        except (Closed, OSError):
            pass
        return told

    @staticmethod
    def _dialogue(c, recipients, message, envelope, told):
        if c.greeting.code != 220 or c.command("EHLO c.example").code != 250:
            return
        reply = c.command("MAIL FROM:<%s>%s" % (envelope[1], envelope[0]))
        if reply.code != 250:
            told.update({r: reply for r in recipients})
            return
        accepted = []
        for recipient in recipients:
            reply = c.command("RCPT TO:<%s>" % recipient)
            if reply.code == 250:
                accepted.append(recipient)
            else:
                reply.at_rcpt = True
                told[recipient] = reply
        if accepted:
            c.expect("DATA", "354")
            c.send(wire(message))
            reply = c.reply()
            if reply.code == 353:
                told.update(zip(accepted, c.replies(len(accepted))))
                c.reply()
            else:
                told.update({r: reply for r in accepted})
        c.command("QUIT")

    def send(self, recipients, message, params="", deadline=25, first=None):
        """Retry as a mail server does. Each try is checked: who was told
        250 has it, nobody has it twice. Returns the tries."""
        left, tries = list(recipients), []
        end = time.monotonic() + deadline
        while left:
            told = first if first is not None and not tries else \
                self.attempt(left, message, params)
            tries.append(told)
            left = self._take_stock(recipients, left, told, message)
            if left:
                must(time.monotonic() < end, "not delivered to %s: %s",
                     left, tries[-3:])
                time.sleep(0.1)
        return tries

    def _take_stock(self, recipients, left, told, message):
        for recipient, reply in told.items():
            must(reply.code == 250 or 400 <= reply.code < 500,
                 "%s was told %r", recipient, reply)
            if reply.code == 250:
                self.expect(recipient, message)
                counts = self.count([recipient], message)
                must(min(counts) >= 1, "%s was told 250 and boxes have %s",
                     recipient, counts)
        counts = self.count(recipients, message)
        must(max(counts) <= 1, "copies after a try: %s", counts)
        return [r for r in left
                if r not in told or told[r].code != 250]

    def settled(self, recipients, message, params="", told=None):
        """Wait until all whom the server took in the try that was told so
        have it or none (each for himself with PRDR). A directory that is
        killed may be back for the second RCPT: the first one's is no part
        of the transaction."""
        refused = [r for r in recipients
                   if hasattr((told or {}).get(r), "at_rcpt")]
        taken = [r for r in recipients if r not in refused]
        groups = [[r] for r in taken] if "PRDR" in params else [taken]

        def is_settled():
            return not any(self.count(refused, message)) and all(
                len(set(self.count(g, message))) <= 1 for g in groups)
        wait_until(is_settled, 10, lambda: "all or none: %s" % self.count(
            recipients, message), every=0.02)

    # ---- processes ----

    def pids(self, role):
        """Processes by role. The first child of a deliver is the runner of
        programs, its others are workers."""
        if role == "supervisor":
            return [self.server.process.pid]
        if role in ("worker", "runner"):
            found = [children_of(p) for p in self.pids("deliver")]
            return sum([pids[:1] if role == "runner" else pids[1:]
                        for pids in found], [])
        return [p for p in self.server.children(role)
                if parent_of(p) == self.server.process.pid]

    def kill(self, role):
        """kill -9 of all processes of a role; how many there were."""
        pids = self.pids(role)
        self.n_kills += role != "worker"
        if role == "runner":
            self.n_runners += 1
            self.ending = self.pids("deliver")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if role == "supervisor":
            self.server.process.wait()
        return len(pids)

    def revive(self):
        """After the supervisor was killed: start the next one."""
        self.server.process.wait()
        self.server.start(60)

    def rest(self):
        """Before the next case: nothing armed, no long back-off."""
        self.faults.clear()
        wait_until(lambda: not any(map(is_running, self.ending)), 20,
                   "end of deliver without runner")
        if self.server.process is None:
            self.server.start(60)
        elif self.server.process.poll() is not None:
            self.revive()
        elif self.n_kills >= 4:
            self.server.restart()
            self.n_kills = 0
        wait_until(self.serves, 20, "service", every=0.02)

    def serves(self):
        """Whether a message goes through, to both owners."""
        message = new_message("warm-up")
        told = self.attempt(TWO, message)
        for recipient, reply in told.items():
            if reply.code == 250:
                self.expect(recipient, message)
        return [r.code for r in told.values()] == [250, 250]


def parent_of(pid):
    """The parent's pid, or None."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def children_of(pid):
    """Pids of its children, the oldest first."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def id_of(message):
    """A message's Message-ID."""
    return re.search(r"Message-ID: (\S+)", message).group(1)


def run_cases(cases, run, n_labs=6, **options):
    """Run each case on one of some laboratories, many at a time.
    {case: None or the exception}."""
    labs = queue.Queue()
    made = [Lab(**options) for _ in range(min(n_labs, len(cases)))]
    for lab in made:
        labs.put(lab)

    def one(case):
        lab = labs.get()
        try:
            lab.rest()
            run(lab, case)
            lab.check()
            return None
        except Exception as error:      # the test of this case says it
            tail = "\n".join(lab.server.log_text().splitlines()[-25:])
            error.args = ("%s\n%s" % (error, tail),)
            lab.server.close()
            made.remove(lab)
            lab = Lab(**options)
            made.append(lab)
            return error
        finally:
            labs.put(lab)
    try:
        with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
            return dict(zip(cases, pool.map(one, cases)))
    finally:
        for lab in made:
            lab.server.close()


class Background(threading.Thread):
    """One try beside the test; .told fills up while it runs."""

    def __init__(self, lab, recipients, message, params=""):
        super().__init__(daemon=True)
        self.told = {}
        self.arguments = (recipients, message, params, self.told)
        self.lab = lab
        self.start()

    def run(self):
        self.lab.attempt(*self.arguments)

    def end(self, timeout=75):
        """Its replies."""
        self.join(timeout)
        must(not self.is_alive(), "the client still waits")
        return self.told


def scenario():
    """A faulty hour in short: kills, full disks, refusals, a loop of mail
    from nobody to nobody. For a namespace whose packets are counted."""
    lab = Lab()
    lab.rest()
    for role, point in (("smtpd", "smtpd.after-commit"),
                        ("deliver", "deliver.after-prepare"),
                        ("store", "store.before-intent"),
                        ("worker", "worker.commit"),
                        ("directory", "directory.before-answer")):
        lab.faults.set(point, "kill", role=role)
        lab.send(TWO, new_message(), deadline=40)
    lab.faults.set("maildir.write", "errno", 28, after=1)
    lab.send(FOUR, new_message())
    for sender in ("", "x@nowhere.example", "postmaster@example.org"):
        for rcpt in ("alice@elsewhere.example", "nobody@example.org",
                     "alice%elsewhere.example@example.org"):
            reply = lab.server.rcpt(rcpt, sender=sender)
            must(reply.code >= 500, "%s was told %r", rcpt, reply)
        message = new_message(fields="Return-Receipt-To: <%s>\n" % sender)
        lab.expect(ONE[0], message)
        must(lab.attempt(ONE, message, sender=sender)[ONE[0]].code == 250,
             "from <%s>", sender)
    lab.check()
    lab.server.close()


if __name__ == "__main__":
    scenario()


def checked_lab(**options):
    """A Lab for a fixture; what it promised is checked when it ends."""
    lab = Lab(**options)
    lab.rest()
    yield lab
    try:
        lab.check()
    finally:
        lab.server.close()
