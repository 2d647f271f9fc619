# SPDX-License-Identifier: ISC
"""Domains whose mailboxes are at a next hop: our own users' mail to them, by
SMTP and LMTP, over TCP and a unix socket, to servers that answer as a test
wants and to those that others run."""
import hmac
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest

from client import new_message, wire
from compartment import ASK, slice_of
from dovecot import Dovecot
from postern import IS_ROOT, free_port, wait_until
from queuelab import sealed as memfd_of
from relay_lab import FEATURES, Lab, Sink
from test_auth import ALICE, PASSWORD, Submission, hash_of, user_lines
from test_outbound import LISTEN, SOON, Outbound, id_of
from test_relay_peers import PEERS
from tls_lab import Authority

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
        wait_until(lambda: "QUIT" in sink.commands, 5, "the end")
        assert [c.split()[0] for c in sink.commands] == ["LHLO", "QUIT"]


def test_one_that_has_our_name():
    """A server of LMTP on this host is called as we are."""
    with Sink(lmtp=True, name="mx.example.org") as sink, \
            HopLab(sink) as lab:
        assert lab.deliver([BOB]).codes == [250]


def test_nobody_listens():
    """The host is bad, the message waits."""
    hop = "lmtp:[127.0.0.1]:%d" % free_port()
    with Lab(more='domain "inner.example" { next_hop = "%s" }' % hop) as lab:
        r = lab.send(hop, [BOB], TEXT)
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


def results(server, n):
    """The first n results in relay's log, once they are there."""
    wait_until(lambda: len(server.events("relay")) >= n, 20, "results")
    return server.events("relay")[:n]


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
    assert [e["outcome"] for e in results(server, 4)].count("taken") == 3


class Sinks:
    """LMTP at a unix socket of a server's folder, whose name it knows only
    when it is made."""

    def __init__(self):
        self.path = "/tmp/postern-lmtp-%d-%d" % (os.getpid(),
                                                 time.monotonic_ns())
        self.hop = "lmtp:unix:" + self.path
        self.sink = None

    def start(self, replies=None, **options):
        """It listens from now on."""
        self.sink = Sink(replies, lmtp=True, path=self.path, **options)
        return self.sink

    def stop(self):
        """Nobody listens; the path is gone, too."""
        if self.sink is not None:
            self.sink.close()
            os.unlink(self.path)
        self.sink = None


@pytest.fixture(name="local")
def fixture_local():
    """An LMTP server's socket, and nobody there yet."""
    sinks = Sinks()
    yield sinks
    sinks.stop()


def test_nobody_at_the_socket(front, local):
    """The message waits for its server, and says why."""
    server = front(local.hop)
    text, _ = server.text(recipient=BOB)
    assert server.send([BOB], text) == {}
    wait_until(lambda: server.events("relay"), 20, "a first try")
    assert server.waiting()
    wait_until(lambda: "cannot connect to %s: No such file" % local.path in
               server.ctl("queue"), 10, "why it waits")
    sink = local.start()
    server.wait_sent()
    assert [m.recipients for m in sink.messages] == [["TO:<%s>" % BOB]]
    # as long as somebody has a socket there that is not served
    local.stop()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(local.path)
    assert server.send([BOB], server.text(recipient=BOB)[0]) == {}
    wait_until(lambda: "Connection refused" in server.ctl("queue"), 20,
               "why it waits")
    os.unlink(local.path)
    sink = local.start()
    server.wait_sent()
    assert len(sink.messages) == 1


def test_a_socket_that_is_busy(front, local):
    """A queue of connections that is full is waited for (EAGAIN)."""
    server = front(local.hop)
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(local.path)
        busy.listen(0)
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(local.path)
            assert server.send([BOB], server.text(recipient=BOB)[0]) == {}
            time.sleep(1)
            assert server.events("relay") == []
    os.unlink(local.path)
    sink = local.start()
    server.wait_sent()
    assert len(sink.messages) == 1


def test_closes_after_the_dot(front, local):
    """It may have it: tried again all the same (RFC 1047), and no reply is
    made up."""
    said = []

    def dot(_, recipient):
        said.append(recipient)
        return None if len(said) == 1 else "250 2.0.0 saved"

    server = front(local.hop)
    sink = local.start({"dot": dot})
    assert server.send([BOB], server.text(recipient=BOB)[0]) == {}
    server.wait_sent()
    assert len(said) == 2 and len(sink.messages) == 1
    assert [e["code"] for e in results(server, 2)] == ["451", "250"]
    assert server.mail("alice") == []


