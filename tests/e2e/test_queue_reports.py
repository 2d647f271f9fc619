# SPDX-License-Identifier: ISC
"""queue by itself: a report that deliver cannot write, that postmaster does
not take either, or beside which more comes to be told of."""
import datetime
import email
import email.policy
import email.utils
import hashlib
import os
import re
import struct
import time

import pytest

from queuelab import PEERS, QueueLab, verdict

QUICK = "queue { retry_first = 1s retry_longest = 1s }"


@pytest.fixture(name="lab")
def fixture_lab():
    with QueueLab(QUICK) as lab:
        yield lab


def recipients_of(text):
    """Whom this DSN tells of."""
    report = email.message_from_bytes(text, policy=email.policy.default)
    part = list(report.iter_parts())[1]
    return [str(b["Final-Recipient"]).split(" ")[1]
            for b in list(part.iter_parts())[1:]]


@pytest.mark.parametrize("step", ["PREPARE_ASK", "COMMIT_ASK"])
@pytest.mark.parametrize("code", [452, 552])
def test_deliver_cannot_write_it(lab, step, code):
    """It is not told of by that: later, or to postmaster; and deliver may
    forget what it has prepared."""
    lab.failures[step] = verdict(code, "no room", 2, 2)
    lab.results = lambda job: {"all": (550, "no")}
    lab.submit(["bob@example.net"])
    if code == 452:
        lab.wait(lambda: lab.queue.events("report_deferred"))
        assert not any(lab.mailboxes.values())
    lab.wait(lambda: lab.mailboxes["alice" if code == 452 else ""])
    lab.wait(lab.is_empty)
    assert sum(map(len, lab.mailboxes.values())) == 1
    assert len(lab.released) == 1
    assert lab.asked_mailboxes[0] == "alice"


def test_postmaster_does_not_take_it_either(lab):
    """It waits like one that is refused for a while."""
    lab.refusals["alice"] = lab.refusals[""] = (550, "closed")
    lab.results = lambda job: {"all": (550, "no")}
    lab.submit(["bob@example.net"])
    lab.wait(lambda: len(lab.queue.events("report_deferred")) == 2)
    # each time both are asked once
    assert len(lab.asked_mailboxes) <= 6
    lab.refusals.clear()
    lab.wait(lambda: lab.mailboxes["alice"])
    lab.wait(lab.is_empty)
    assert len(lab.mailboxes["alice"]) == 1


def test_waits_between_its_tries():
    """A mailbox that is full is not asked again at once."""
    with QueueLab("queue { retry_first = 1h }") as lab:
        lab.refusals["alice"] = (452, "full")
        lab.results = lambda job: {"all": (550, "no")}
        lab.submit(["bob@example.net"])
        lab.wait(lambda: lab.queue.events("report_deferred"))
        time.sleep(0.5)
        assert lab.asked_mailboxes == ["alice"]


def submitted_earlier(lab, queue_id, seconds):
    """As if it had come so much earlier; its tag is not there any more."""
    path = os.path.join(lab.spool, "failed", queue_id)
    with open(path, encoding="ascii") as f:
        text = re.sub("(?m)^tag .*\n", "", f.read())
    came = email.utils.parsedate_to_datetime(
        re.search("(?m)^time (.*)$", text).group(1))
    text = re.sub("(?m)^time .*$", "time " + email.utils.format_datetime(
        came - datetime.timedelta(seconds=seconds)), text)
    text = text[:text.index("end ")]
    with open(path, "w", encoding="ascii") as f:
        f.write("%send %s\n" % (text, hashlib.sha256(
            text.encode()).hexdigest()))


