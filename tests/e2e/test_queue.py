# SPDX-License-Identifier: ISC
"""queue by itself: in, out, tried again, failed, reported, held."""
import collections
import contextlib
import email
import email.policy
import hashlib
import os
import re
import struct
import time

import pytest

from compartment import ASK
from postern import wait_until
from queuelab import MESSAGE, QueueLab, slice_of

QUICK = 'queue { retry_first = 1s retry_longest = 2s }'


@pytest.fixture(name="lab")
def fixture_lab():
    with QueueLab(QUICK) as lab:
        yield lab


def cpu_seconds(lab):
    """That queue has taken until now."""
    with open("/proc/%d/stat" % lab.queue.process.pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_message_goes_out(lab):
    """Prepared, committed, noted in the ledger, tagged, sent, gone."""
    queue_id = lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.arrived["bob@example.net"] == 1)
    job, = lab.jobs
    assert job.domain == "example.net"
    assert job.body == MESSAGE
    assert job.reverse_path == "prvs=0123abcdef=alice@example.org"
    assert lab.ledger == [("m1@example.org", "bob@example.net")]
    assert lab.ledger_ids == [queue_id]
    lab.wait(lab.is_empty)
    assert lab.mailboxes == {}
    lab.wait(lambda: lab.queue.events("sent"))
    assert lab.queue.events("sent")[0]["queue"] == queue_id


def test_deferred_is_tried_again(lab):
    """4yz: the same recipient later, nobody else twice."""
    tries = []

    def results(job):
        tries.append([r[0] for r in job.recipients])
        if len(tries) == 1:
            return {0: (250, "ok"), 1: (450, "busy"), "delay": 3}
        return {"all": (250, "ok")}
    lab.results = results
    queue_id = lab.submit(["a@example.net", "b@example.net"])
    lab.wait(lambda: "tries 1" in lab.envelope(queue_id))
    text = lab.envelope(queue_id)
    assert " state sent\n" in text and " state waiting\n" in text
    assert "; 450 4.1.1 busy\n" in text
    listing = lab.command("list")[1]
    assert "(busy)\n" + " " * 41 + "b@example.net\n" in listing
    assert "a@example.net" not in listing
    lab.wait(lab.is_empty)
    assert tries == [["a@example.net", "b@example.net"], ["b@example.net"]]
    assert lab.arrived == {"a@example.net": 1, "b@example.net": 1}
    # noted once, before the first try
    assert len(lab.ledger) == 2


def report_of(lab, user="alice"):
    """The one DSN in this mailbox, parsed."""
    lab.wait(lambda: lab.mailboxes[user])
    text, = lab.mailboxes[user]
    return email.message_from_bytes(text, policy=email.policy.default)


def fields_of(report):
    """Its message/delivery-status: a list of blocks."""
    part = list(report.iter_parts())[1]
    return list(part.iter_parts()) if part.is_multipart() else \
        part.get_payload()


def test_refused_comes_home(lab):
    """5yz: one DSN for all of them, in the account's mailbox, and gone."""
    lab.results = lambda job: {
        0: (550, "no such user here"), "all": (550, "go away")}
    queue_id = lab.submit(["bob@example.net", "eve@example.net"],
                          envid="QQ+2B1", orcpt="rfc822;bo+2Bb@example.net")
    report = report_of(lab)
    assert report["To"] == "prvs=0123abcdef=alice@example.org"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["In-Reply-To"] == "<m1@example.org>"
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    words, _, header = report.iter_parts()
    text = words.get_content()
    assert "Subject: Grüße" in text
    assert "bob@example.net\n    mx.example.net[192.0.2.1] refused it." \
        in text
    assert "550 5.1.1 no such user here" in text
    assert "What to do:" in text
    assert queue_id in text
    first, bob, eve = fields_of(report)
    assert first["Reporting-MTA"] == "dns; mx.example.org"
    assert first["Original-Envelope-Id"] == "QQ+1"
    assert bob["Original-Recipient"] == "rfc822;bo+b@example.net"
    assert bob["Final-Recipient"] == "rfc822; bob@example.net"
    assert bob["Action"] == "failed"
    assert bob["Status"] == "5.1.1"
    assert bob["Remote-MTA"] == "dns; mx.example.net"
    assert bob["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user here"
    assert eve["Final-Recipient"] == "rfc822; eve@example.net"
    assert header.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <m1@example.org>" in header.get_payload()
    assert "Hello" not in report.as_string().split("rfc822-headers")[1]
    lab.wait(lab.is_empty)
    assert lab.asked_mailboxes == ["alice"]
    assert len(lab.jobs) == 1


def test_postmaster_has_what_the_mailbox_refuses(lab):
    """5yz of the mailbox: postmaster; no bounce of a bounce."""
    lab.refusals["alice"] = (550, "closed")
    lab.results = lambda job: {"all": (550, "no")}
    lab.submit(["bob@example.net"])
    report = report_of(lab, "")
    assert "could not be delivered" in report["Subject"]
    lab.wait(lab.is_empty)
    assert lab.asked_mailboxes == ["alice", ""]
    assert len(lab.jobs) == 1


def test_full_mailbox_is_tried_again(lab):
    """4yz of the mailbox: the message waits in failed/, and only there."""
    lab.refusals["alice"] = (452, "full")
    lab.results = lambda job: {"all": (550, "no")}
    queue_id = lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.files()["failed"] == [queue_id])
    # it may have been tried once more until a busy machine looks
    lab.wait(lambda: re.search(r"; \d+ full", lab.envelope(
        queue_id, "failed")))
    assert not lab.files()["active"]
    assert "(a report to its sender waits)" in lab.command("list")[1]
    lab.refusals.clear()
    report_of(lab)
    lab.wait(lab.is_empty)