def test_answers_that_differ(front, local):
    """Whose answer was 250 never gets a second copy; of the others one is
    tried again, one reported."""
    def dot(session, recipient):
        name = recipient[4:recipient.index("@")]
        return {"bob": "250 saved", "eve": "550 5.2.1 disabled",
                "jim": "452 4.2.2 full"}[name] if \
            len(session.sink.ended) == 1 else "250 saved"

    server = front(local.hop)
    sink = local.start({"dot": dot})
    text, name = server.text(recipient=BOB)
    assert server.send([BOB, EVE, JIM], text) == {}
    server.wait_sent()
    assert [m.recipients for m in sink.messages] == \
        [["TO:<%s>" % BOB], ["TO:<%s>" % JIM]]
    assert {id_of(m).decode() for m in sink.messages} == {name}
    report, = server.mail("alice")
    assert ("Final-Recipient: rfc822; " + EVE).encode() in report.raw
    assert b"Remote-MTA: x-unix; " + local.path.encode() in report.raw
    assert b"550 5.2.1 disabled" in report.raw and JIM.encode() not in \
        report.raw


def test_a_hundred_recipients(front, local):
    """Two jobs; every other one is refused at the end; each has one answer."""
    people = ["u%02d@inner.example" % i for i in range(100)]

    def dot(_, recipient):
        return "250 2.0.0 saved" if int(recipient[5:7]) % 2 else \
            "550 5.2.2 too much of it"

    server = front(local.hop)
    sink = local.start({"dot": dot})
    assert server.send(people, server.text(recipient=BOB)[0]) == {}
    server.wait_sent()
    assert sorted(m.recipients[0] for m in sink.messages) == \
        ["TO:<%s>" % p for p in people[1::2]]
    told = b"".join(m.raw for m in server.mail("alice"))
    assert re.findall(rb"Final-Recipient: rfc822; (\S+)", told) == \
        [p.encode() for p in people[::2]]
    assert len(sink.ended) == 2


def test_success_is_delivery(front, local):
    """NOTIFY=SUCCESS: the answer of LMTP is the mailbox's, not one more
    hop's (RFC 3461 6.3)."""
    server = front(local.hop)
    local.start(features=("PIPELINING", "8BITMIME"))
    text, _ = server.text(recipient=BOB)
    assert server.send_asking({BOB: "NOTIFY=SUCCESS"}, text) == 250
    server.wait_sent()
    report, = wait_until(lambda: server.mail("alice"), 10, "a report")
    assert b"Action: delivered" in report.raw


def test_relay_is_killed(front, local):
    """While answers are missing: sent again, and nobody is forgotten."""
    def dot(session, recipient):
        if len(session.sink.sessions) == 1 and EVE in recipient:
            time.sleep(20)
        return "250 2.0.0 saved"

    server = front(local.hop)
    server.may_crash = True
    sink = local.start({"dot": dot})
    assert server.send([BOB, EVE], server.text(recipient=BOB)[0]) == {}
    wait_until(lambda: sink.messages, 20, "a first answer")
    for pid in server.children("relay"):
        os.kill(pid, signal.SIGKILL)
    server.wait_sent()
    got = [m.recipients[0] for m in sink.messages]
    assert "TO:<%s>" % EVE in got and "TO:<%s>" % BOB in got
    assert server.mail("alice") == []


def test_a_reload_changes_the_next_hop(front, local):
    """What waits goes to the new one; a number means the same socket after
    it as before."""
    server = front("lmtp:[127.0.0.1]:9", keys='same_as = {{ "old.example" }}')
    other = Sinks()
    try:
        there = other.start()
        here = local.start()
        assert server.send([BOB], server.text(recipient=BOB)[0]) == {}
        wait_until(lambda: server.events("relay"), 20, "a first try")
        more = server.pieces["more"]
        server.write_config(more=more.replace("lmtp:[127.0.0.1]:9",
                                              local.hop))
        server.reload()
        server.wait_sent()
        assert len(here.messages) == 1
        # another domain is put before it: numbers move
        server.write_config(more='domain "new.example" {{ next_hop = "%s" '
                            '}}\n' % other.hop + more.replace(
                                "lmtp:[127.0.0.1]:9", local.hop))
        server.reload()
        assert server.send(["x@new.example", EVE],
                           server.text(recipient=BOB)[0]) == {}
        server.wait_sent()
        assert [m.recipients[0] for m in there.messages] == \
            ["TO:<x@new.example>"]
        assert here.messages[-1].recipients == ["TO:<%s>" % EVE]
    finally:
        other.stop()