def test_what_nobody_takes_ends_some_day():
    """After twice the time that mail is tried, and a day: with an alarm, and
    not before; also where its text was not even written."""
    with QueueLab("queue { retry_first = 1s retry_longest = 1s "
                  "give_up = 1d }") as lab:
        lab.refusals["alice"] = (452, "full")
        lab.results = lambda job: {"all": (550, "no")}
        queue_id = lab.submit(["bob@example.net"])
        lab.wait(lambda: lab.queue.events("report_deferred"))
        peers = [p for p in PEERS if p != "vault"]
        lab.kill()
        submitted_earlier(lab, queue_id, 3 * 86400 - 60)
        n = len(lab.queue.events("report_deferred"))
        lab.start(peers)
        lab.wait(lambda: len(lab.queue.events("report_deferred")) > n)
        lab.kill()
        assert not lab.queue.events("alarm")
        submitted_earlier(lab, queue_id, 61)
        lab.start(peers)
        lab.wait(lab.is_empty)
        assert [e["queue"] for e in lab.queue.events("alarm")] == [queue_id]
        assert not any(lab.mailboxes.values())


def test_what_fails_while_it_is_under_way_is_told_of_too(lab):
    """Its text was written before: the next one has it."""
    lab.asked["deliver"].delay_s = 3
    lab.results = lambda job: {"all": (550, "no")} if job.domain == \
        "a.example" or lab.asked_mailboxes else {"all": (450, "later")}
    lab.submit(["x@a.example", "y@b.example"])
    lab.wait(lambda: len(lab.mailboxes["alice"]) == 2)
    assert [recipients_of(t) for t in lab.mailboxes["alice"]] == [
        ["x@a.example"], ["y@b.example"]]
    lab.wait(lab.is_empty)
    assert lab.queue.process.poll() is None


def test_each_report_tells_of_its_own(lab):
    """Who has it is not in the one of those who have not."""
    lab.results = lambda job: {0: (250, "ok"), 1: (550, "no")}
    lab.submit(["x@example.net", "y@example.net"], notify=6)
    lab.wait(lambda: len(lab.mailboxes["alice"]) == 2)
    assert [recipients_of(t) for t in lab.mailboxes["alice"]] == [
        ["y@example.net"], ["x@example.net"]]
    lab.wait(lab.is_empty)


def test_held_is_not_given_up():
    """Whoever holds it has it until he gives it back."""
    with QueueLab("queue { retry_first = 1s retry_longest = 1s "
                  "give_up = 4s delay_notice = 0s }") as lab:
        lab.results = lambda job: {"all": (450, "later")}
        queue_id = lab.submit(["bob@example.net"])
        assert lab.command("hold", queue_id)[0]
        time.sleep(5.5)
        assert queue_id + "!" in lab.command("list")[1]
        assert not any(lab.mailboxes.values())
        assert lab.command("release", queue_id)[0]
        lab.wait(lambda: lab.mailboxes["alice"])
        lab.wait(lab.is_empty)


def test_no_report_without_its_tag():
    """It goes to the address as BATV has signed it: whoever signs goes away
    while he is asked, and the report waits for the next one."""
    with QueueLab("queue { retry_first = 1s retry_longest = 1s }") as lab:
        lab.refusals["alice"] = (452, "full")
        lab.results = lambda job: {"all": (550, "no")}
        queue_id = lab.submit(["bob@example.net"])
        lab.wait(lambda: lab.queue.events("report_deferred"))
        lab.kill()
        submitted_earlier(lab, queue_id, 0)
        lab.refusals.clear()
        n = len(lab.queue.events("report_deferred"))
        lab.start([p for p in PEERS if p != "vault"])
        vault = lab.attach("vault", is_silent=True)
        lab.wait(lambda: vault.n_asked > 0)
        vault.channel.end()
        lab.wait(lambda: any("did not answer" in e["why"] for e in
                             lab.queue.events("report_deferred")[n:]))
        assert not lab.mailboxes["alice"]
        lab.attach("vault")
        lab.wait(lambda: lab.mailboxes["alice"])
        assert b"prvs=0123abcdef=alice@example.org" in \
            lab.mailboxes["alice"][0]
        lab.wait(lab.is_empty)