def test_report_waits_for_deliver(lab):
    """Nobody is there who could deliver it: it is brought later."""
    lab.asked["deliver"].channel.socket.shutdown(2)
    lab.wait(lambda: lab.queue.events("peer_gone"))
    lab.results = lambda job: {"all": (550, "no")}
    lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.queue.events("report_deferred"))
    assert lab.queue.process.poll() is None
    lab.attach("deliver")
    report_of(lab)
    lab.wait(lab.is_empty)


def test_null_reverse_path_has_no_bounce(lab):
    """What may be a bounce itself ends in the log."""
    lab.results = lambda job: {"all": (550, "no")}
    lab.submit(["bob@example.net"], reverse_path="")
    lab.wait(lab.is_empty)
    assert lab.jobs[0].reverse_path == ""
    lab.wait(lambda: lab.queue.events("failed"))
    assert lab.mailboxes == {} and lab.asked_mailboxes == []


@pytest.mark.parametrize("notify, code, passes, what", [
    (1, 550, False, None),                  # NEVER
    (2, 550, False, None),                  # SUCCESS alone
    (4, 550, False, "failed"),
    (2, 250, False, "relayed"),
    (2, 250, True, None),                   # the next hop tells
    (4, 250, False, None),
])
def test_notify(lab, notify, code, passes, what):
    """RFC 3461 4.1."""
    lab.results = lambda job: {"all": (code, "said") + (passes,) * passes}
    lab.submit(["bob@example.net"], notify=notify)
    if what is not None:
        assert fields_of(report_of(lab))[1]["Action"] == what
    lab.wait(lab.is_empty)
    assert len(lab.mailboxes["alice"]) == (what is not None)
    assert lab.jobs[0].recipients[0][1] == notify


def actions_of(text):
    """{recipient: action} of a DSN."""
    report = email.message_from_bytes(text, policy=email.policy.default)
    return {str(b["Final-Recipient"]).split(" ")[1]: str(b["Action"])
            for b in fields_of(report)[1:]}


WHOLE = MESSAGE + "Grüße, and a line.\n".encode()


@pytest.mark.parametrize("ret, code, flags, padding, kind", [
    (1, 550, 0, 0, "message/rfc822"),
    (1, 550, 2, 0, "message/global"),
    (2, 550, 0, 0, "text/rfc822-headers"),
    (0, 550, 0, 0, "text/rfc822-headers"),
    (0, 550, 2, 0, "message/global-headers"),
    (1, 250, 0, 0, "text/rfc822-headers"),      # only what has failed
    (1, 550, 1, 900000, "message/rfc822"),
    (1, 550, 0, 1 << 20, "text/rfc822-headers"),
])
def test_ret(lab, ret, code, flags, padding, kind):
    """RFC 3461 4.3: whole or the header; bounded."""
    lab.results = lambda job: {"all": (code, "said")}
    message = WHOLE + b"x" * padding
    lab.submit(["bob@example.net"], message=message, ret=ret, flags=flags,
               notify=6)
    report = report_of(lab)
    part = list(report.iter_parts())[2]
    assert part.get_content_type() == kind
    text = lab.mailboxes["alice"][0]
    assert (b"Hello" in text) == ("headers" not in kind)
    assert ("headers" in kind) or b"\n\n" + message + b"\n--" in text
    lab.wait(lab.is_empty)


def test_ret_of_a_size():
    """return_full; 0 is never."""
    for size, is_whole in (("0", False), ("1K", True)):
        with QueueLab(QUICK.replace("}", "return_full = %s }" % size)) as lab:
            lab.results = lambda job: {"all": (550, "no")}
            for n, want in ((1024, is_whole), (1025, False)):
                lab.submit(["bob@example.net"], ret=1, message=MESSAGE +
                           b"x" * (n - len(MESSAGE)))
                lab.wait(lab.is_empty)
                assert (b"xxx" in lab.mailboxes["alice"].pop()) == want