# ---- SMTP ----

def test_smtp(front):
    """No MX is asked for; the sender is tagged, as for any host."""
    with Sink() as sink:
        server = front(hop_of(sink, "smtp"))
        assert server.send([BOB, "x@INNER.example"],
                           server.text(recipient=BOB)[0]) == {}
        server.wait_sent()
        message, = sink.messages
        assert len(message.recipients) == 2
        assert re.match(r"FROM:<prvs=\w+=alice@example\.org>",
                        message.sender)
        assert results(server, 1)[0]["host"] == "127.0.0.1[127.0.0.1]"


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_probe(front, protocol):
    """Who is unknown there is refused at RCPT, where probe is on."""
    def rcpt(_, arg):
        return "550 5.1.1 nobody" if EVE in arg else "250 ok"

    with Sink({"rcpt": rcpt}, lmtp=protocol == "lmtp") as sink:
        server = front(hop_of(sink, protocol),
                       more="submission {{ probe = true }}\n")
        refused = server.send([BOB, EVE], server.text(recipient=BOB)[0])
        assert list(refused) == [EVE] and refused[EVE][0] == 550
        assert b"5.1.1" in refused[EVE][1] and b"nobody" in refused[EVE][1]
        server.wait_sent()
        assert len(sink.messages) == 1


def test_tls_required(front, tmp_path):
    """Without TLS, or with another's certificate, it waits."""
    with Sink() as sink:
        server = front(hop_of(sink, "smtp"), keys="tls = required")
        assert server.send([BOB], server.text(recipient=BOB)[0]) == {}
        wait_until(lambda: server.events("relay"), 20, "a first try")
        assert server.events("relay")[0]["code"] == "451"
        assert "TLS is required" in server.events("relay")[0]["says"]
        assert sink.messages == [] and server.waiting()


@pytest.fixture(scope="module", name="ca")
def fixture_ca(tmp_path_factory):
    """Whom relay trusts."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
@pytest.mark.parametrize("keys, relay_tls, certificate, code, tls", [
    ("tls = required", "opportunistic", "127.0.0.1", 250, "verified"),
    ("tls = required", "opportunistic", "127.0.0.2", 451, ""),
    ("tls = required", "off", "other.example", 451, ""),
    ("tls = opportunistic", "required", "other.example", 250, "TLSv1.3"),
    ("tls = off", "required", "127.0.0.1", 250, ""),
    ("", "required", "127.0.0.1", 250, "verified"),
    ("", "required", "other.example", 451, ""),
    ("", "dane", "other.example", 250, "TLSv1.3"),
])
def test_tls(ca, protocol, keys, relay_tls, certificate, code, tls):
    """What the domain says counts; else what relay's section says."""
    with Sink(lmtp=protocol == "lmtp", tls=ca.sign(certificate)) as sink, \
            HopLab(sink, protocol, keys, config='tls = %s\nca_file = "%s"' %
                   (relay_tls, ca.path)) as lab:
        r = lab.deliver([BOB])
        assert r.codes == [code], r[0]
        assert (tls in r.tls) if tls else "TLS" not in r.tls or code == 451
        assert len(sink.messages) == (code == 250)
        if code == 250:
            assert sink.sessions[0].is_tls == bool(tls)


def test_requiretls(front, local):
    """A unix socket has nobody between (RFC 8689 asks for TLS on the way);
    LMTP over TCP without it does not do."""
    server = front(local.hop)
    sink = local.start()
    text, _ = server.text(recipient=BOB)
    assert server.send_asking({BOB: ""}, text, ["REQUIRETLS"]) == 250
    server.wait_sent()
    assert len(sink.messages) == 1
    with Sink(lmtp=True) as far, HopLab(far) as lab:
        assert lab.deliver([BOB], tls=True).codes[0] // 100 in (4, 5)
        assert far.messages == []


