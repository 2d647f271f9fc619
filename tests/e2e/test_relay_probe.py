# SPDX-License-Identifier: ISC
"""relay is asked whether a next hop would take a recipient: what counts as
its answer and what does not, what is kept, how often it is asked, and that
messages have the way."""
import threading
import time

import pytest

from compartment import ASK, slice_of
from postern import free_port, wait_until
from relay_lab import FEATURES, Lab, Sink
from test_relay_tls import Authority, NAME, lab_for

BOB = "bob@example.net"
TABLE = {("example.net", "MX"): ["10 mx.example.net"],
         ("mx.example.net", "A"): ["127.0.0.1"]}
TEXT = b"Subject: x\n\nhi\n"
NOBODY = "550 5.1.1 nobody of this name"


def verbs(sink):
    """Of all commands but those of the connection's beginning."""
    return [c.split()[0] for c in sink.commands
            if not c.startswith(("EHLO", "HELO"))]


@pytest.fixture(name="start")
def fixture_start():
    """start(replies, **options of the Lab) -> (lab, sink)."""
    made = []

    def factory(replies=None, features=FEATURES, table=None, **options):
        sink = Sink(dict(replies or {}), features)
        lab = Lab(table or TABLE, sink.port, **options)
        made.extend((lab, sink))
        return lab, sink
    yield factory
    for thing in made:
        thing.close()


# ---- what was said ----

@pytest.mark.parametrize("features", [FEATURES, ("8BITMIME",)],
                         ids=["pipelining", "one by one"])
@pytest.mark.parametrize("reply, code, enhanced, text", [
    ("250 2.1.5 ok", 250, "2.1.5", "ok"),
    ("252 2.1.5 perhaps", 250, "2.1.5", "perhaps"),
    (NOBODY, 550, "5.1.1", "nobody of this name"),
    ("550 nobody", 550, "5.0.0", "nobody"),
    ("550-5.1.1 one\r\n550 5.1.1 two", 550, "5.1.1", "one two"),
    ("554 5.7.1 \x1b[31mred\x07", 554, "5.7.1", "[31mred"),
    ("450 4.7.1 greylisted", 450, "4.7.1", "greylisted"),
    # too many recipients (RFC 5321 4.5.3.1.10)
    ("552 too many", 452, "4.0.0", "too many"),
    ("552 5.2.2 full", 552, "5.2.2", "full"),
])
def test_said(start, features, reply, code, enhanced, text):
    lab, sink = start({"rcpt": reply}, features)
    r = lab.probe("example.net", BOB)
    assert r == (True, "rcpt", code, enhanced, text,
                 "mx.example.net[127.0.0.1]", 0)
    sender, recipient, *_ = [c for c in sink.commands if "FROM" in c or
                             "TO" in c]
    assert sender == "MAIL FROM:<prvs=1=a@example.org>"
    assert recipient == "RCPT TO:<bob@example.net>"
    wait_until(lambda: "RSET" in verbs(sink), 5, "RSET")
    assert sink.ended == []


# ---- what says nothing ----

def closes(*_):
    """As a server that dies."""


def hangs(session, _):
    """Says nothing until the client has gone, whatever else was sent."""
    while session.more():
        pass


@pytest.mark.parametrize("features", [FEATURES, ("8BITMIME",)],
                         ids=["pipelining", "one by one"])
@pytest.mark.parametrize("replies, stage", [
    ({"greeting": "554 5.7.1 go away"}, "greeting"),
    ({"greeting": "421 4.7.0 later"}, "greeting"),
    ({"greeting": hangs}, "greeting"),
    ({"greeting": closes}, "greeting"),
    ({"ehlo": "550 5.7.1 no", "helo": "550 5.7.1 no"}, "hello"),
    ({"ehlo": hangs}, "hello"),
    # what RCPT is told then is about the MAIL that is missing
    ({"mail": "550 5.7.1 not from you", "rcpt": "503 5.5.1 MAIL first"},
     "mail"),
    ({"mail": "450 4.7.1 later", "rcpt": "503 5.5.1 MAIL first"}, "mail"),
    ({"mail": hangs}, "mail"),
    ({"mail": closes}, "mail"),
    ({"rcpt": "421 4.3.2 bye"}, "mail"),
    ({"rcpt": hangs}, "rcpt"),
    ({"rcpt": closes}, "rcpt"),
    ({"rcpt": "nonsense"}, "rcpt"),
    ({"rcpt": "550-5.1.1 one\r\n250 two"}, "rcpt"),
    ({"rcpt": "350 5.1.1 what"}, "rcpt"),
])
def test_not_said(start, features, replies, stage):
    lab, sink = start(replies, features)
    began = time.monotonic()
    r = lab.probe("example.net", BOB, deadline_ms=1300)
    assert time.monotonic() - began < 1.3
    assert not r.is_said and r.stage == stage and r.code >= 400, r
    assert sink.ended == []
    # no host is left alone for it: the message comes, and is tried
    sink.replies.clear()
    assert lab.send("example.net", [BOB], TEXT).codes == [250]