def test_whole_does_not_fit(lab):
    """The mailbox refuses the large one: then the header, to the same."""
    lab.refusals["alice"] = lambda size: (552, "too large") \
        if size > 100000 else (0, "")
    lab.results = lambda job: {"all": (550, "no")}
    descriptors = "/proc/%d/fd" % lab.queue.process.pid
    before = len(os.listdir(descriptors))
    lab.submit(["bob@example.net"], ret=1, message=MESSAGE + b"x" * 200000)
    report = report_of(lab)
    assert list(report.iter_parts())[2].get_content_type() == \
        "text/rfc822-headers"
    lab.wait(lab.is_empty)
    assert lab.asked_mailboxes == ["alice", "alice"]
    wait_until(lambda: len(os.listdir(descriptors)) == before, 5,
               "the large one is gone")


def test_never_goes_by_itself(lab):
    """Its sender may have to be left out (RFC 3461 5.2.2 d)."""
    transaction, question = lab.prepare(
        ["a@example.net", "b@example.net", "c@example.net"],
        notify={"b@example.net": 1, "c@example.net": 4})
    assert lab.prepared(question)[0] == 0
    assert lab.commit(transaction) == 0
    lab.wait(lab.is_empty)
    assert sorted([r[0] for r in j.recipients] for j in lab.jobs) == [
        ["a@example.net", "c@example.net"], ["b@example.net"]]


def test_delivered_here(lab):
    """Nobody is sent to; the header comes home, tagged, from no address."""
    body = MESSAGE + b"x" * 80 + b"\n" + b"y" * 200000
    lab.submit(["bob@example.org", "eve@example.org"], message=body,
               notify=2, here=["bob@example.org", "eve@example.org"],
               envid="QQ1", orcpt="rfc822;b@example.org")
    report = report_of(lab)
    assert report["To"] == "prvs=0123abcdef=alice@example.org"
    assert report["Subject"] == "Your message has been delivered"
    first, bob, eve = fields_of(report)
    assert first["Original-Envelope-Id"] == "QQ1"
    assert (bob["Action"], bob["Status"]) == ("delivered", "2.0.0")
    assert bob["Original-Recipient"] == "rfc822;b@example.org"
    assert eve["Final-Recipient"] == "rfc822; eve@example.org"
    assert b"yyy" not in lab.mailboxes["alice"][0]
    lab.wait(lab.is_empty)
    assert not lab.jobs and not lab.ledger


def test_delivered_here_and_elsewhere(lab):
    """Each his own action; who is here is never sent to."""
    lab.results = lambda job: {"all": (250, "ok")}
    lab.submit(["bob@example.org", "eve@example.net"], notify=2,
               here=["bob@example.org"])
    lab.wait(lab.is_empty)
    told = {}
    for text in lab.mailboxes["alice"]:
        told.update(actions_of(text))
    assert told == {"bob@example.org": "delivered",
                    "eve@example.net": "relayed"}
    assert [r[0] for j in lab.jobs for r in j.recipients] == \
        ["eve@example.net"]


@pytest.mark.parametrize("options", [
    {"notify": 4}, {"notify": 1}, {"notify": 0},
    {"notify": 2, "reverse_path": ""}])
def test_delivered_here_and_nobody_asks(lab, options):
    """Nothing is written, and nothing stays."""
    lab.submit(["bob@example.org"], here=["bob@example.org"], **options)
    lab.wait(lab.is_empty)
    assert lab.mailboxes == {} and not lab.jobs


def test_delivered_here_survives_a_kill():
    """The DSN is owed from COMMIT on."""
    with QueueLab(QUICK) as lab:
        lab.refusals["alice"] = (452, "full")
        queue_id = lab.submit(["bob@example.org"], notify=2,
                              here=["bob@example.org"])
        lab.wait(lambda: lab.files()["failed"] == [queue_id])
        lab.kill()
        lab.refusals.clear()
        lab.start()
        assert fields_of(report_of(lab))[1]["Action"] == "delivered"
        lab.wait(lab.is_empty)


# ---- lists ----

def test_list_copies_have_an_owner(lab):
    """They leave in his name, and what fails comes home to him."""
    lab.results = lambda job: {"all": (550, "no such user")}
    lab.submit(["bob@example.net"], lists=[lab.members(
        ["m1@far.example", "m2@far.example"])], notify=6, ret=1, envid="E1")
    lab.wait(lab.is_empty)
    by = {j.domain: j for j in lab.jobs}
    assert by["example.net"].reverse_path == \
        "prvs=0123abcdef=alice@example.org"
    copies = by["far.example"]
    assert copies.reverse_path == "prvs=0123abcdef=owner-team@example.org"
    # the submitter's wishes are not the owner's
    assert copies.recipients == [("m1@far.example", 0, ""),
                                 ("m2@far.example", 0, "")]
    assert (copies.ret, copies.envid, copies.body) == (0, "", MESSAGE)
    assert sorted(lab.asked_mailboxes) == ["alice", "carol"]
    report = report_of(lab, "carol")
    assert report["To"] == "prvs=0123abcdef=owner-team@example.org"
    assert [b["Final-Recipient"] for b in fields_of(report)[1:]] == [
        "rfc822; m1@far.example", "rfc822; m2@far.example"]
    assert len(lab.mailboxes["alice"]) == 1
    assert ("m1@example.org", "m1@far.example") in lab.ledger