@pytest.mark.skipif(not IS_ROOT, reason="servers want root")
def test_dovecot_with_tls(ca):
    """STARTTLS behind LHLO, and a certificate for the address."""
    with Dovecot([BOB], tls=ca.sign("127.0.0.1")) as dovecot, \
            Lab(config='ca_file = "%s"' % ca.path, more='domain '
                '"inner.example" { next_hop = "%s" tls = required }' %
                dovecot.tcp_hop) as lab:
        r = lab.send(dovecot.tcp_hop, [BOB, JIM], TEXT)
        assert r.codes == [250, 550] and r.tls.endswith(" verified")
        assert len(dovecot.mail(BOB)) == 1


@pytest.mark.skipif(not IS_ROOT, reason="servers want root")
@pytest.mark.parametrize("name", PEERS)
def test_peers(front, name):
    """Debian's Exim and Postfix behind us."""
    with PEERS[name]() as peer:
        # Postfix has mailboxes of this domain alone
        server = front("smtp:[127.0.0.1]:%d" % peer.port, keys="same_as = "
                       '{{ "example.net" }}')
        text, message_id = server.text(body="Hello there.\n")
        assert server.send(["bob@example.net", "refused@example.net"],
                           text) == {}
        server.wait_sent()
        wait_until(lambda: message_id.encode() in peer.mail(), 20,
                   "the message there")
        report, = wait_until(lambda: server.mail("alice"), 10, "a report")
        assert b"refused@example.net" in report.raw
        taken, = (e for e in results(server, 2) if e["outcome"] == "taken")
        assert taken["tls"].startswith("TLSv1.3")


# ---- reports come home ----

DORA = "dora@inner.example"


class Homes(Fronting):
    """dora has a password here and her mailbox behind hop; all mail for
    remote.example goes to a server of SMTP that does not want it."""

    def __init__(self, hop, sink, more=""):
        super().__init__(hop, more="auth {{ users = \"{folder}/accounts\" }}"
                         "\nrelay {{ smart_host = \"smtp:[127.0.0.1]:%d\" }}\n"
                         % sink.port + more)
        self.write("accounts", '%s password="%s"\n' % (DORA,
                                                       hash_of(PASSWORD)))

    def send_as_dora(self, recipient="bob@remote.example"):
        """A message that fails; its Message-ID."""
        text, name = self.text(sender=DORA, recipient=recipient)
        with self.submit() as client:
            client.login(DORA, PASSWORD)
            assert client.sendmail(DORA, [recipient], text) == {}
        return name


@pytest.fixture(name="homes")
def fixture_homes():
    """homes(hop) -> (server, the sink of the world)."""
    made = []

    def factory(hop, **options):
        sink = Sink({"rcpt": "550 5.1.1 nobody"})
        server = Homes(hop, sink, **options)
        made.extend((server, sink))
        server.start()
        return server, sink
    yield factory
    problems = []
    for thing in made:
        if isinstance(thing, Homes):
            thing.stop()
            problems += thing.problems()
        thing.close()
    assert not problems


def test_report_by_lmtp(homes, local):
    """P5: into the account's own mailbox, from nobody, and to nobody else."""
    there = local.start()
    server, world = homes(local.hop)
    name = server.send_as_dora()
    server.wait_sent()
    report, = there.messages
    assert report.sender.split()[0] == "FROM:<>"
    assert report.recipients == ["TO:<%s>" % DORA]
    assert b"Action: failed" in report.text
    assert name.encode() in report.text
    assert world.messages == [] and server.mail("alice") == []
    assert not any("FROM:<>" in c for c in world.commands)
    reported = server.wait_event("reported")
    assert reported["to"] == "the account"


def test_report_waits_for_its_server(homes, local):
    """Nobody there: tried again, and never sent elsewhere meanwhile."""
    server, world = homes(local.hop)
    server.send_as_dora()
    wait_until(lambda: server.events("report_deferred"), 20, "a try")
    assert server.waiting() and server.mail("alice") == []
    there = local.start()
    server.wait_sent()
    assert len(there.messages) == 1 and world.messages == []


@pytest.mark.parametrize("stage", ["mail", "rcpt", "dot"])
def test_report_that_is_refused(homes, local, stage):
    """Postmaster has it."""
    there = local.start({stage: "550 5.2.1 disabled"})
    server, world = homes(local.hop)
    server.send_as_dora()
    server.wait_sent()
    assert len(server.mail("alice")) == 1
    assert there.messages == [] and world.messages == []


