# SPDX-License-Identifier: ISC
"""kill -9 of queue at every step, and a disk that fails at every step: what
was committed arrives, what was not is gone, and nothing arrives twice but in
the window that SMTP has: relay has told of a 250 that is not in the envelope.
"""
import errno
import os
import time

import pytest

from queuelab import faulty_lab

QUICK = "queue { retry_first = 1s retry_longest = 1s }"

# where it ends | whether the 250 had been told to queue by then
POINTS = [p.split() for p in """
queue.prepare
queue.create
queue.write_body
queue.write
maildir.fdatasync
queue.after-files
queue.prepared
queue.commit
queue.rename
maildir.fsync_dir
queue.after-flush
queue.committed
queue.read
queue.open_body
queue.send
queue.result sent
queue.results sent
queue.unlink sent
queue.half-removed sent
""".strip().splitlines()]


# of a message without local copies: PREPARE commits it
ALONE = """
queue.write_body queue.write maildir.fdatasync queue.after-files
queue.before-take queue.rename maildir.fsync_dir queue.after-flush queue.taken
""".split()
IS_ALONE = 8


@pytest.fixture(name="lab")
def fixture_lab(tmp_path):
    with faulty_lab(tmp_path, QUICK) as lab:
        yield lab


def try_to_submit(lab, recipients, is_alone=False):
    """Whether it was told that it is committed."""
    try:
        transaction, question = lab.prepare(
            recipients, flags=IS_ALONE if is_alone else 0)
        code, _ = lab.prepared(question)
        return code == 0 and (is_alone or lab.commit(transaction) == 0)
    except (AssertionError, OSError):
        return False


@pytest.mark.parametrize("point, told", [(p[0], p[1:] == ["sent"])
                                         for p in POINTS],
                         ids=[p[0] for p in POINTS])
def test_killed(lab, point, told):
    """At the first time it comes there."""
    lab.start()
    if point == "queue.read":   # it reads at a start only
        lab.asked["relay"].is_silent = True
        assert try_to_submit(lab, ["bob@example.net"])
        lab.kill()
        lab.faults.set(point, "kill", role="queue")
        with pytest.raises(AssertionError):
            lab.start()
        yes = True
    else:
        lab.faults.set(point, "kill", role="queue")
        yes = try_to_submit(lab, ["bob@example.net"])
    lab.ended()
    if told:    # the relay of this test counts when it has told
        lab.wait(lambda: lab.arrived["bob@example.net"])
    assert lab.arrived["bob@example.net"] == (1 if told else 0)
    lab.faults.clear()
    lab.start()
    lab.wait(lab.is_empty)
    now = lab.arrived["bob@example.net"]
    if yes:
        assert now >= 1, "lost"
    if point == "queue.half-removed":
        assert now == 1, "its envelope was gone"
    else:
        assert now <= 1 + told, "twice"
    # nothing hangs: another one goes through
    assert try_to_submit(lab, ["eve@example.net"])
    lab.wait(lab.is_empty)
    assert lab.arrived["eve@example.net"] == 1
    assert lab.mailboxes == {}


@pytest.mark.parametrize("point", ALONE)
def test_killed_alone(lab, point):
    """All of it or nothing, and what was told is kept."""
    lab.start()
    lab.faults.set(point, "kill", role="queue")
    yes = try_to_submit(lab, ["bob@example.net"], True)
    lab.ended()
    assert not yes and lab.arrived["bob@example.net"] == 0
    lab.faults.clear()
    lab.start()
    lab.wait(lab.is_empty)
    after = point in ("maildir.fsync_dir", "queue.after-flush", "queue.taken")
    assert lab.arrived["bob@example.net"] == after
    assert try_to_submit(lab, ["eve@example.net"], True)
    lab.wait(lab.is_empty)
    assert lab.arrived["eve@example.net"] == 1


@pytest.mark.parametrize("point", [
    "queue.result", "queue.results", "queue.create", "queue.write",
    "maildir.fdatasync", "queue.before-replace", "queue.rename",
    "queue.reported", "queue.report_commit", "queue.half-removed"])
def test_killed_with_a_report_owed(lab, point):
    """A 5yz is told at least once, whenever it ends; sent to once more only
    if its result was not in the envelope yet."""
    def arm(job):
        if not lab.faults_set:
            lab.faults_set = True
            lab.faults.set(point, "kill", role="queue")
    lab.faults_set = False
    lab.began = arm
    lab.results = lambda job: {"all": (550, "no")}
    lab.start()
    assert try_to_submit(lab, ["bob@example.net"])
    lab.ended()
    lab.faults.clear()
    before = len(lab.mailboxes["alice"])
    n_jobs = len(lab.jobs)
    lab.start()
    lab.wait(lab.is_empty)
    total = len(lab.mailboxes["alice"])
    assert total == 1 or (point == "queue.reported" and total == 2), total
    assert before <= 1
    if point in ("queue.report_commit", "queue.reported",
                 "queue.half-removed"):
        assert len(lab.jobs) == n_jobs, "its failure was on disk"