def test_list_alone_and_large(lab):
    """Nobody else is named; it comes as a descriptor."""
    to = ["member-%d@d%d.example" % (i, i % 7) for i in range(1000)]
    lab.submit([], lists=[lab.members(to), lab.members(
        ["x@far.example"], owner="owner-b@example.org", account="dave")])
    lab.wait(lab.is_empty, 30)
    assert lab.arrived == {**{a: 1 for a in to}, "x@far.example": 1}
    assert {j.reverse_path.split("=")[-1] for j in lab.jobs} == {
        "owner-team@example.org", "owner-b@example.org"}


def test_list_is_dropped_with_its_transaction(lab):
    """Not committed: nothing is sent, and nothing stays."""
    transaction, question = lab.prepare(["bob@example.net"], lists=[
        lab.members(["m1@far.example"])])
    assert lab.prepared(question)[0] == 0
    assert len(lab.files()["prepared"]) == len(lab.files()["bodies"]) == 2
    lab.smtpd.send(ASK["QUEUE_ABORT"], struct.pack("!Q", transaction))
    lab.wait(lab.is_empty)
    assert not lab.jobs


@pytest.mark.parametrize("forged", [
    {"key": b"v" * 32}, {"key": b"\0" * 32}, {"session": "another"},
    {"addresses": ["no address"]}, {"addresses": ["a@b\r\nRCPT TO:<x@y"]},
    {"owner": "x"}, {"addresses": []}])
def test_forged_list(lab, forged):
    """A break-in: the channel is closed, and nothing is sent."""
    octets = lab.members(**{"addresses": ["m1@far.example"], **forged})
    with contextlib.suppress(ConnectionError):      # it may be closed already
        lab.prepare(["bob@example.net"], lists=[octets])
        lab.smtpd.socket.settimeout(10)
        assert lab.smtpd.socket.recv(100) == b""
    lab.wait(lab.is_empty)
    assert not lab.jobs
    lab.queue.wait_event("suspected_break_in")


def test_list_from_outside(lab):
    """An mx has no voucher: the seal says that it may, for this session."""
    lab.smtpd = lab.queue.peer("smtpd", 1, 0)
    question = lab.prepare_lists([lab.members(["a@example.net"])])
    assert lab.prepared(question)[0] == 0
    assert lab.commit(lab.serial) == 0
    lab.wait(lambda: lab.arrived["a@example.net"] == 1)
    assert lab.jobs[0].reverse_path.endswith("=owner-team@example.org")
    question = lab.prepare_lists([lab.members(["b@example.net"])], alone=True)
    assert lab.prepared(question)[0] == 0
    lab.wait(lambda: lab.arrived["b@example.net"] == 1)
    lab.wait(lab.is_empty)


@pytest.mark.parametrize("forged", [
    {"session": "another"}, {"key": b"x" * 32}, {"none": True}])
def test_forged_list_from_outside(lab, forged):
    """A break-in: the channel is closed, and nothing is sent."""
    lab.smtpd = lab.queue.peer("smtpd", 1, 0)
    lists = [] if "none" in forged else [lab.members(["a@example.net"],
                                                     **forged)]
    with contextlib.suppress(ConnectionError):
        lab.prepare_lists(lists)
        lab.smtpd.socket.settimeout(10)
        assert lab.smtpd.socket.recv(100) == b""
    lab.wait(lab.is_empty)
    assert not lab.jobs
    lab.queue.wait_event("suspected_break_in")


def test_an_mx_brings_lists_alone(lab):
    """P4, P8: nothing else that it says does anything, with or without what
    it may have seen of a voucher."""
    def prepare():
        lab.prepare(["v@example.com"], lists=[lab.members(["a@example.net"])])

    def own():
        lab.smtpd.ask(ASK["QUEUE_OWN"], lab.voucher())

    def probe():
        lab.smtpd.ask(ASK["QUEUE_PROBE"], lab.voucher() + slice_of(
            "a@b.example") + slice_of("v@example.com") + b"\0\0")

    for i, act in enumerate((prepare, own, probe)):
        lab.smtpd = lab.queue.peer("smtpd", i + 1, 0)
        with contextlib.suppress(ConnectionError):
            act()
            assert lab.smtpd.receive(1) is None
    lab.wait(lab.is_empty)
    assert not lab.jobs