def test_report_not_by_smtp(homes):
    """A next hop of SMTP could send it on: postmaster has it instead."""
    with Sink() as behind:
        server, world = homes(hop_of(behind, "smtp"))
        server.send_as_dora()
        server.wait_sent()
        assert len(server.mail("alice")) == 1
        assert behind.messages == [] and world.messages == []


def test_report_into_dovecot(homes, dovecot):
    """The whole way, with a real server at the end."""
    dovecot.write("passwd", "%s:{PLAIN}secret::::::\n" % DORA)
    server, _ = homes(dovecot.hop)
    server.send_as_dora()
    server.wait_sent()
    report, = dovecot.mail(DORA)
    assert report.get("Return-Path") == "<>"
    assert report.get("Auto-Submitted") == "auto-replied"


def test_who_may_write_as_whom(front, local):
    """An account of such a domain has its own name there, and no other."""
    local.start()
    server = front(local.hop, more="auth {{ users = \"{folder}/accounts\" }}"
                   "\n")
    server.write("accounts", '%s password="%s"\nalice@example.org '
                 'password="%s"\n' % (DORA, *[hash_of(PASSWORD)] * 2))
    server.ctl("tables", "compile")
    with server.submit() as client:
        client.login(DORA, PASSWORD)
        assert client.mail("dora+x@inner.example")[0] == 250
        client.rset()
        assert client.mail(BOB)[0] == 553
    with server.submit() as client:
        client.login("alice@example.org", PASSWORD)
        assert client.mail(DORA)[0] == 553


def test_a_bounce_for_such_an_account(homes, local):
    """The tag that its mail has left with is taken off before the next hop
    is asked; one that is not ours is the next hop's to judge."""
    there = local.start()
    server, world = homes(local.hop)
    world.replies.clear()
    server.send_as_dora()
    server.wait_sent()
    sender, = re.findall(r"FROM:<(prvs=\S+@inner\.example)>",
                         world.messages[0].sender)
    end = sender.index("=", 5) - 1      # the last digit of the MAC
    wrong = sender[:end] + ("1" if sender[end] == "0" else "0") + \
        sender[end + 1:]
    with server.connect() as client:
        client.ehlo()
        for rcpt in (sender, wrong):
            client.command("MAIL FROM:<>")
            assert client.command("RCPT TO:<%s>" % rcpt).code == 250
            client.command("RSET")
    asked = [c for c in there.commands if c.startswith("RCPT")]
    assert asked == ["RCPT TO:<%s>" % DORA, "RCPT TO:<%s>" % wrong]


# ---- from outside: the server's answers are ours ----

@pytest.mark.parametrize("is_local", [True, False])
def test_outside_dovecot(front, dovecot, is_local):
    """RCPT and the dot are answered by Dovecot; nothing is kept here."""
    server = front(dovecot.hop if is_local else dovecot.tcp_hop)
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<a@elsewhere.example>", "250")
        client.expect("RCPT TO:<%s>" % BOB, "250")
        client.expect("RCPT TO:<%s>" % JIM, "550 5.1.1")
        client.expect("RCPT TO:<%s>" % EVE, "250")
        client.expect("RCPT TO:<alice@example.org>", "250")
        text = new_message(body=".\n..dots\n")
        reply = client.data(text)
        assert reply.says("250") and dovecot.folder not in repr(reply)
    for mail in (dovecot.mail(BOB), dovecot.mail(EVE), server.mail("alice")):
        assert len(mail) == 1 and mail[0].body == b".\n..dots\n"
    assert dovecot.mail(BOB)[0].get("Return-Path") == "<a@elsewhere.example>"
    assert server.waiting() == []


