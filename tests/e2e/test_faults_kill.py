# SPDX-License-Identifier: ISC
"""kill -9 of every compartment at every step of a transaction: who was told
250 has it, and after a client's retries everybody has it exactly once.

The cases run on several servers at a time, before the first of their tests;
each test then says how its case went."""
import contextlib
import errno
import os
import threading
import time

import pytest

from client import new_message
from faults import ONE, TEAM, TWO, Background, id_of, must, run_cases
from postern import Mail, wait_until

KINDS = {"one": (ONE, ""), "two-uids": (TWO, ""), "alias": (TEAM, ""),
         "prdr": (("bob@example.org", "bob@second.example"), " PRDR")}
# One copy whose clearance is late: PREPARE after all, and then COMMIT.
LATE = [p.split() for p in """
store store.before-begin
store store.after-begin
store store.before-look
smtpd smtpd.after-look
smtpd smtpd.before-commit
smtpd smtpd.after-commit
deliver deliver.before-deliver
deliver deliver.before-commit
deliver deliver.after-commit *
worker worker.deliver
worker worker.after-deliver
worker worker.commit *
worker maildir.rename *
worker maildir.fsync_dir *
worker worker.after-commit *
""".strip().splitlines()]

# role, point: the process that comes there ends. Those with a star are
# inside of COMMIT, where some may have it before the retry (P2).
POINTS = [p.split() for p in """
smtpd smtpd.before-route
smtpd smtpd.after-route
smtpd smtpd.after-probe
smtpd smtpd.end-of-data
smtpd smtpd.after-records
smtpd smtpd.before-prepare
smtpd smtpd.after-prepare
smtpd smtpd.after-intent
smtpd smtpd.before-commit
smtpd smtpd.after-commit
smtpd smtpd.before-reply
directory directory.before-route
directory directory.before-answer
deliver deliver.before-probe
deliver deliver.after-probe
deliver deliver.before-prepare
deliver deliver.after-prepare
deliver deliver.before-commit
deliver deliver.after-commit *
worker worker.start
worker worker.probe
worker worker.after-probe
worker worker.prepare
worker maildir.create
worker maildir.write
worker maildir.fdatasync
worker maildir.close
worker worker.after-prepare
worker worker.commit *
worker maildir.rename *
worker maildir.fsync_dir *
worker worker.after-commit *
store store.before-begin
store store.after-begin
store store.before-intent
store store.before-ok
store store.before-done
store store.before-confirm
""".strip().splitlines()]

# A single copy goes the short way: these instead of PREPARE and COMMIT.
SHORT = [p.split() for p in """
smtpd smtpd.before-deliver
deliver deliver.before-deliver
worker worker.deliver
worker worker.rename
worker worker.after-deliver *
""".strip().splitlines()]
LONG_ONLY = ("after-records",
             "before-prepare", "after-prepare", "prepare", "after-intent",
             "before-intent", "before-ok", "before-commit", "commit",
             "after-commit")


def has_point(kind, role, point):
    """Whether a transaction of that kind comes there."""
    step = point.split(".")[1]
    return kind != "one" or step not in LONG_ONLY or \
        (step == "after-commit" and role != "worker")


KILLS = [(kind, *point) for kind in KINDS for point in POINTS
         if has_point(kind, *point[:2])] + \
        [("one", *point) for point in SHORT] + \
        [("late", *point) for point in LATE]
# not every transaction comes there: no reply to a probe that is remembered
SELDOM = {"worker.start", "worker.probe", "worker.after-probe"}

# Others die while one process stands still at a step.
STEPS = [s.split() for s in """
smtpd.after-route
smtpd.after-probe
smtpd.end-of-data
store.before-begin
deliver.before-prepare
worker.prepare
maildir.fdatasync
store.before-intent
smtpd.before-commit
deliver.before-commit *
worker.commit *
maildir.fsync_dir *
worker.after-commit *
deliver.after-commit *
store.before-done
smtpd.before-reply
""".strip().splitlines()]
VICTIMS = ("smtpd", "directory", "deliver", "worker", "runner", "store",
           "control", "supervisor")