def test_expired_list(lab):
    """Older than any transaction: 451, as if it had not come."""
    _, question = lab.prepare(["bob@example.net"], lists=[lab.members(
        ["m1@far.example"], expires=1)])
    assert lab.prepared(question)[0] == 451
    lab.wait(lab.is_empty)
    assert not lab.jobs


def test_figures(lab):
    """What posternctl status shows."""
    assert lab.status() == dict.fromkeys(lab.status(), 0)
    answer = {"slow.example": (5, {"all": (250, "ok")}),
              "later.example": {"all": (450, "later"), "delay": 4},
              "no.example": {"all": (550, "no")}}
    lab.results = lambda job: answer[job.domain]
    lab.refusals["alice"] = (452, "full")
    held = lab.submit(["a@later.example"])
    lab.wait(lambda: lab.status()["deferred"] == 1)
    assert lab.command("hold", held)[0]
    lab.submit(["a@slow.example", "b@slow.example"])
    lab.submit(["a@no.example"])
    lab.wait(lambda: lab.status()["reports_owed"] == 1)
    got = lab.status()
    assert {k: got[k] for k in (
        "messages", "recipients", "active", "deferred", "held",
        "size_bytes", "taken", "failed")} == {
            "messages": 3, "recipients": 3, "active": 1, "deferred": 1,
            "held": 1, "size_bytes": 3 * len(MESSAGE), "taken": 3,
            "failed": 1}
    lab.wait(lambda: lab.status()["oldest_s"] >= 2)
    lab.refusals.clear()
    lab.results = lambda job: {"all": (250, "ok")}
    lab.command("release", held)
    lab.wait(lab.is_empty)
    got = lab.status()
    assert (got["messages"], got["oldest_s"], got["size_bytes"]) == (0, 0, 0)
    assert (got["sent"], got["reports"]) == (3, 1)


def test_many_recipients_are_grouped():
    """50 a job, by domain; each is sent once."""
    with QueueLab(QUICK) as lab:
        to = ["u%d@d%d.example.net" % (i, i % 3) for i in range(360)]
        lab.submit(to)
        lab.wait(lab.is_empty)
        assert lab.arrived == {a: 1 for a in to}
        assert len(lab.jobs) == 9
        assert max(len(j.recipients) for j in lab.jobs) == 50
        assert all(r[0].endswith("@" + j.domain)
                   for j in lab.jobs for r in j.recipients)


@pytest.mark.parametrize("n_late, notify", [(120, 0), (1, 1)])
def test_who_is_put_off_keeps_nobody_back(n_late, notify):
    """Those who do not fit into a job beside him, as it is full or he never
    wants a report, have theirs at once; and his own wait stays his."""
    late = ["late%d@example.net" % i for i in range(n_late)]
    good = ["good%d@example.net" % i for i in range(30)]
    with QueueLab("queue { retry_first = 1h }") as lab:
        lab.results = lambda job: {
            i: (450, "later") if to[0] in late else (250, "ok")
            for i, to in enumerate(job.recipients)}
        queue_id = lab.submit(late + good,
                              notify={a: notify for a in late})
        lab.wait(lambda: len(lab.arrived) == len(good))
        lab.wait(lambda: lab.envelope(queue_id).count(" next ") == n_late)
        asked = collections.Counter(
            to[0] for job in lab.jobs for to in job.recipients)
        assert asked == {a: 1 for a in late + good}
        assert lab.envelope(queue_id).count(" tries 1\n") == n_late
        # by hand all of them are asked again, once, and wait longer
        lab.wait(lambda: queue_id + "*" not in lab.command("list")[1])
        lab.command("retry", queue_id)
        lab.wait(lambda: lab.envelope(queue_id).count(" tries 2\n") ==
                 n_late)
        assert " next " in lab.envelope(queue_id)
        assert sum(len(job.recipients) for job in lab.jobs) == \
            2 * n_late + len(good)
        # a start looks at each one's own time
        n_jobs = len(lab.jobs)
        lab.kill()
        lab.start()
        time.sleep(1.5)
        assert len(lab.jobs) == n_jobs


def test_restart_keeps_the_schedule():
    """What was told to come later is not tried at once."""
    with QueueLab("queue { retry_first = 1h }") as lab:
        lab.results = lambda job: {"all": (450, "later")}
        queue_id = lab.submit(["bob@example.net"])
        lab.wait(lambda: " next " in lab.envelope(queue_id))
        lab.kill()
        lab.start()
        time.sleep(1.5)
        assert len(lab.jobs) == 1
        assert "(later)" in lab.command("list")[1]
        lab.command("retry", queue_id)
        lab.wait(lambda: len(lab.jobs) == 2)