def test_outside_dovecot_is_full(front):
    """Quota: Dovecot tells it at RCPT, or after the dot for one alone."""
    if not IS_ROOT:
        pytest.skip("Dovecot needs root")
    with Dovecot([BOB, EVE], quota="20k") as dovecot:
        server = front(dovecot.hop)
        big = new_message(body="x" * 70 + "\n" + ("y" * 70 + "\n") * 150)
        assert server.deliver([BOB], big).says("250")
        reply = server.deliver([BOB, EVE, "alice@example.org"], big)
        assert reply.says("452 4.2.2"), reply
        assert dovecot.folder not in repr(reply)
        assert len(dovecot.mail(BOB)) == 1
        assert server.mail("alice") == []
        had = len(dovecot.mail(EVE))
        with server.connect() as client:
            client.ehlo()
            client.envelope([EVE])
            bob = client.command("RCPT TO:<%s>" % BOB)
            assert str(bob.code)[0] in "45", bob
            client.expect("RCPT TO:<alice@example.org>", "250")
            assert client.data(big).says("250")
        assert had + len(dovecot.mail(EVE)) >= 1
        assert len(dovecot.mail(EVE)) == 1 and len(server.mail("alice")) == 1


def test_outside_answers_that_differ(front, local):
    """451 now; the retry's RCPTs have each its own answer, and nobody has a
    second copy."""
    def dot(session, recipient):
        name = recipient[4:recipient.index("@")]
        return {"bob": "250 2.0.0 saved", "eve": "550 5.2.1 disabled",
                "jim": "452 4.2.2 full"}[name]

    server = front(local.hop)
    sink = local.start({"dot": dot})
    to = [BOB, EVE, JIM, "alice@example.org"]
    text = new_message()
    reply = server.deliver(to, text)
    assert reply.says("451"), reply
    server.why(reply, ": 250 2.0.0 saved", ": 550 5.2.1 disabled")
    assert server.mail("alice") == [] and len(sink.messages) == 1
    with server.connect() as client:
        client.ehlo()
        client.envelope([BOB])
        client.expect("RCPT TO:<%s>" % EVE, "550 5.2.1")
        client.expect("RCPT TO:<%s>" % JIM, "452 4.2.2")
        client.expect("RCPT TO:<alice@example.org>", "250")
        assert client.data(text).says("250")
    assert len(sink.messages) == 1 and len(sink.ended) == 1
    assert len(server.mail("alice")) == 1


@pytest.mark.parametrize("words", ["550 5.2.1 disabled", "554 5.7.1 spam",
                                   "550 no"])
def test_outside_all_refused(front, local, words):
    """All of them for good: that is the reply, and of no other message."""
    server = front(local.hop)
    sink = local.start({"dot": words})
    code = words.split()[0]
    assert server.deliver([BOB], new_message()).says(code)
    reply = server.deliver([BOB, EVE], new_message())
    assert reply.says(code) and "<%s>: " % BOB in reply.text, reply
    assert sink.messages == []
    sink.replies["dot"] = "250 2.0.0 saved"
    assert server.deliver([BOB, EVE], new_message()).says("250")


def try_until_said(server, left, text, sessions=8):
    """As a client does that comes back with whom it has no word of: what
    each has read in the end, and how often."""
    said = {}
    for _ in range(sessions):
        with server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<sender@elsewhere.example>", "250")
            replies = {who: client.command("RCPT TO:<%s>" % who)
                       for who in left}
            taken = [who for who in left if replies[who].code == 250]
            if taken:
                replies.update(dict.fromkeys(taken, client.data(text)))
            client.quit()
        for who in left:
            if replies[who].code // 100 != 4:
                said[who] = replies[who]
        left = [who for who in left if who not in said]
        if not left:
            break
    return said


@pytest.mark.parametrize("bob", ["250 2.0.0 saved", "450 4.2.0 locked"])
@pytest.mark.parametrize("alice", [(), ("alice@example.org",)])
def test_outside_refused_for_its_content(front, local, bob, alice):
    """What LMTP says of one recipient and this message (554 5.7.1) is not
    said to another message from the same sender; but it is said, whatever
    becomes of the others."""
    server = front(local.hop)
    text, other = new_message("bad"), new_message("another")
    sink = local.start({"dot": lambda session, who: bob if BOB in who else
                        "554 5.7.1 spam" if b"Subject: bad" in
                        session.sink.ended[-1].text else "250 2.0.0 saved"})
    assert server.deliver([BOB, EVE, *alice], text).code // 100 == 4
    reply = server.rcpt(EVE, sender="sender@elsewhere.example")
    assert reply.code in (250, 451), reply
    said = try_until_said(server, [BOB, EVE, *alice], text)
    assert said[EVE].says("554 5.7.1") and "spam" in said[EVE].text
    assert [said[who].code for who in alice] == [250] * len(alice)
    assert len(server.mail("alice")) == len(alice)
    assert (BOB in said) == bob.startswith("250")
    assert server.deliver([EVE], other).says("250")
    assert b"Subject: another" in sink.messages[-1].text