OTHERS = [(victim, *step) for victim in VICTIMS for step in STEPS]


def case_id(case):
    return "-".join(case[:3]).replace("-*", "")


def selected(request, name):
    """The cases of this run's tests of that name."""
    return [item.callspec.params["case"] for item in request.session.items
            if getattr(item, "originalname", "") == name]


# ---- at a named point ----

def let_pass(lab, point):
    """DONE and CONFIRM of the message before are told after its reply: they
    must not be what the fault point meets."""
    if point.startswith("store."):
        lab.server.wait_confirmed()
    # for five seconds a mailbox that was found well is not asked about
    if point in ("deliver.before-probe", "deliver.after-probe"):
        time.sleep(5.2)


def run_kill(lab, case):
    kind, role, point = case[:3]
    let_pass(lab, "store." if kind == "late" else point)
    recipients, params = KINDS["one" if kind == "late" else kind]
    message = new_message()
    if point == "worker.start":
        lab.kill("worker")
    if kind == "late":      # longer than a worker waits
        lab.faults.set("store.before-begin", "sleep", 40)
    slot = lab.faults.set(point, "kill", role=role)
    lab.n_kills += role != "worker"
    first = lab.attempt(recipients, message, params)
    if point not in SELDOM:
        wait_until(lambda: lab.faults.hits(slot) == 1, 5, point, every=0.01)
    lab.faults.clear()
    if case[-1] != "*":
        lab.settled(recipients, message, params, first)
    lab.send(recipients, message, params, first=first)


@pytest.fixture(scope="module")
def kill_results(request):
    return run_cases(selected(request, "test_kill_at_a_point"), run_kill)


@pytest.mark.parametrize("case", KILLS, ids=case_id)
def test_kill_at_a_point(kill_results, case):
    if kill_results[case] is not None:
        raise kill_results[case]


# ---- of the others, while one stands still ----

def run_other(lab, case):
    victim, point = case[:2]
    let_pass(lab, point)
    message = new_message(size=3000)
    slot = lab.faults.set(point, "sleep", 300)
    client = Background(lab, TWO, message)
    wait_until(lambda: lab.faults.hits(slot) > 0, 10, point, every=0.01)
    n = lab.kill(victim)
    must(n > 0 or victim == "worker", "there is no %s", victim)
    first = client.end()
    if victim in ("control", "directory", "supervisor") and \
            point not in ("smtpd.after-route",):
        must(len(first) == 2 and all(r.code == 250 for r in first.values()),
             "%s is not needed then: %s", victim, first)
    lab.rest()
    if case[-1] != "*":
        lab.settled(TWO, message, told=first)
    lab.send(TWO, message, first=first)


@pytest.fixture(scope="module")
def other_results(request):
    return run_cases(selected(request, "test_kill_meanwhile"), run_other)


@pytest.mark.parametrize("case", OTHERS, ids=case_id)
def test_kill_meanwhile(other_results, case):
    if other_results[case] is not None:
        raise other_results[case]


# ---- a reader takes a copy while nobody knows what became of it ----

