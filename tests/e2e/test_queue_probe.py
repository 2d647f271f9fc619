# SPDX-License-Identifier: ISC
"""What queue makes of a probe: whose it is, where it goes and from which
address; and that it is over in time, whoever does not answer."""
import struct
import time

import pytest

from compartment import ASK
from queuelab import AT_RCPT, QueueLab, slice_of, verdict

BOB = "bob@example.net"
TAGGED = "prvs=0123abcdef=alice@example.org"


def hop_reply(code, text, said=True):
    """The octets of one."""
    return struct.pack("!BB", said, AT_RCPT if said else 1) + verdict(
        code, text, 1, 1) + slice_of("mx[192.0.2.1]") + struct.pack("!I", 0)


@pytest.fixture(name="lab")
def fixture_lab():
    """A queue with everybody around it."""
    with QueueLab() as lab:
        lab.replies[BOB] = hop_reply(550, "no such user")
        yield lab


def test_the_message_as_it_would_be(lab):
    assert lab.probe(BOB) == (True, 550, "no such user", "mx[192.0.2.1]")
    lab.probe(BOB, sender="")
    lab.probe(BOB, sender="x@elsewhere.example", flags=(1, 1))
    assert lab.probes == [
        ("example.net", False, TAGGED, BOB, False, False),
        ("example.net", False, "", BOB, False, False),
        ("example.net", False, "x@elsewhere.example", BOB, True, True)]
    assert lab.is_empty()
    lab.submit([BOB])
    lab.wait(lambda: lab.jobs)
    assert lab.jobs[0].reverse_path == TAGGED


def test_where_tags_break():
    with QueueLab('batv { exempt = { "example.net" } }') as lab:
        lab.replies[BOB] = hop_reply(250, "ok")
        assert lab.probe(BOB)[:2] == (True, 250)
        assert lab.probes[0][2] == "alice@example.org"


def test_smart_host():
    with QueueLab('relay { smart_host = "smtp:[192.0.2.9]:587" }') as lab:
        lab.replies[BOB] = hop_reply(250, "ok")
        assert lab.probe(BOB)[:2] == (True, 250)
        assert lab.probes[0][:3] == ("smtp:[192.0.2.9]:587", True, TAGGED)


@pytest.mark.parametrize("who", ["relay", "vault"])
def test_silence(lab, who):
    """It is said before smtpd takes queue for dead."""
    lab.asked[who].is_silent = True
    began = time.monotonic()
    said, code, text, _ = lab.probe(BOB, deadline_ms=2000)
    assert time.monotonic() - began < 2
    assert (said, code) == (False, 451) and who in text


@pytest.mark.parametrize("who", ["relay", "vault"])
def test_death(lab, who):
    lab.asked[who].is_silent = True
    number = lab.smtpd.ask(ASK["QUEUE_PROBE"], lab.voucher() + slice_of(
        "alice@example.org") + slice_of(BOB) + b"\0\0", 30000)
    time.sleep(0.3)
    lab.asked[who].channel.socket.shutdown(2)
    [(_, payload)] = lab.smtpd.answers([number], 10).values()
    assert payload[0] == 0
    # and while there is none
    assert lab.probe(BOB)[:2] == (False, 451)


@pytest.mark.parametrize("reply", [
    b"", hop_reply(250, "ok") + b"x", hop_reply(250, "ok", said=False),
    hop_reply(700, "what"), b"\2" + hop_reply(550, "no")[1:],
    hop_reply(550, "a\r\n250 b")])
def test_a_relay_that_lies(lab, reply):
    lab.replies[BOB] = reply
    assert lab.probe(BOB)[:2] == (False, 451)


def test_smtpd_is_gone_meanwhile(lab):
    lab.asked["relay"].is_silent = True
    lab.smtpd.ask(ASK["QUEUE_PROBE"], lab.voucher() + slice_of(
        "alice@example.org") + slice_of(BOB) + b"\0\0", 1500)
    lab.smtpd.socket.shutdown(2)
    lab.smtpd.socket.close()
    lab.queue.peers.remove(lab.smtpd)
    lab.smtpd = lab.queue.peer("smtpd", 0, 1)
    time.sleep(1.6)
    lab.asked["relay"].is_silent = False
    assert lab.probe(BOB)[:2] == (True, 550)


def test_a_smart_host_with_too_long_a_name():
    name = ".".join(["x" * 61] * 4)
    with QueueLab('relay { smart_host = "smtp:[%s]:65535" }' % name) as lab:
        assert lab.probe(BOB)[:2] == (False, 451)
        assert lab.probes == []


def test_expired(lab):
    assert lab.probe(BOB, voucher=lab.voucher(expires=1))[:2] == (False, 451)
    assert lab.probes == []


@pytest.mark.parametrize("voucher, sender, address", [
    (QueueLab.voucher(key=b"x" * 32), "alice@example.org", BOB),
    (b"", "alice@example.org", BOB),
    (None, "alice@example.org", "bob"),
    (None, "alice", BOB),
    (None, "alice@example.org", "a@b>\r\nRCPT TO:<c@d"),
])
def test_who_lies_is_cut_off(lab, voucher, sender, address):
    lab.smtpd.send(ASK["QUEUE_PROBE"], (
        lab.voucher() if voucher is None else voucher) + slice_of(sender) +
        slice_of(address) + b"\0\0", number=1, deadline_ms=5000)
    assert lab.smtpd.receive(10) is None
    assert lab.probes == []
    lab.queue.wait_event("suspected_break_in")


def test_too_many(lab):
    lab.asked["relay"].is_silent = True
    payload = lab.voucher() + slice_of("") + slice_of(BOB) + b"\0\0"
    numbers = [lab.smtpd.ask(ASK["QUEUE_PROBE"], payload, 3000)
               for _ in range(300)]
    found = lab.smtpd.answers(numbers, 10)
    early = [n for n in numbers if found[n][0] < 1.5]
    assert len(early) == 300 - 256
    assert all(payload[0] == 0 for _, payload in found.values())