def test_nobody_listens():
    with Lab(TABLE, free_port()) as lab:
        r = lab.probe("example.net", BOB)
        assert not r.is_said and r.stage == "connect"
        assert r.host == "mx.example.net[127.0.0.1]"


@pytest.mark.parametrize("table, stage", [
    ({("example.net", "MX"): "silent"}, "connect"),
    ({("example.net", "MX"): 3}, "dns"),
    ({}, "dns"),
    ({("example.net", "MX"): ["0 ."]}, "dns"),
    # our own name: a loop
    ({("example.net", "MX"): ["10 mx.example.org"],
      ("mx.example.org", "A"): ["127.0.0.1"]}, "dns"),
])
def test_no_host(start, table, stage):
    lab, sink = start(table={**table, ("other.example", "A"): []})
    r = lab.probe("example.net", BOB, deadline_ms=1300)
    assert not r.is_said and r.stage == stage, r
    assert sink.sessions == []


def test_the_next_host_is_asked(start):
    """One that is down, one that refuses."""
    table = {("example.net", "MX"): ["10 a.example.net", "20 b.example.net"],
             ("a.example.net", "A"): ["127.0.0.66"],
             ("b.example.net", "A"): ["127.0.0.1"]}
    lab, _ = start({"rcpt": NOBODY}, table=table)
    r = lab.probe("example.net", BOB)
    assert r.is_said and r.code == 550 and r.host.startswith("b."), r


def test_smtputf8(start):
    lab, sink = start()
    assert lab.probe("example.net", "bøb@example.net", utf8=True).is_said
    assert any("MAIL" in c and c.endswith(" SMTPUTF8")
               for c in sink.commands)
    lab, sink = start(features=("8BITMIME",))
    r = lab.probe("example.net", "bøb@example.net", utf8=True)
    assert not r.is_said and verbs(sink) == []
    # whether its message needs it is not known before it comes
    lab, sink = start(features=("8BITMIME",))
    assert lab.probe("example.net", "bob@bücher.example", utf8=True).is_said
    assert "RCPT TO:<bob@xn--bcher-kva.example>" in sink.commands
    assert " SMTPUTF8" not in "".join(sink.commands)


# ---- TLS, as for mail ----

@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def test_tls_is_demanded_and_absent(ca):
    with Sink({"rcpt": NOBODY}) as sink, \
            lab_for(sink, ca, mode="required") as lab:
        r = lab.probe("example.net", BOB)
        assert not r.is_said and r.stage == "tls", r
        wait_until(lambda: verbs(sink) == ["QUIT"], 5, "QUIT")


@pytest.mark.parametrize("is_good", [True, False])
def test_dane(ca, is_good):
    pair = ca.sign(NAME)
    tlsa = ca.tlsa(pair[0]) if is_good else "3 1 1 " + "ab" * 32
    with Sink({"rcpt": NOBODY}, tls=pair) as sink, \
            lab_for(sink, ca, [tlsa]) as lab:
        r = lab.probe("example.net", BOB)
        assert r.is_said == is_good and (is_good or r.stage == "tls"), r
        assert ("RCPT" in verbs(sink)) == is_good


def test_requiretls(ca):
    """Nothing proves the name of a host in a zone that is not signed."""
    with Sink({"rcpt": NOBODY}, tls=ca.sign(NAME)) as sink, \
            lab_for(sink, ca, secure=()) as lab:
        r = lab.probe("example.net", BOB, tls=True)
        assert not r.is_said and r.stage == "tls", r
        assert sink.sessions == []


# ---- connections ----