def test_stop_waits_for_results(lab):
    """SIGTERM while relay sends: its result is noted before the end."""
    lab.results = lambda job: (1, {0: (250, "ok"), 1: (450, "later")})
    queue_id = lab.submit(["a@example.net", "b@example.net"])
    lab.wait(lambda: lab.jobs)
    lab.queue.process.terminate()
    lab.ended()
    assert lab.arrived == {"a@example.net": 1}
    assert " state sent\n" in lab.envelope(queue_id)
    lab.results = lambda job: {"all": (250, "ok")}
    lab.start()
    lab.wait(lab.is_empty)
    assert lab.arrived == {"a@example.net": 1, "b@example.net": 1}


def test_bad_host_is_left_alone():
    """Its mail waits together; one message probes, then all of it goes."""
    with QueueLab("queue { retry_first = 6s retry_longest = 6s }") as lab:
        lab.results = lambda job: {"bad": True, "all": (
            450, "connection refused")}
        ids = [lab.submit(["u%d@example.net" % i]) for i in range(30)]
        lab.wait(lambda: lab.queue.events("deferred"))
        time.sleep(0.5)
        n = len(lab.jobs)
        assert n <= 5, "only those that ran beside the first"
        listing = lab.command("list")[1]
        assert listing.count("(connection refused)") == 30
        lab.submit(["other@example.com"])
        lab.results = lambda job: {"all": (250, "ok")}
        time.sleep(0.5)
        assert [j.domain for j in lab.jobs[n:]] == ["example.com"]
        lab.wait(lab.is_empty)
        assert len(ids) == 30 and sum(lab.arrived.values()) == 31
        assert set(lab.arrived.values()) == {1}


def test_reason_is_of_its_own_host():
    """Two addresses of which one is the beginning of the other."""
    with QueueLab("queue { retry_first = 1s retry_longest = 1s "
                  "give_up = 4s }") as lab:
        lab.results = lambda job: {"bad": True, "delay": 0} if \
            job.domain == "a.example" else {"all": (450, "greylisted")}
        lab.submit(["bob@a.example.com", "bob@a.example"])
        report = report_of(lab).as_string()
        begin = re.search(r"Final-Recipient: rfc822; ?bob@a.example\n",
                          report).start()
        assert "greylisted" not in report[begin:], report


def test_many_domains_at_once():
    """What is done for each message does not grow with the others, nor with
    the square of its recipients."""
    with QueueLab("queue { retry_first = 300s }") as lab:
        lab.results = lambda job: {"bad": True}
        ids = [lab.submit(["u@d%d.example" % i for i in range(1000)])
               for _ in range(5)]
        asked = [lab.prepare(["u%d@example.net" % i]) for i in range(3000)]
        for _, question in asked:
            assert lab.prepared(question)[0] == 0
        for transaction, _ in asked:
            assert lab.commit(transaction) == 0
        for queue_id in ids:
            lab.command("hold", queue_id)
        before = cpu_seconds(lab)
        for queue_id in ids:
            assert lab.command("release", queue_id)[0]
        assert cpu_seconds(lab) - before < 0.4
        before = cpu_seconds(lab)
        assert "3005 messages" in lab.command("retry", "all")[1]
        assert cpu_seconds(lab) - before < 0.4


def test_expiry_and_delay():
    """One delay notice, then the failure that says it was given up."""
    with QueueLab("queue { retry_first = 1s retry_longest = 1s "
                  "delay_notice = 2s give_up = 6s }") as lab:
        lab.results = lambda job: {"all": (450, "not now")}
        lab.submit(["bob@example.net"])
        lab.wait(lambda: len(lab.mailboxes["alice"]) == 2, 20)
        delay, failure = [email.message_from_bytes(
            t, policy=email.policy.default) for t in lab.mailboxes["alice"]]
        block = fields_of(delay)[1]
        assert (block["Action"], block["Status"]) == ("delayed", "4.1.1")
        assert block["Will-Retry-Until"]
        block = fields_of(failure)[1]
        assert (block["Action"], block["Status"]) == ("failed", "5.4.7")
        assert block["Diagnostic-Code"] == "smtp; 450 4.1.1 not now"
        assert "given up" in next(failure.iter_parts()).get_content()
        lab.wait(lab.is_empty)
        assert len(lab.mailboxes["alice"]) == 2


def test_hold_is_a_lease(lab):
    """Runnable only without leases; a holder gives back his own."""
    lab.results = lambda job: {"all": (450, "later"), "delay": 3}
    queue_id = lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.queue.events("deferred"))
    assert lab.command("hold", queue_id + " for=1h to be looked at",
                       "root")[0]
    assert lab.command("hold", queue_id, "uid1000")[0]
    lab.results = lambda job: {"all": (250, "ok")}
    n = len(lab.jobs)
    assert queue_id + "!" in lab.command("list")[1]
    shown = lab.command("show", queue_id)[1]
    assert "by root since" in shown and ": to be looked at" in shown
    assert lab.command("retry", queue_id)[0] is False
    lab.command("flush")
    time.sleep(2.5)
    assert len(lab.jobs) == n
    # across a restart too
    lab.kill()
    lab.start()
    assert lab.command("release", queue_id, "root")[0]
    ok, text = lab.command("release", queue_id, "root")
    assert not ok and "still held by uid1000" in text
    assert queue_id + "!" in lab.command("list")[1]
    assert lab.command("release", queue_id, "uid1000")[0]
    lab.wait(lab.is_empty)
    assert lab.arrived == {"bob@example.net": 1}


