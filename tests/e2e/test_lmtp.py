# SPDX-License-Identifier: ISC
"""Domains whose mailboxes are at a next hop: our own users' mail to them, by
SMTP and LMTP, over TCP and a unix socket, to servers that answer as a test
wants and to those that others run."""
import time

import pytest

from dovecot import Dovecot
from postern import IS_ROOT, wait_until
from relay_lab import FEATURES, Lab, Sink
from test_auth import ALICE, PASSWORD, Submission, hash_of, user_lines
from test_outbound import LISTEN, SOON, Outbound

TEXT = b"From: a@example.org\nSubject: x\n\n.dot\n..\nlast"
WIRE = b"From: a@example.org\r\nSubject: x\r\n\r\n.dot\r\n..\r\nlast\r\n"
BOB, EVE, JIM = (n + "@inner.example" for n in ("bob", "eve", "jim"))


def hop_of(sink, protocol="lmtp"):
    """As the configuration names it."""
    return "%s:[127.0.0.1]:%d" % (protocol, sink.port)


class HopLab(Lab):
    """relay, with a domain whose next hop is this sink."""

    def __init__(self, sink, protocol="lmtp", keys="", **options):
        self.hop = hop_of(sink, protocol)
        super().__init__(more='domain "inner.example" { next_hop = "%s" %s '
                         '}\n' % (self.hop, keys), **options)

    def deliver(self, recipients, text=TEXT, **options):
        """What became of a message for them."""
        return self.send(self.hop, recipients, text, **options)


# ---- the dialogue ----

@pytest.mark.parametrize("features", [
    FEATURES, (), ("PIPELINING",), ("CHUNKING", "PIPELINING")])
def test_each_has_its_own_reply(features):
    """One in the middle is refused, one is put off: who said so is told."""
    answers = {EVE: "550 5.2.1 disabled", JIM: "452 4.2.2 full"}

    def dot(_, recipient):
        return answers.get(recipient[4:-1], "250 2.0.0 saved")

    with Sink({"dot": dot}, features, lmtp=True) as sink, \
            HopLab(sink) as lab:
        r = lab.deliver([BOB, EVE, JIM])
        assert r.codes == [250, 550, 452]
        assert r[1].text == "disabled" and r[2].enhanced == "4.2.2"
        assert [m.text for m in sink.messages] == [WIRE]
        assert not r.is_host_bad
        assert sink.commands[0] == "LHLO mx.example.org"
        assert not any("BDAT" in c or "EHLO" in c for c in sink.commands)
        # and the connection is good for the next one
        assert lab.deliver([BOB, JIM]).codes == [250, 452]
        assert len(sink.sessions) == 1


def test_refused_at_rcpt():
    """Who is not taken at RCPT has no reply at the end."""
    def rcpt(_, arg):
        return "550 5.1.1 nobody" if EVE in arg else "250 ok"

    with Sink({"rcpt": rcpt}, lmtp=True) as sink, HopLab(sink) as lab:
        assert lab.deliver([BOB, EVE, JIM]).codes == [250, 550, 250]
        assert [m.recipients for m in sink.messages] == \
            [["TO:<%s>" % BOB], ["TO:<%s>" % JIM]]


@pytest.mark.parametrize("last", [None, "reset"])
def test_closes_between_the_replies(last):
    """Whose reply came keeps it; of the others nobody knows."""
    def dot(_, recipient):
        if EVE not in recipient:
            return "250 2.0.0 saved"
        time.sleep(0.5)     # a reset takes along what was not read yet
        return last

    with Sink({"dot": dot}, lmtp=True) as sink, HopLab(sink) as lab:
        r = lab.deliver([BOB, EVE, JIM])
        assert r.codes == [250, 451, 451]
        assert r[1].enhanced == "4.4.2" and "not known" in r[1].text
        assert len(sink.ended) == 1


def test_wants_a_message_for_nobody():
    """Nobody was taken, and it says 354: there it ends, with no message."""
    with Sink({"rcpt": "550 5.1.1 nobody", "data": "354 go on"},
              ("PIPELINING",), lmtp=True) as sink, HopLab(sink) as lab:
        assert lab.deliver([BOB, EVE]).codes == [550, 550]
        assert sink.ended == []


def test_a_server_of_smtp():
    """LHLO is unknown there: not now, and nothing of a loop or HELO."""
    with Sink() as sink, HopLab(sink) as lab:
        r = lab.deliver([BOB])
        assert r.codes == [451] and r.is_host_bad
        assert [c.split()[0] for c in sink.commands] == ["LHLO", "QUIT"]


def test_one_that_has_our_name():
    """A server of LMTP on this host is called as we are."""
    with Sink(lmtp=True, name="mx.example.org") as sink, \
            HopLab(sink) as lab:
        assert lab.deliver([BOB]).codes == [250]


def test_nobody_listens():
    """The host is bad, the message waits."""
    sink = Sink(lmtp=True)
    sink.close()
    with HopLab(sink) as lab:
        r = lab.deliver([BOB])
        assert r.codes == [451] and r.is_host_bad


def test_a_probe():
    """LHLO, MAIL, RCPT, RSET."""
    with Sink({"rcpt": "550 5.1.1 nobody"}, lmtp=True) as sink, \
            HopLab(sink) as lab:
        r = lab.probe(lab.hop, BOB)
        assert r.is_said and r.code == 550
        assert [c.split()[0] for c in sink.commands][:3] == \
            ["LHLO", "MAIL", "RCPT"]


# ---- the whole server ----

class Fronting(Outbound):
    """A server that fronts inner.example. hop: as in the configuration."""

    def __init__(self, hop, more="", keys="", **options):
        Submission.__init__(
            self, user_lines(alice=hash_of(PASSWORD)),
            more=LISTEN + 'domain "inner.example" {{ next_hop = "%s" %s }}\n' %
            (hop, keys) + SOON + more, **options)
        self.serial = 0


@pytest.fixture(name="front")
def fixture_front():
    """front(hop, **options) -> a server that runs."""
    made = []

    def factory(hop, **options):
        server = Fronting(hop, **options)
        made.append(server)
        server.start()
        return server
    yield factory
    problems = []
    for server in made:
        server.stop()
        problems += server.problems()
        server.close()
    assert not problems


@pytest.fixture(name="dovecot")
def fixture_dovecot():
    """A real one, with mailboxes of bob and eve."""
    if not IS_ROOT:
        pytest.skip("Dovecot needs root")
    with Dovecot([BOB, EVE]) as dovecot:
        yield dovecot


@pytest.mark.parametrize("is_local", [True, False])
def test_dovecot(front, dovecot, is_local):
    """A mail program, a program of this host; who is unknown there comes
    back as a report."""
    server = front(dovecot.hop if is_local else dovecot.tcp_hop)
    text, name = server.text(recipient=BOB)
    assert server.send([BOB, EVE], text) == {}
    assert server.send_local([BOB, JIM], server.text(
        sender="alice@example.org", recipient=JIM)[0],
        sender="alice@example.org").code == 250
    server.wait_sent()
    assert len(dovecot.mail(BOB)) == 2 and len(dovecot.mail(EVE)) == 1
    mail = dovecot.mail(EVE)[0]
    assert mail.get("Message-ID") == name
    assert "=alice@example.org>" in mail.get("Return-Path")
    report, = wait_until(lambda: server.mail("alice"), 10, "a report")
    assert ("Final-Recipient: rfc822; " + JIM).encode() in report.raw
    assert b"550 5.1.1" in report.raw
    assert [e["outcome"] for e in server.events("relay")].count("taken") == 3