def test_the_message_takes_the_same_connection(start):
    lab, sink = start(features=("PIPELINING",))
    assert lab.probe("example.net", BOB).code == 250
    wait_until(lambda: lab.counts()["connections_idle"] == "1", 5, "its end")
    assert lab.send("example.net", [BOB], TEXT).codes == [250]
    assert len(sink.sessions) == 1
    assert verbs(sink) == ["MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]


def test_one_that_refused_is_not_used_again(start):
    """Servers count faults."""
    lab, sink = start({"rcpt": NOBODY})
    assert lab.probe("example.net", BOB).code == 550
    wait_until(lambda: "QUIT" in verbs(sink), 5, "its end")
    sink.replies.clear()
    assert lab.send("example.net", [BOB], TEXT).codes == [250]
    assert len(sink.sessions) == 2


def test_half_of_the_places_stay_free(start):
    """With ten connections at a host nothing is asked there."""
    goes_on = threading.Event()

    def dot(*_):
        goes_on.wait(30)
        return "250 2.0.0 taken"
    lab, sink = start({"dot": dot})
    jobs = [lab.begin("example.net", [BOB], TEXT) for _ in range(10)]
    wait_until(lambda: len(sink.ended) == 10, 15, "ten messages")
    r = lab.probe("example.net", BOB)
    assert not r.is_said and "no connection is free" in r.text
    assert len(sink.sessions) == 10
    # it says nothing about the destination: no rest follows
    goes_on.set()
    for job in jobs:
        assert lab.wait(job).codes == [250]
    assert lab.probe("example.net", BOB).is_said


def test_messages_go_on_while_probes_wait(start):
    lab, sink = start({"rcpt": lambda s, arg: hangs(s, arg) if "slow" in
                       arg else "250 2.1.5 ok"})
    probes = [lab.ask("example.net", "slow%d@example.net" % i,
                      deadline_ms=6000) for i in range(4)]
    wait_until(lambda: verbs(sink).count("RCPT") == 4, 10, "four probes")
    began = time.monotonic()
    assert lab.send("example.net", [BOB], TEXT).codes == [250]
    assert time.monotonic() - began < 3
    assert not any(lab.heard(p).is_said for p in probes)


# ---- kept, limited ----

def test_kept(start):
    lab, sink = start({"rcpt": lambda s, arg: NOBODY if "eve" in arg else
                       "450 4.7.1 later" if "later" in arg else
                       "250 2.1.5 ok"})
    for name, code in (("bob", 250), ("eve", 550), ("later", 450)):
        address = name + "@example.net"
        first = lab.probe("example.net", address)
        n = len(sink.commands)
        again = lab.probe("example.net", address)
        assert first.code == again.code == code
        assert (first.age_s, again.age_s) == (0, 1)
        assert again._replace(age_s=0) == first
        assert verbs(sink).count("RCPT") == 1 or name != "bob"
        time.sleep(0.1)
        assert [c for c in sink.commands[n:] if c.startswith("RCPT")] == []
    # whoever else writes may be told something else
    n = verbs(sink).count("RCPT")
    assert lab.probe("example.net", "eve@example.net",
                     sender="b@example.org").age_s == 0
    assert verbs(sink).count("RCPT") == n + 1


def test_one_that_does_not_answer_rests(start):
    lab, sink = start({"greeting": hangs})
    assert not lab.probe("example.net", BOB, deadline_ms=1000).is_said
    n = len(sink.sessions)
    began = time.monotonic()
    r = lab.probe("example.net", "eve@example.net")
    assert time.monotonic() - began < 1 and "not asked" in r.text
    assert len(sink.sessions) == n


def test_not_too_many_at_once(start):
    lab, sink = start({"rcpt": hangs})
    probes = [lab.ask("example.net", "u%d@example.net" % i,
                      deadline_ms=3000) for i in range(10)]
    replies = [lab.heard(p) for p in probes]
    assert sum("not asked" in r.text for r in replies) == 6
    assert len(sink.sessions) == 4


def test_not_too_many_that_are_refused(start):
    lab, sink = start({"rcpt": NOBODY})
    replies = [lab.probe("example.net", "u%d@example.net" % i)
               for i in range(14)]
    assert [r.is_said for r in replies] == [True] * 10 + [False] * 4
    assert verbs(sink).count("RCPT") == 10


def test_not_too_often(start):
    lab, sink = start()
    began = time.monotonic()
    replies = [lab.probe("example.net", "u%d@example.net" % i)
               for i in range(60)]
    took = time.monotonic() - began
    asked = sum(r.is_said for r in replies)
    assert 20 <= asked <= 21 + took
    assert verbs(sink).count("RCPT") == asked


# ---- who asks ----

@pytest.mark.parametrize("payload", [
    b"", b"\0\0", b"\0\0" * 3,
    # a second command in the address
    b"\0\x01x\0\0\x01y\0\0\0\x0ba\r\nQUIT\r\nxx"])
def test_nonsense_ends_the_channel(start, payload):
    lab, sink = start()
    lab.queue.send(ASK["RELAY_PROBE"], payload, number=1, deadline_ms=5000)
    assert lab.queue.receive(10) is None
    lab.relay.wait_event("suspected_break_in")
    assert sink.sessions == []


@pytest.mark.parametrize("role", ["control", "smtpd"])
def test_only_queue_may_ask(start, role):
    lab, _ = start()
    peer = lab.relay.peer(role)
    try:
        peer.send(ASK["RELAY_PROBE"], slice_of("example.net") + b"\0" +
                  slice_of("a@b") + b"\0\0" + slice_of(BOB), number=1,
                  deadline_ms=5000)
        assert peer.receive(5) is None
    except (BrokenPipeError, ConnectionResetError):
        pass


def test_queue_goes_away_meanwhile(start):
    lab, sink = start({"rcpt": hangs})
    lab.ask("example.net", BOB, deadline_ms=20000)
    wait_until(lambda: "RCPT" in verbs(sink), 10, "a probe")
    lab.queue.socket.close()
    lab.queue = lab.relay.peer("queue")
    sink.replies.clear()
    assert lab.send("example.net", [BOB], TEXT).codes == [250]
    assert lab.relay.process.poll() is None