def test_lease_ends_by_itself(lab):
    """for=4s"""
    lab.asked["relay"].is_silent = True
    queue_id = lab.submit(["bob@example.net"])
    lab.kill()
    lab.start([p for p in lab.asked if p != "relay"])
    assert lab.command("hold", queue_id + " for=4s")[0]
    lab.attach("relay")
    time.sleep(1)
    assert not lab.jobs
    lab.wait(lab.is_empty)


def test_long_listing(lab):
    """More than is kept in memory at a time: all of it, in order, once."""
    lab.results = lambda job: {"all": (450, "later " + 200 * "x")}
    ids = [lab.submit(["bob@example.net"]) for _ in range(300)]
    lab.wait(lambda: lab.command("list")[1].count("(later ") == len(ids))
    is_good, listing = lab.command("list")
    assert is_good and len(listing) > 65536
    assert re.findall(r"^([0-9A-Z]{10}) ", listing, re.M) == ids
    assert listing.endswith(" in 300 Requests.\n")


def test_remove(lab):
    """Gone, nothing is sent, nobody is told."""
    lab.results = lambda job: {"all": (450, "later"), "delay": 9}
    queue_id = lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.queue.events("deferred"))
    assert lab.command("remove", queue_id) == (True, "Done.\n")
    assert lab.is_empty()
    assert not lab.command("remove", queue_id)[0]
    assert lab.command("list") == (True, "Mail queue is empty\n")
    assert lab.mailboxes == {}


def test_forged_voucher_is_an_attack(lab):
    """The channel ends, nothing is in the spool."""
    lab.prepare(["bob@example.net"], voucher=lab.voucher(key=b"x" * 32))
    assert lab.smtpd.receive(5) is None
    lab.wait(lambda: lab.queue.events("suspected_break_in"))
    assert lab.is_empty()
    assert lab.command("status")[0]


def test_expired_voucher_is_a_451(lab):
    """That can happen to an honest session."""
    _, question = lab.prepare(["bob@example.net"],
                              voucher=lab.voucher(expires=1))
    assert lab.prepared(question)[0] == 451
    assert lab.is_empty()


def test_not_committed_is_dropped(lab):
    """ABORT, the end of the channel, a start."""
    transaction, question = lab.prepare(["a@example.net"])
    assert lab.prepared(question)[0] == 0
    assert lab.files()["prepared"]
    lab.smtpd.send(ASK["QUEUE_ABORT"], struct.pack("!Q", transaction))
    lab.wait(lab.is_empty)
    _, question = lab.prepare(["b@example.net"])
    assert lab.prepared(question)[0] == 0
    lab.smtpd.socket.close()
    lab.wait(lab.is_empty)
    lab.smtpd = lab.queue.peer("smtpd", 0, 1)
    _, question = lab.prepare(["c@example.net"])
    assert lab.prepared(question)[0] == 0
    lab.kill()
    assert lab.files()["prepared"]
    lab.start()
    assert lab.is_empty()
    assert not lab.jobs


@pytest.mark.parametrize("harm", ["octet", "cut", "empty", "body", "name",
                                  "no_body"])
def test_damaged_is_set_aside(lab, harm):
    """It is told of, and the rest goes on."""
    lab.asked["relay"].is_silent = True
    bad, good = lab.submit(["bad@example.net"]), lab.submit(["g@example.net"])
    lab.kill()
    path = os.path.join(lab.spool, "active", bad)
    body = os.path.join(lab.spool, "bodies", bad)
    if harm == "octet":
        with open(path, "r+b") as f:
            f.seek(60)
            f.write(b"#")
    elif harm == "cut":
        os.truncate(path, 100)
    elif harm == "empty":
        os.truncate(path, 0)
    elif harm == "body":
        os.truncate(body, 10)
    elif harm == "name":
        os.rename(path, path[:-1] + ("0" if path[-1] != "0" else "1"))
    else:
        os.unlink(body)
    lab.start()
    lab.wait(lambda: lab.arrived["g@example.net"] == 1)
    assert lab.queue.events("alarm")[0]["problem"] == \
        "a queued message is damaged"
    lab.wait(lab.is_empty)
    assert lab.files()["damaged"]
    assert lab.arrived["bad@example.net"] == 0
    assert good