@pytest.mark.parametrize("at", [BOB, EVE])
def test_outside_closes_after_the_dot(front, local, at):
    """Who has been answered for is not sent again; the others are."""
    gone = []

    def dot(_, recipient):
        if at in recipient and not gone:
            gone.append(recipient)
            time.sleep(0.5)
            return None
        return "250 2.0.0 saved"

    server = front(local.hop)
    sink = local.start({"dot": dot})
    text = new_message()
    reply = server.deliver([BOB, EVE, "alice@example.org"], text)
    assert reply.says("451 4.4.2"), reply
    assert server.mail("alice") == []
    assert server.deliver([BOB, EVE, "alice@example.org"],
                          text).says("250")
    assert sorted(m.recipients[0] for m in sink.messages) == \
        ["TO:<%s>" % BOB, "TO:<%s>" % EVE]
    assert len(server.mail("alice")) == 1


def test_outside_421_for_one(front, local):
    """It is his reply; who is behind him and was taken is not sent again."""
    def dot(_, recipient):
        return "421 4.3.2 busy" if BOB in recipient else "250 2.0.0 saved"

    server = front(local.hop)
    sink = local.start({"dot": dot})
    text = new_message()
    reply = server.deliver([BOB, EVE], text)
    assert reply.says("451 4.3.2") and "busy" in reply.text, reply
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<sender@elsewhere.example>", "250")
        client.expect("RCPT TO:<%s>" % BOB, "451 4.3.2")    # remembered
        client.expect("RCPT TO:<%s>" % EVE, "250")
        assert client.data(text).says("250")
    assert [m.recipients[0] for m in sink.messages] == ["TO:<%s>" % EVE]


def test_outside_nobody_there(front, local):
    """Not now, and nothing of it is kept; as soon as it is back it is
    asked."""
    server = front(local.hop)
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<a@elsewhere.example>", "250")
        client.expect("RCPT TO:<%s>" % BOB, "451 4.4.1")
        local.start()
        client.expect("RCPT TO:<%s>" % BOB, "250")
        assert client.data(new_message()).says("250")


def test_outside_many(front, local):
    """A hundred in one dialogue; the next one is told to come again."""
    server = front(local.hop)
    sink = local.start()
    people = ["u%02d@inner.example" % i for i in range(101)]
    text = new_message()
    with server.connect() as client:
        client.ehlo()
        client.envelope(people[:100])
        client.expect("RCPT TO:<%s>" % people[100], "452 4.5.3")
        assert client.data(text).says("250")
    assert [m.recipients[0] for m in sink.messages] == \
        ["TO:<%s>" % p for p in people[:100]]
    assert len(sink.ended) == 1


def test_outside_prdr(front, local):
    """Each his own reply (PRDR), those of LMTP among them; nothing is sent
    again to whom it was taken for."""
    def dot(_, recipient):
        return "550 5.2.1 disabled" if EVE in recipient else "250 2.0.0 ok"

    server = front(local.hop)
    sink = local.start({"dot": dot})
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<a@elsewhere.example> PRDR", "250")
        for who in (BOB, EVE, "alice@example.org"):
            client.expect("RCPT TO:<%s>" % who, "250")
        reply = client.data(new_message())
        said = [reply] + [client.reply() for _ in range(4)]
    assert [str(r.code) for r in said] == ["353", "250", "550", "250", "250"]
    assert len(sink.messages) == 1 and len(server.mail("alice")) == 1


def test_our_own_alias_to_lmtp(front, local):
    """An alias that leads there: our own users' mail is queued for it."""
    server = front(local.hop, more="")
    server.write("aliases", "postmaster: alice\nabuse: alice\nroot: alice\n"
                 "friend: %s\n" % BOB)
    server.ctl("tables", "compile")
    sink = local.start()
    assert server.send(["friend@example.org"], server.text()[0]) == {}
    server.wait_sent()
    assert [m.recipients[0] for m in sink.messages] == ["TO:<%s>" % BOB]


# ---- what relay follows for queue ----

