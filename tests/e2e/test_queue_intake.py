# SPDX-License-Identifier: ISC
"""queue by itself: a transaction that is taken back while the disk has it, of
which one message cannot be written, or that does not keep to the rules; and
what a relay says that does not keep to them."""
import contextlib
import errno
import hashlib
import os
import signal
import struct
import time

import pytest

from compartment import ASK
from queuelab import (AT_RCPT, QueueLab, faulty_lab, sealed, slice_of,
                      verdict)

QUICK = "queue { retry_first = 1s retry_longest = 1s }"
SLOW = "queue { retry_first = 1h }"


@pytest.fixture(name="lab")
def fixture_lab():
    with QueueLab(QUICK) as lab:
        yield lab


@contextlib.contextmanager
def at_once(lab):
    """What is sent meanwhile lies there together, and no work from before is
    due, which would be done between what came and who has gone."""
    lab.status()
    lab.status()
    os.kill(lab.queue.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(lab.queue.process.pid, signal.SIGCONT)


def another_goes(lab):
    """And nothing else has gone, or is left."""
    lab.smtpd = lab.queue.peer("smtpd", 1, 1)
    lab.submit(["eve@example.net"])
    lab.wait(lambda: lab.arrived["eve@example.net"])
    lab.wait(lab.is_empty)
    assert lab.arrived == {"eve@example.net": 1}
    assert lab.queue.process.poll() is None


@pytest.mark.parametrize("how", ["abort", "end"])
@pytest.mark.parametrize("flags", [0, 8], ids=["", "alone"])
def test_taken_back_while_it_is_prepared(lab, how, flags):
    """Nobody was told that it is there: it is not, whoever has it."""
    with at_once(lab):
        transaction, _ = lab.prepare(["bob@example.net"], flags=flags, lists=[
            lab.members(["m1@far.example"])])
        if how == "abort":
            lab.smtpd.send(ASK["QUEUE_ABORT"], struct.pack("!Q", transaction))
        else:
            lab.smtpd.socket.shutdown(2)
    another_goes(lab)


@pytest.mark.parametrize("how", ["abort", "end"])
def test_taken_back_while_it_is_committed(lab, how):
    """The client was not told 250, and comes again."""
    transaction, question = lab.prepare(["bob@example.net"], lists=[
        lab.members(["m1@far.example"])])
    assert lab.prepared(question)[0] == 0
    with at_once(lab):
        lab.smtpd.ask(ASK["QUEUE_COMMIT"], struct.pack("!Q", transaction))
        if how == "abort":
            lab.smtpd.send(ASK["QUEUE_ABORT"], struct.pack("!Q", transaction))
        else:
            lab.smtpd.socket.shutdown(2)
    another_goes(lab)


def test_committed_twice(lab):
    """No smtpd does that."""
    transaction, question = lab.prepare(["bob@example.net"])
    assert lab.prepared(question)[0] == 0
    with at_once(lab):
        for _ in range(2):
            lab.smtpd.ask(ASK["QUEUE_COMMIT"],
                          struct.pack("!Q", transaction))
    lab.queue.wait_event("suspected_break_in")
    another_goes(lab)


@pytest.mark.parametrize("reverse_path", [
    "nobody", "a@example.org> <v@example.com", "a@b\r\nRCPT TO:<x@y"])
def test_reverse_path_is_an_address(lab, reverse_path):
    """It is written into commands that others read."""
    with contextlib.suppress(ConnectionError):
        lab.prepare(["bob@example.net"], reverse_path=reverse_path)
        assert lab.smtpd.receive(5) is None
    lab.queue.wait_event("suspected_break_in")
    another_goes(lab)


def test_no_message_is_larger_than_all_of_them():
    """A memfd may be of terabytes that nobody has written. The limit follows
    a reload."""
    huge = b"Subject: x\n\n" + b"x\n" * (33 << 20)
    with QueueLab("memory_messages = 1M\n" + QUICK) as lab:
        with contextlib.suppress(ConnectionError):
            lab.prepare(["bob@example.net"], message=huge)
            assert lab.smtpd.receive(5) is None
        lab.queue.wait_event("suspected_break_in")
        another_goes(lab)
        text = lab.queue.text.replace("= 1M", "= 34M").encode()
        memfd = sealed(text)
        lab.queue.supervisor.send(ASK["SETUP_CONFIG"],
                                  struct.pack("!Q", len(text)), memfd)
        os.close(memfd)
        lab.status()
        lab.status()
        lab.submit(["bob@example.net"], message=huge)
        lab.wait(lambda: lab.arrived["bob@example.net"])


@pytest.fixture(name="faulty")
def fixture_faulty(tmp_path):
    with faulty_lab(tmp_path, QUICK) as lab:
        yield lab.start()


@pytest.mark.parametrize("nth", range(3))
@pytest.mark.parametrize("point", [
    "queue.write_body", "queue.write", "maildir.fdatasync", "queue.rename"])
def test_one_of_several_cannot_be_written(faulty, point, nth):
    """All or none: with lists a transaction is several messages."""
    lab = faulty
    lab.faults.set(point, "errno", errno.EIO, role="queue", after=nth)
    transaction, question = lab.prepare(["bob@example.net"], lists=[
        lab.members(["m1@far.example"]),
        lab.members(["m2@far.example"], owner="owner-b@example.org")])
    code, _ = lab.prepared(question)
    if code == 0:
        code = lab.commit(transaction)
    assert code == 451
    lab.faults.clear()
    another_goes(lab)


def test_ids_go_on_behind_what_is_there():
    """A clock that was set back brings no id twice."""
    with QueueLab(SLOW) as lab:
        lab.asked["relay"].is_silent = True
        old = lab.submit(["bob@example.net"])
        text = lab.envelope(old)
        lab.kill()
        new = "1" + old[1:] if old[0] == "0" else chr(ord(old[0]) + 1) + \
            old[1:]
        assert text.count(old) >= 1
        text = text[:text.index("end ")].replace(old, new)
        text += "end " + hashlib.sha256(text.encode()).hexdigest() + "\n"
        os.rename(lab.spool + "/bodies/" + old, lab.spool + "/bodies/" + new)
        path = lab.spool + "/active/"
        os.rename(path + old, path + new)
        with open(path + new, "w", encoding="utf-8") as f:
            f.write(text)
        lab.start([p for p in lab.asked if p != "relay"])
        assert new in lab.command("list")[1]
        assert lab.submit(["eve@example.net"]) > new


# ---- relay ----

def test_relay_that_does_not_say_what_became_of_it():
    """It may have been sent: not again at once."""
    with QueueLab(SLOW) as lab:
        lab.results = lambda job: None
        queue_id = lab.submit(["bob@example.net"])
        lab.wait(lambda: lab.jobs)
        lab.asked["relay"].channel.socket.shutdown(2)
        lab.attach("relay")
        lab.wait(lambda: " tries 1\n" in lab.envelope(queue_id))
        lab.submit(["eve@example.com"])
        lab.wait(lambda: len(lab.jobs) == 2)
        time.sleep(0.5)
        assert [j.domain for j in lab.jobs] == ["example.net", "example.com"]


@pytest.mark.parametrize("index", [0, 1])
def test_relay_says_twice_what_became_of_it(lab, index):
    """Or of somebody whom it was not given: what it said first counts."""
    def results(job):
        for i in (0, index):
            lab.asked["relay"].channel.send(ASK["RELAY_RESULT"], struct.pack(
                "!IHB", job.number, i, AT_RCPT) + verdict(
                    450 if i == 0 and len(said) == 0 else 550, "said", 1, 1) +
                slice_of("mx") + b"\0")
            said.append(i)
    said = []
    lab.results = results
    queue_id = lab.submit(["bob@example.net"])
    lab.queue.wait_event("suspected_break_in")
    lab.wait(lambda: " tries " in lab.envelope(queue_id))
    assert " state waiting\n" in lab.envelope(queue_id)
    lab.results = lambda job: {"all": (250, "ok")}
    lab.attach("relay")
    lab.wait(lab.is_empty)
    assert not any(lab.mailboxes.values())


def test_not_in_this_transaction():
    """452 4.5.3: the next one at once, if this one was good for anybody."""
    with QueueLab(SLOW) as lab:
        def results(job):
            return {0: (250, "ok"), "all": (452, "too many")} \
                if len(lab.jobs) < 3 else {"all": (452, "too many")}
        lab.results = results
        lab.submit(["u%d@example.net" % i for i in range(4)])
        lab.wait(lambda: len(lab.jobs) == 3)
        time.sleep(0.5)
        assert [len(j.recipients) for j in lab.jobs] == [4, 3, 2]