def test_forged_spool_keeps_bounces_home(lab):
    """Whatever the envelope says, a DSN goes to a mailbox here."""
    lab.asked["relay"].is_silent = True
    queue_id = lab.submit(["bob@example.net"])
    lab.kill()
    text = lab.envelope(queue_id)
    for old, new in (("user alice\n", "user victim@example.com\n"),
                     ("home alice@example.org", "home v@example.com"),
                     ("from alice@example.org", "from v@example.com")):
        assert old in text
        text = text.replace(old, new)
    text = text[:text.index("end ")]
    text += "end " + hashlib.sha256(text.encode()).hexdigest() + "\n"
    with open(os.path.join(lab.spool, "active", queue_id), "w",
              encoding="utf-8") as f:
        f.write(text)
    lab.results = lambda job: {"all": (550, "no")}
    lab.start()
    report_of(lab, "victim@example.com")
    lab.wait(lab.is_empty)
    # directory was asked for an account; relay had the message alone
    assert lab.asked_mailboxes == ["victim@example.com"]
    assert [j.body for j in lab.jobs] == [MESSAGE] * len(lab.jobs)


def test_relay_dies(lab):
    """Its job is tried again by the next one."""
    lab.results = lambda job: None
    lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.jobs)
    lab.results = lambda job: {"all": (250, "ok")}
    lab.asked["relay"].channel.socket.shutdown(2)
    lab.attach("relay")
    lab.wait(lab.is_empty)
    assert lab.arrived == {"bob@example.net": 1}


@pytest.mark.parametrize("who", ["store", "vault"])
def test_nothing_leaves_without_ledger_and_tag(lab, who):
    """They do not answer: it waits."""
    lab.asked[who].channel.socket.shutdown(2)
    queue_id = lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.queue.events("put_off"))
    assert not lab.jobs
    lab.attach(who)
    lab.command("retry", queue_id)
    lab.wait(lab.is_empty)
    assert lab.arrived == {"bob@example.net": 1}


def test_exempt_domain_sees_no_tag():
    """batv { exempt }"""
    with QueueLab('batv { exempt = { "example.net" } }') as lab:
        lab.submit(["bob@example.net", "eve@example.com"])
        lab.wait(lab.is_empty)
        assert {j.domain: j.reverse_path for j in lab.jobs} == {
            "example.net": "alice@example.org",
            "example.com": "prvs=0123abcdef=alice@example.org"}


def test_smart_host_and_the_domains_behind_it():
    """They are what people ask for."""
    with QueueLab('relay { smart_host = "smtp:[192.0.2.9]:25" }\n'
                  "queue { retry_first = 1h }") as lab:
        lab.results = lambda job: {"all": (450, "later")}
        first, second = (lab.submit(["bob@" + domain]) for domain in (
            "example.net", "sub.example.net"))
        lab.wait(lambda: len(lab.queue.events("deferred")) == 2)
        lab.wait(lambda: lab.status()["active"] == 0)
        for word, shown in (("Example.NET", [first]),
                            ("sub.example.net", [second]),
                            ("smtp:[192.0.2.9]:25", [first, second]),
                            ("ample.net", []), ("net", [])):
            text = lab.command("list", word)[1]
            assert [i for i in (first, second) if i in text] == shown, word
        assert lab.command("flush", "ample.net") == (
            True, "Nothing waits for ample.net.\n")
        assert len(lab.jobs) == 2
        lab.results = lambda job: {"all": (250, "ok")}
        assert lab.command("flush", "EXAMPLE.net") == (
            True, "1 message is tried now.\n")
        lab.wait(lambda: first not in lab.command("list")[1])
        assert second in lab.command("list")[1]


def test_smart_host_has_it_all():
    """One destination for everybody."""
    with QueueLab('relay { smart_host = "smtp:[192.0.2.9]:25" }') as lab:
        lab.submit(["bob@example.net", "eve@example.com"])
        lab.wait(lab.is_empty)
        job, = lab.jobs
        assert job.domain == "smtp:[192.0.2.9]:25"
        assert len(job.recipients) == 2


def test_fair_to_the_small_sender():
    """One with 300 messages does not hold up one with a single message."""
    with QueueLab(QUICK) as lab:
        lab.results = lambda job: (0.05, {"all": (250, "ok")})
        questions = [lab.prepare(["u%d@example.net" % i], voucher=lab.voucher(
            "big")) for i in range(300)]
        lab.smtpd.answers([question for _, question in questions], 20)
        lab.smtpd.answers([lab.smtpd.ask(ASK["QUEUE_COMMIT"], struct.pack(
            "!Q", transaction)) for transaction, _ in questions], 20)
        before = len(lab.jobs)
        lab.submit(["small@example.net"], voucher=lab.voucher("small"))
        lab.wait(lambda: lab.arrived["small@example.net"])
        assert before < 200
        assert len(lab.jobs) - before < 100
        lab.wait(lab.is_empty, 30)