@pytest.mark.parametrize("point", [
    "queue.create", "queue.write_body", "queue.write", "maildir.fdatasync",
    "queue.rename", "maildir.fsync_dir"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("flags", [0, IS_ALONE], ids=["", "alone"])
def test_disk_refuses_at_submission(lab, point, error, flags):
    """452 or 451, nothing is left, and the next one goes."""
    lab.start()
    lab.faults.set(point, "errno", error, role="queue")
    transaction, question = lab.prepare(["bob@example.net"], flags=flags)
    code, _ = lab.prepared(question)
    if not flags and point in ("queue.rename", "maildir.fsync_dir"):
        assert code == 0
        code = lab.commit(transaction)
    assert code == (452 if error == errno.ENOSPC else 451)
    lab.wait(lab.is_empty)
    assert lab.arrived == {}
    lab.faults.clear()
    assert try_to_submit(lab, ["bob@example.net"])
    lab.wait(lab.is_empty)
    assert lab.arrived == {"bob@example.net": 1}


@pytest.mark.parametrize("point", ["queue.create", "queue.write",
                                   "maildir.fdatasync", "queue.rename"])
def test_disk_refuses_a_result(lab, point):
    """It rests until it can be written: who has it is not sent to again."""
    lab.results = lambda job: {0: (250, "ok"), 1: (450, "later")}
    lab.began = lambda job: lab.faults.set(point, "errno", errno.ENOSPC,
                                           role="queue", count=0)
    lab.start()
    assert try_to_submit(lab, ["a@example.net", "b@example.net"])
    lab.wait(lambda: lab.queue.events("not_saved"))
    lab.began = lambda job: None
    lab.results = lambda job: {"all": (250, "ok")}
    n = len(lab.jobs)
    time.sleep(2.5)
    assert len(lab.jobs) == n, "it must rest"
    lab.faults.clear()
    lab.wait(lab.is_empty, 30)
    assert lab.arrived == {"a@example.net": 1, "b@example.net": 1}


def test_folder_is_read_in_part(lab):
    """A start that cannot see all envelopes ends there: bodies without one
    are removed."""
    lab.results = lambda job: {"all": (450, "later"), "delay": 30}
    lab.start()
    for i in range(3):
        assert try_to_submit(lab, ["b%d@example.net" % i])
    lab.kill()
    # "." and "..", then one of them
    lab.faults.set("queue.readdir", "errno", errno.EIO, after=3)
    with pytest.raises(AssertionError, match="spool: Input/output error"):
        lab.start()
    lab.ended()
    assert len(lab.files()["bodies"]) == 3
    lab.results = lambda job: {"all": (250, "ok")}
    lab.start()
    lab.command("flush")
    lab.wait(lab.is_empty)
    assert sum(lab.arrived.values()) == 3


@pytest.mark.parametrize("point", ["queue.read", "queue.stat_body"])
@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_shortage_is_no_damage(lab, point, error):
    """What cannot be read now is left where it is, and the start ends."""
    lab.start()
    lab.asked["relay"].is_silent = True
    for i in range(3):
        assert try_to_submit(lab, ["b%d@example.net" % i])
    lab.kill()
    before = lab.files()
    assert len(before["active"]) == 3
    lab.faults.set(point, "errno", error, role="queue", after=1)
    with pytest.raises(AssertionError, match="spool: " + os.strerror(error)):
        lab.start()
    lab.ended()
    assert lab.files() == before
    lab.start()
    lab.wait(lab.is_empty)
    assert sum(lab.arrived.values()) == 3
    assert not lab.files()["damaged"]


@pytest.mark.parametrize("point", ["queue.read", "queue.stat_body"])
@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
def test_unreadable_file_is_for_another_start(lab, point, error):
    """It stops nobody else's mail, and the message keeps its body."""
    lab.start()
    lab.asked["relay"].is_silent = True
    for i in range(3):
        assert try_to_submit(lab, ["b%d@example.net" % i])
    lab.kill()
    lab.faults.set(point, "errno", error, role="queue", after=1)
    lab.start()
    lab.wait(lambda: len(lab.files()["bodies"]) == 1)   # the others have left
    left = lab.files()
    assert len(left["active"]) == 1 and not left["damaged"]
    assert sum(lab.arrived.values()) == 2
    lab.kill()
    lab.start()
    lab.wait(lab.is_empty)
    assert sorted(lab.arrived.values()) == [1, 1, 1]