def sealed_route(destination, session="S1", expires=3600, key=bytes(32),
                 forward=False):
    """A route as directory seals it (lib/hop_route.c)."""
    octets = struct.pack("!BQ", 1, int(time.time()) + expires) + b"".join(
        slice_of(s) for s in (DORA, session, destination)) + \
        bytes([False, forward]) + slice_of(
            "example.org" if forward else "") + slice_of(DORA)
    return octets + hmac.digest(key, octets, "sha256")


def bring_home(lab, sealed, session="S1", text=b"Subject: report\n\nx\n"):
    """RELAY_HOME; (code, text), or None: relay has hung up on us."""
    fd = memfd_of(text)
    lab.queue.send(ASK["RELAY_HOME"], slice_of(session) + slice_of(sealed) +
                   struct.pack("!QBB", len(text), False, False), fd,
                   number=77, deadline_ms=20000)
    os.close(fd)
    message = lab.queue.receive(20)
    if message is None:
        return None
    kind, number, payload = message
    assert (kind, number) == (ASK["RELAY_HOMED"], 77)
    code, = struct.unpack_from("!H", payload, 7)
    return code


def test_home_by_a_good_seal():
    with Sink(lmtp=True) as sink, HopLab(sink) as lab:
        assert bring_home(lab, sealed_route(lab.hop)) == 250
        message, = sink.messages
        assert message.sender.split()[0] == "FROM:<>"
        # of a configuration that is gone
        with Sink(lmtp=True) as other:
            assert bring_home(lab, sealed_route(hop_of(other, "lmtp"))) == 451
            assert other.sessions == []
        # the clock was set meanwhile
        assert bring_home(lab, sealed_route(lab.hop, expires=-5)) == 451
        assert len(sink.sessions) == 1


@pytest.mark.parametrize("what", ["key", "session", "smtp", "domain",
                                  "forward"])
def test_home_by_no_other_seal(what):
    """A queue that is taken over cannot have a report sent anywhere else."""
    with Sink(lmtp=what != "smtp") as sink, HopLab(
            sink, "smtp" if what == "smtp" else "lmtp") as lab:
        seal = {
            "key": lambda: sealed_route(lab.hop, key=b"x" * 32),
            "session": lambda: sealed_route(lab.hop, session="S2"),
            "smtp": lambda: sealed_route(lab.hop),
            "domain": lambda: sealed_route("remote.example"),
            "forward": lambda: sealed_route(lab.hop, forward=True)}[what]()
        assert bring_home(lab, seal) is None
        lab.relay.wait_event("suspected_break_in")
        assert sink.sessions == []


def test_outside_relay_is_killed(front, local):
    """While an answer is missing: 451, no mailbox has it; the retry brings
    each his own, and whose answer was lost twice at worst (RFC 1047)."""
    is_asked = threading.Event()

    def dot(session, recipient):
        if len(session.sink.ended) == 1 and EVE in recipient:
            is_asked.set()
            time.sleep(20)
        return "250 2.0.0 saved"

    server = front(local.hop)
    server.may_crash = True
    sink = local.start({"dot": dot})
    text = new_message()
    with server.connect() as client:
        client.ehlo()
        client.envelope([BOB, EVE, "alice@example.org"])
        client.expect("DATA", "354")
        client.send(wire(text))
        assert is_asked.wait(20), "the message there"
        for pid in server.children("relay"):
            os.kill(pid, signal.SIGKILL)
        assert client.reply().says("451")
    assert server.mail("alice") == []
    wait_until(lambda: server.children("relay"), 20, "another relay")
    wait_until(lambda: server.deliver([BOB, EVE, "alice@example.org"],
                                      text).says("250"), 20, "a 250", 1)
    assert len(server.mail("alice")) == 1
    got = [m.recipients[0] for m in sink.messages]
    assert got.count("TO:<%s>" % EVE) >= 1 and \
        got.count("TO:<%s>" % BOB) in (1, 2)


def test_ipv6():
    """A server at ::1."""
    with Sink(lmtp=True, address="::1") as sink:
        hop = "lmtp:[::1]:%d" % sink.port
        with Lab(more='domain "inner.example" { next_hop = "%s" }' % hop) as \
                lab:
            r = lab.send(hop, [BOB], TEXT)
            assert r.codes == [250] and r[0].host == "::1[::1]"