class Reader(threading.Thread):
    """Takes whatever comes into a mailbox, as a POP3 server does."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.new = os.path.join(box, "new")
        self.taken = []
        self.has_ended = False
        self.start()

    def run(self):
        while not self.has_ended:
            for name in os.listdir(self.new):
                mine = os.path.join(self.new, "../cur", name)
                # a COMMIT that fails may be quicker, and take it back
                with contextlib.suppress(FileNotFoundError):
                    os.rename(os.path.join(self.new, name), mine)
                    self.taken.append(Mail(mine).get("Message-ID"))
                    os.unlink(mine)
            time.sleep(0.001)

    def end(self):
        wait_until(lambda: not os.listdir(self.new), 5, "an empty new/")
        self.has_ended = True
        self.join(10)
        return self.taken


def run_reader(lab, case):
    message = new_message()
    lab.send(ONE, new_message())        # so that there is a mailbox
    lab.server.wait_confirmed()
    reader = Reader(lab.boxes(ONE[0])[0])
    if case[-1] == "late":
        lab.faults.set("store.before-begin", "sleep", 40)
    slot = lab.faults.set(case[1], "kill", role=case[0])
    lab.n_kills += case[0] != "worker"
    lab.attempt(ONE, message)
    wait_until(lambda: lab.faults.hits(slot) == 1, 5, case[1], every=0.01)
    lab.faults.clear()
    code = None
    for _ in range(60):
        told = lab.attempt(ONE, message)
        code = told[ONE[0]].code if told else None
        if code == 250:
            break
        time.sleep(0.5)
    must(code == 250, "never 250: %s", code)
    taken = reader.end().count(id_of(message))
    box = lab.boxes(ONE[0])[0]
    lab.expected[box] = set(lab.ids(box))       # the reader has the others
    must(taken == 1, "a reader found it %d times", taken)


READERS = [("worker", "worker.deliver"), ("worker", "maildir.write"),
           ("worker", "worker.rename"), ("worker", "maildir.fsync_dir"),
           ("worker", "worker.after-deliver"),
           ("deliver", "deliver.before-deliver"),
           ("deliver", "deliver.after-commit"),
           ("smtpd", "smtpd.before-deliver"), ("smtpd", "smtpd.after-commit"),
           *((*point, "late") for point in (
               ("worker", "worker.commit"), ("worker", "maildir.rename"),
               ("worker", "maildir.fsync_dir"),
               ("worker", "worker.after-commit"),
               ("deliver", "deliver.after-commit"),
               ("smtpd", "smtpd.after-look"),
               ("smtpd", "smtpd.after-commit")))]


@pytest.fixture(scope="module")
def reader_results(request):
    return run_cases(selected(request, "test_kill_and_a_reader_takes_it"),
                     run_reader)


@pytest.mark.parametrize("case", READERS, ids=case_id)
def test_kill_and_a_reader_takes_it(reader_results, case):
    """In no folder any more is not the same as never delivered."""
    if reader_results[case] is not None:
        raise reader_results[case]


# ---- while store asks what became of a copy ----

RESOLVE_POINTS = [p.split() for p in """
deliver deliver.before-resolve
worker worker.resolve
worker maildir.void
worker worker.after-resolve
store store.before-resolved
store store.before-commit
store store.after-commit
- -
""".strip().splitlines()]
RESOLVES = [(at, *point) for at in ("smtpd.before-commit",
                                    "smtpd.after-commit")
            for point in RESOLVE_POINTS
            # nothing is void after COMMIT, nothing stored before it
            if not (at == "smtpd.after-commit" and point[1] == "maildir.void"
                    or at == "smtpd.before-commit" and
                    point[1] in ("store.before-commit",
                                 "store.after-commit"))]


def run_resolve(lab, case):
    at, role, point = case
    let_pass(lab, point)
    message = new_message()
    if role == "-":     # nobody is killed, but the disk fails for a while
        slot = lab.faults.set("maildir.void", "errno", errno.EIO, count=2)
        slot = slot if at == "smtpd.before-commit" else None
    else:
        slot = lab.faults.set(point, "kill", role=role)
    lab.faults.set(at, "kill", role="smtpd")
    lab.n_kills += 4
    must(lab.attempt(TWO, message) == {}, "smtpd was to die")
    if slot is not None:
        wait_until(lambda: lab.faults.hits(slot) > 0, 20, point)
    lab.send(TWO, message, deadline=40)


@pytest.fixture(scope="module")
def resolve_results(request):
    return run_cases(selected(request, "test_kill_while_resolving"),
                     run_resolve)


@pytest.mark.parametrize("case", RESOLVES, ids=case_id)
def test_kill_while_resolving(resolve_results, case):
    """Before COMMIT the copy is void, after it delivered; and however often
    it is asked, the answer is the same."""
    if resolve_results[case] is not None:
        raise resolve_results[case]
