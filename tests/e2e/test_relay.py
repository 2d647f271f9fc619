# SPDX-License-Identifier: ISC
"""relay: what it sends, what it makes of each answer at each stage, and
which host it tries next."""
import collections
import contextlib
import errno
import socket
import struct
import threading
import time

import pytest

from compartment import ASK, slice_of
from faultctl import Faults
from postern import FAULT_BUILD, wait_until
from relay_lab import FAILED, FEATURES, Lab, Sink

TEXT = b"From: a@example.org\nSubject: x\n\n.dot\n..\nlast"
WIRE = b"From: a@example.org\r\nSubject: x\r\n\r\n.dot\r\n..\r\nlast\r\n"
ONE = {("example.net", "MX"): ["10 mx.example.net"],
       ("mx.example.net", "A"): ["127.0.0.1"]}
BOB, EVE = "bob@example.net", "eve@example.net"


def free_port():
    """A port at which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_sink_that_is_closed():
    """Nothing of it is left that would take what is for the next one."""
    with Sink() as sink:
        client = socket.create_connection(("127.0.0.1", sink.port), 30)
        assert client.recv(100).startswith(b"220 ")
    with client:
        assert client.recv(100) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sink.port), 30).close()


# ---- the message ----

@pytest.mark.parametrize("features", [
    FEATURES, (), ("PIPELINING",), ("CHUNKING",),
    ("CHUNKING", "PIPELINING"), ("DSN", "SIZE", "X-ODD a b c")])
def test_message_arrives(features):
    """The same octets, whatever the server can do."""
    with Sink(features=features) as sink, Lab(ONE, sink.port) as lab:
        big = b"Subject: big\n\n" + b"".join(
            b".%d %s\n" % (i, b"x" * (i % 200)) for i in range(30000))
        for text in (TEXT, b"", b"\n", b".\n.\n", big):
            assert lab.send("example.net", [BOB, EVE], text).codes == \
                [250, 250]
            wanted = text.replace(b"\n", b"\r\n")
            if text and not text.endswith(b"\n"):
                wanted += b"\r\n"
            assert sink.messages[-1].text == wanted
            assert len(sink.messages[-1].recipients) == 2
        assert len(sink.sessions) == 1
        assert ("BDAT" in " ".join(sink.commands)) == ("CHUNKING" in features)


def test_offset():
    """A message behind an envelope in its file."""
    with Sink() as sink, Lab(ONE, sink.port) as lab:
        assert lab.send("example.net", [BOB], TEXT, offset=7777).codes == \
            [250]
        assert sink.messages[0].text == WIRE


def test_old_server():
    """EHLO is not known: HELO, and nothing that needs more."""
    with Sink({"ehlo": "502 5.5.1 what?"}) as sink, \
            Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [250] and not r[0].passes_dsn
        assert sink.messages[0].text == WIRE
        assert [c.split()[0] for c in sink.commands[:2]] == ["EHLO", "HELO"]


def test_parameters():
    """DSN, SIZE, BODY and SMTPUTF8 go where they are offered, only there."""
    for features in (FEATURES, ("SIZE",)):
        with Sink(features=features) as sink, Lab(ONE, sink.port) as lab:
            r = lab.send("example.net", [BOB], TEXT, ret=1, envid="QQ+2B1",
                         notify=2 | 4, orcpt="rfc822;Bob@example.net",
                         sender="")
            assert r.codes == [250]
            full = features is FEATURES
            assert r[0].passes_dsn == full
            mail, rcpt = sink.commands[1:3]
            assert mail == "MAIL FROM:<> SIZE=%d" % len(TEXT) + (
                " RET=FULL ENVID=QQ+2B1" if full else "")
            assert rcpt == "RCPT TO:<bob@example.net>" + (
                " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob@example.net"
                if full else "")


@pytest.mark.parametrize("features, notify, domain, sender", [
    (("SIZE",), (1, 1), "example.net", ""),
    (("SIZE",), (1, 4), "example.net", "alice@example.org"),
    (("SIZE",), (1, 0), "example.net", "alice@example.org"),
    (("DSN",), (1, 1), "example.net", "alice@example.org"),
    (("SIZE",), (1, 1), "smart", "alice@example.org"),
])
def test_never(features, notify, domain, sender):
    """RFC 3461 5.2.2 d: nobody to be told, where NEVER cannot be said."""
    with Sink(features=features) as sink, Lab(ONE, sink.port) as lab:
        smart = domain == "smart"
        r = lab.send("smtp:[127.0.0.1]:%d" % sink.port if smart else domain,
                     [BOB, EVE], TEXT, sender="alice@example.org",
                     notify=list(notify), smart=smart)
        assert r.codes == [250, 250]
        assert sink.commands[1].split(" SIZE")[0] == \
            "MAIL FROM:<%s>" % sender


def test_utf8_and_8bit():
    """SMTPUTF8 or a clear failure; 8BITMIME where it is offered."""
    text = "Subject: grüße\n\nhé\n".encode()
    with Sink() as sink, Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", ["jürgen@example.net"], text, utf8=True,
                     eight=True)
        assert r.codes == [250]
        assert "BODY=8BITMIME SMTPUTF8" in sink.commands[1]
        assert sink.commands[2] == "RCPT TO:<jürgen@example.net>"
        # an alias or a list led there: nobody has said SMTPUTF8
        assert lab.send("example.net", ["jürgen@example.net"],
                        TEXT).codes == [250]
        assert " SMTPUTF8" in [c for c in sink.commands
                               if c.startswith("MAIL")][1]
    with Sink(features=("8BITMIME",)) as sink, Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", ["jürgen@example.net"], text, utf8=True)
        assert r.codes == [553] and r[0].enhanced == "5.6.7"
        assert not sink.messages
        # a domain has a form in ASCII
        r = lab.send("example.net", ["bob@grüße.example"], TEXT, utf8=True,
                     sender="alice@bücher.example")
        assert r.codes == [250]
        assert sink.commands[1:3] == [
            "MAIL FROM:<alice@xn--bcher-kva.example>",
            "RCPT TO:<bob@xn--gre-6ka8l.example>"], sink.commands
        del sink.messages[:]
        # said by a client that says it always: nothing there needs it
        r = lab.send("example.net", [BOB], "Subject: x\n\nhé\n".encode(),
                     utf8=True, eight=True)
        assert r.codes == [250] and " SMTPUTF8" not in "".join(sink.commands)
        part = "Content-Type: multipart/mixed; boundary=b\n\n--b\n" \
            "Content-Description: é\n\nx\n--b--\n"
        for needs in ("Subject: é\n\nx\n", part):
            r = lab.send("example.net", [BOB], needs.encode(), utf8=True)
            assert r.codes == [554] and r[0].enhanced == "5.6.9"
            assert len(sink.messages) == 1


def test_conversion():
    """Without 8BITMIME: quoted-printable, or 550 5.6.3 if it is signed."""
    plain = "Subject: x\n\ngrüße = ja \n-- \n.dot\n".encode()
    with Sink(features=("SIZE",)) as sink, Lab(ONE, sink.port) as lab:
        assert lab.send("example.net", [BOB], plain, eight=True).codes == \
            [250]
        text = sink.messages[0].text
        assert all(c < 128 for c in text)
        assert b"Content-Transfer-Encoding: quoted-printable" in text
        assert b"MIME-Version: 1.0" in text
        assert b"gr=C3=BC=C3=9Fe =3D ja=20\r\n--=20\r\n.dot\r\n" in text
        signed = ("MIME-Version: 1.0\nContent-Type: multipart/signed; "
                  "boundary=b\n\n--b\nContent-Type: text/plain\n\nö\n--b\n"
                  "Content-Type: application/pgp-signature\n\nx\n--b--\n")
        r = lab.send("example.net", [BOB], signed.encode(), eight=True)
        assert r.codes == [550] and r[0].enhanced == "5.6.3"
        assert len(sink.messages) == 1
        # many clients do not say that there are 8 bits in it
        assert lab.send("example.net", [BOB], plain).codes == [250]
        assert sink.messages[1].text == text
        for said_nothing in (signed, "Subject: grüße\n\nx\n", "a\n\nx\n"):
            assert lab.send("example.net", [BOB],
                            said_nothing.encode()).codes == [250]
            assert sink.messages[-1].text.decode().replace(
                "\r\n", "\n") == said_nothing


# ---- each kind of answer at each stage ----

# stage -> reply -> (code, its stage, whether the next host is tried)
ANSWERS = [
    ("greeting", "421 4.3.2 go away", 421, True),
    ("greeting", "554 no SMTP here", 451, True),
    ("greeting", None, 451, True),
    ("greeting", "SSH-2.0-OpenSSH_9.2", 451, True),
    ("greeting", b"220-" + b"x" * 2000000 + b"\r\n220 ok\r\n", 451, True),
    ("greeting", b"220-a\r\n" * 40000, 451, True),
    ("ehlo", "421 4.3.2 busy", 421, True),
    ("ehlo", None, 451, True),
    ("ehlo", "250-a\r\n251 b", 451, True),
    ("mail", "451 4.7.1 later", 451, True),
    ("mail", "421 4.7.0 too many", 421, True),
    ("mail", "550 5.7.1 not from you", 550, False),
    ("mail", None, 451, True),
    ("mail", "reset", 451, True),
    ("mail", "354 what", 451, True),
    ("rcpt", "450 4.2.1 busy", 450, False),
    ("rcpt", "550 5.1.1 no such user", 550, False),
    ("rcpt", "552 too many", 452, False),
    ("rcpt", "552 5.5.3 too many", 452, False),
    ("rcpt", "552 5.2.2 full", 552, False),
    ("rcpt", "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", 550, False),
    ("rcpt", None, 451, True),
    ("rcpt", "421 4.3.0 closing", 421, True),
    ("rcpt", "nonsense", 451, True),
    ("data", "451 4.3.0 no", 451, False),
    ("data", "554 5.7.1 no", 554, False),
    ("data", "250 taken?!", 451, True),
    ("data", None, 451, True),
    ("dot", "451 4.3.0 not now", 451, False),
    ("dot", "554 5.7.1 spam\x01\x7f", 554, False),
    ("dot", "421 4.3.0 closing", 421, False),
    ("dot", "354 more", 451, False),
    ("dot", None, 451, False),
    ("dot", "reset", 451, False),
    ("dot", "gibberish", 451, False),
    ("dot", b"250-taken\r\n", 451, False),
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("stage,reply,code,goes_on", ANSWERS,
                         ids=["%s-%d" % (a[0], i)
                              for i, a in enumerate(ANSWERS)])
def test_answers(stage, reply, code, goes_on, pipelining):
    """What is told, and whether the second host gets it instead."""
    features = FEATURES if pipelining else FEATURES[1:]
    hosts = {("example.net", "MX"): ["10 one.example.net",
                                     "20 two.example.net"],
             ("one.example.net", "A"): ["127.0.0.1"],
             ("two.example.net", "A"): ["127.0.0.2"]}
    says = reply

    def once(session, _arg):
        if reply == b"250-taken\r\n":
            session.say(reply)
            return None
        if isinstance(says, bytes):
            session.say(says)
            return ""
        return says
    with Sink({stage: once}, features) as bad, \
            Sink({}, features, "127.0.0.2", bad.port) as good, \
            Lab(hosts, bad.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        if goes_on:
            assert r.codes == [250]
            assert good.messages[0].text == WIRE and not bad.messages
            assert r[0].host == "two.example.net[127.0.0.2]"
        else:
            assert r.codes == [code], r[0]
            assert not good.sessions
        assert all(0x20 <= ord(c) < 0x7f for c in r[0].text), r[0]
        good.close()
        # and when there is no other host
        hosts["example.org", "MX"] = ["10 three.example.net"]
        hosts["three.example.net", "A"] = ["127.0.0.3"]
        with Sink({stage: once}, features, "127.0.0.3", bad.port):
            r = lab.send("example.org", [BOB], TEXT)
            assert r.codes == [code], r[0]
            early = stage in ("greeting", "ehlo")
            assert r.is_host_bad == early
            if stage == "dot" and not isinstance(reply, str):
                assert "not known" in r[0].text
            if reply == "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user":
                assert r[0].text == "no such user"
                assert r[0].enhanced == "5.1.1"


def test_each_recipient_has_its_own():
    """Mixed answers to RCPT; who was taken gets the answer to the dot."""
    def rcpt(_session, arg):
        return {"a": "250 ok", "b": "450 4.2.1 busy",
                "c": "550 5.1.1 unknown"}[arg[4]]
    for features in (FEATURES, (), ("CHUNKING", "PIPELINING")):
        with Sink({"rcpt": rcpt}, features) as sink, \
                Lab(ONE, sink.port) as lab:
            r = lab.send("example.net", ["a@x", "b@x", "c@x", "a2@x"], TEXT)
            assert r.codes == [250, 450, 550, 250]
            assert r.order[:2] == [1, 2]
            assert [r[i].stage for i in range(4)] == [
                "end", "rcpt", "rcpt", "end"]
            assert len(sink.messages[0].recipients) == 2
            # nobody taken: no message, and the connection is good still
            r = lab.send("example.net", ["b@x", "c@x"], TEXT)
            assert r.codes == [450, 550]
            assert lab.send("example.net", ["a@x"], TEXT).codes == [250]
            assert len(sink.messages) == 2 and len(sink.sessions) == 1


def test_354_for_nobody():
    """A server that wants data though it took nobody gets none."""
    with Sink({"rcpt": "550 5.1.1 no", "data": "354 go on"}) as sink, \
            Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [550]
        wait_until(lambda: sink.ended, 5, "the end of nothing")
        assert sink.ended[0].text == b""


def test_results_come_at_once():
    """A refused recipient is told before the slow dot."""
    def slow(_session, _arg):
        time.sleep(2)
        return "250 ok"
    with Sink({"rcpt": lambda _s, a: "550 5.1.1 no" if "eve" in a
               else "250 ok", "dot": slow}) as sink, \
            Lab(ONE, sink.port) as lab:
        job = lab.begin("example.net", [BOB, EVE], TEXT)
        assert lab.take(1)
        assert lab.jobs[job].codes == [550]
        assert lab.wait(job).codes == [250, 550]


def test_time_limits():
    """A server that says nothing: at each stage, and after the dot."""
    for stage in ("greeting", "ehlo", "mail", "rcpt", "data", "dot"):
        limits = "connect_timeout = 1s\ncommand_timeout = 1s\n" \
            "data_timeout = 1s\nfinal_timeout = 2s"
        with Sink({stage: ""}, ()) as sink, \
                Lab(ONE, sink.port, limits) as lab:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [451] and 0.9 < r.took < 4
            assert "time limit" in r[0].text
            assert ("not known" in r[0].text) == (stage == "dot")


def test_packets():
    """Replies octet by octet, and many in one packet."""
    def slowly(text):
        def say(session, _arg):
            for c in text + "\r\n":
                session.socket.sendall(c.encode())
                time.sleep(0.002)
            return ""
        return say
    with Sink({"greeting": slowly("220-a\r\n220 b"),
               "mail": slowly("250-2.1.0 x\r\n250 2.1.0 y"),
               "rcpt": slowly("250 2.1.5 z")}) as sink, \
            Lab(ONE, sink.port) as lab:
        def rcpt(session, _arg):
            session.recipients.append("x")
            return ""
        sink.replies["rcpt"] = slowly("450 4.2.0 later")
        assert lab.send("example.net", [BOB, EVE], TEXT).codes == [450, 450]
        # nothing until DATA, then all three at once
        sink.replies["mail"] = ""
        sink.replies["rcpt"] = rcpt
        sink.replies["data"] = "250 ok\r\n250 ok\r\n354 go"
        sink.replies["dot"] = "250 2.0.0 taken"

        def data(session, _arg):
            session.say("250 ok\r\n250 ok")
            return "354 go"
        sink.replies["data"] = data
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        assert sink.ended[-1].text == WIRE


# ---- which host ----

def test_no_domain():
    """What the DNS says, as a verdict."""
    table = {("null.example", "MX"): ["0 ."],
             ("implicit.example", "A"): ["127.0.0.1"],
             ("nothing.example", "TXT"): ["x"],
             ("dead.example", "MX"): FAILED,
             ("half.example", "MX"): ["1 h.half.example"],
             ("h.half.example", "A"): FAILED,
             ("void.example", "MX"): ["1 h.void.example"],
             ("v6dead.example", "A"): ["127.0.0.1"],
             ("v6dead.example", "AAAA"): FAILED}
    with Sink() as sink, Lab(table, sink.port) as lab:
        for domain, code, enhanced in (
                ("missing.example", 550, "5.1.2"),
                ("null.example", 556, "5.1.10"),
                ("nothing.example", 550, "5.1.2"),
                ("dead.example", 451, "4.4.3"),
                ("half.example", 451, "4.4.3"),
                ("void.example", 550, "5.4.4"),
                ("[300.1.1.1]", 550, "5.1.2"),
                ("..", 550, "5.1.2")):
            r = lab.send(domain, [BOB], TEXT)
            assert (r[0].code, r[0].enhanced, r[0].stage) == (
                code, enhanced, "dns"), domain
        for domain in ("implicit.example", "v6dead.example", "[127.0.0.1]"):
            assert lab.send(domain, [BOB], TEXT).codes == [250]


def test_dead_resolver():
    """No answer is not "no such domain"."""
    with Lab({}, 25) as lab:
        lab.dns.channel.end()
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [451] and r[0].enhanced == "4.4.3"


def test_a_host_that_the_dns_is_silent_about():
    """What another one cannot take it might: that is no final answer."""
    table = {("example.net", "MX"): ["10 a.example.net",
                                     "20 b.example.net"],
             ("a.example.net", "A"): FAILED, ("a.example.net", "AAAA"): FAILED,
             ("b.example.net", "A"): ["127.0.0.1"]}
    with Sink(features=("SIZE 30",)) as sink, Lab(table, sink.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert (r[0].code, r[0].enhanced, r[0].stage) == (
            451, "4.4.3", "dns"), r[0]
    # by what it says itself, a host can refuse for good
    with Sink({"rcpt": "550 5.1.1 no such user"}) as sink, \
            Lab(table, sink.port) as lab:
        assert lab.send("example.net", [BOB], TEXT).codes == [550]


def test_preference():
    """The best first, equals at random, the next when one is down."""
    table = {("example.net", "MX"): [
        "20 b1.example.net", "20 b2.example.net", "10 a.example.net"],
        ("a.example.net", "A"): ["127.0.0.9"],
        ("b1.example.net", "A"): ["127.0.0.1"],
        ("b2.example.net", "A"): ["127.0.0.2"]}
    hosts = collections.Counter()
    with Sink() as b1, Sink(address="127.0.0.2", port=b1.port) as b2:
        for _ in range(24):
            with Lab(table, b1.port) as lab:
                r = lab.send("example.net", [BOB], TEXT)
                assert r.codes == [250]
                hosts[r[0].host] += 1
            if len(hosts) == 2:
                break
        assert set(hosts) == {"b1.example.net[127.0.0.1]",
                              "b2.example.net[127.0.0.2]"}
        with Sink(address="127.0.0.9", port=b1.port) as a, \
                Lab(table, b1.port) as lab:
            assert lab.send("example.net", [BOB], TEXT)[0].host == \
                "a.example.net[127.0.0.9]"
            assert len(a.messages) == 1
        assert len(b1.messages) + len(b2.messages) == sum(hosts.values())


def test_ipv6_and_ipv4():
    """IPv6 first; a silent one costs a quarter of a second, not 30."""
    table = {("example.net", "MX"): ["10 mx.example.net"],
             ("mx.example.net", "A"): ["127.0.0.1"],
             ("mx.example.net", "AAAA"): ["::1"]}
    with Sink() as four, Lab(table, four.port) as lab:
        assert lab.send("example.net", [BOB], TEXT)[0].host == \
            "mx.example.net[127.0.0.1]"
    with Sink(address="::1") as six, \
            Sink(port=six.port) as four, Lab(table, six.port) as lab:
        assert lab.send("example.net", [BOB], TEXT)[0].host == \
            "mx.example.net[::1]"
        assert not four.sessions
    # 64:ff9b:1::/48 is routed nowhere: dropped, or refused at once
    table["mx.example.net", "AAAA"] = ["100::1"]
    with Sink() as four, Lab(table, four.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [250] and r.took < 3


def test_loops():
    """A host that is us: by name, by address and port, by its greeting."""
    table = {("a.example", "MX"): ["10 MX.example.org"],
             ("mx.example.org", "A"): ["192.0.2.1"],
             ("b.example", "MX"): ["5 first.b.example", "10 mx.example.org",
                                   "20 worse.b.example"],
             ("first.b.example", "A"): ["127.0.0.1"],
             ("worse.b.example", "A"): ["127.0.0.2"]}
    with Sink({"mail": "451 4.3.0 later"}) as sink, \
            Sink(address="127.0.0.2", port=sink.port) as worse, \
            Lab(table, sink.port) as lab:
        r = lab.send("a.example", [BOB], TEXT)
        assert (r[0].code, r[0].enhanced) == (554, "5.4.6")
        # better ones are tried, worse ones would come back
        assert lab.send("b.example", [BOB], TEXT).codes == [451]
        assert not worse.sessions
    for kind, address in (("A", "127.0.0.1"), ("AAAA", "::ffff:127.0.0.1")):
        with Lab({("c.example", kind): [address]}, 25) as lab:
            r = lab.send("c.example", [BOB], TEXT)
            assert (r[0].code, r[0].enhanced) == (554, "5.4.6"), address
    with Sink(name="mx.example.org") as sink, Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert (r[0].code, r[0].enhanced) == (554, "5.4.6")
        assert not sink.messages


@pytest.mark.parametrize("error", ["EMFILE", "ENOMEM"])
def test_our_own_shortage_is_no_bad_host(monkeypatch, tmp_path, error):
    """A job waits until it is over, and relay does not spin. Whose time ends
    meanwhile hears that it is ours, and a probe at once."""
    faults = Faults(str(tmp_path / "faults"), create=True)
    monkeypatch.setenv("POSTERN_FAULTS", str(tmp_path / "faults"))
    both = dict(ONE)
    both["mx.example.net", "AAAA"] = ["::1"]
    with Sink() as sink, Lab(both, sink.port, build=FAULT_BUILD) as lab:
        slot = faults.set("relay.socket", "errno", getattr(errno, error), count=0)
        first = lab.begin("example.net", [BOB], TEXT)
        r = lab.send("example.net", [BOB], TEXT, deadline_ms=1200)
        assert (r[0].code, r[0].enhanced) == (451, "4.3.0"), r[0]
        assert "can be opened here now" in r[0].text, r[0]
        assert not r.is_host_bad and not r.delay
        r = lab.probe("example.net", BOB)
        assert (r.is_said, r.code, r.enhanced) == (False, 451, "4.3.0"), r
        assert faults.hits(slot) < 20 and not lab.jobs[first].is_over
        faults.clear()
        assert lab.wait(first, timeout=10).codes == [250]
        # nobody was made to wait for a host that was never tried
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        assert len(sink.sessions) <= 2


def test_bad_host_is_left_alone():
    """The second job does not even try; and says when to come back."""
    port = free_port()
    with Lab(ONE, port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [451] and r[0].stage == "connect" and r.is_host_bad
        with Sink(port=port) as sink:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [451] and r.is_host_bad
            assert 30 < r.delay <= 60 and "not tried again" in r[0].text
            assert not sink.sessions
            # but when somebody asks for it
            r = lab.send("example.net", [BOB], TEXT, urgent=True)
            assert r.codes == [250]
            assert lab.send("example.net", [BOB], TEXT).codes == [250]


# ---- connections ----

def test_reuse_and_limits():
    """Jobs share connections, by domain and by address; 20 at a host."""
    table = dict(ONE)
    for i in range(60):
        table["d%d.example" % i, "MX"] = ["10 mx.example.net"]
    running, most = [0], [0]
    lock = threading.Lock()

    def dot(_session, _arg):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return "250 ok"
    with Sink({"dot": dot}) as sink, Lab(table, sink.port) as lab:
        jobs = [lab.begin("d%d.example" % i, [BOB], TEXT) for i in range(60)]
        assert all(lab.wait(j).codes == [250] for j in jobs)
        assert len(sink.sessions) <= 20 and most[0] <= 20
        assert len(sink.ended) == 60


def test_idle_connection_is_gone():
    """A connection that was closed while idle costs nothing but a new one;
    one that ends at MAIL without a word neither."""
    with Sink() as sink, Lab(ONE, sink.port) as lab:
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        sink.sessions[0].socket.shutdown(socket.SHUT_RDWR)
        time.sleep(0.2)
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        assert len(sink.sessions) == 2

        def once(_session, _arg):
            del sink.replies["mail"]
            return None
        sink.replies["mail"] = once
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        assert len(sink.sessions) == 3 and len(sink.messages) == 3


def test_idle_connection_says_quit():
    """After some seconds. Single octets keep it no longer, neither before nor
    behind QUIT; nor is it used again after them."""
    ended = []

    def drips(session, _arg):
        while not ended:
            try:
                session.socket.sendall(b"2")
                time.sleep(0.3)
            except OSError:
                ended.append(session)
    table = {**ONE, ("other.example", "MX"): ["10 two.example.net"],
             ("two.example.net", "A"): ["127.0.0.2"]}
    with Sink() as sink, Sink(
            {"rcpt": "550 5.1.1 no", "quit": drips}, FEATURES, "127.0.0.2",
            sink.port) as other, Lab(table, sink.port) as lab:
        assert lab.probe("other.example", "bob@other.example").code == 550
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        sink.sessions[0].say(b"25")
        time.sleep(0.1)
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        assert len(sink.sessions) == 2
        for _ in range(20):
            time.sleep(0.4)
            with contextlib.suppress(OSError):
                sink.sessions[0].say(b"2")
            if ended and sink.sessions[0].commands[-1] == "QUIT":
                break
        assert sink.sessions[0].commands[-1] == "QUIT"
        assert ended == other.sessions


@pytest.mark.parametrize("domain", ["example.net", "other.example"])
def test_refused_on_an_idle_connection(domain):
    """A host that refuses MAIL on a connection that was idle is not asked
    again for the same message: the next host is."""
    no_mail = {"rcpt": "503 5.5.1 MAIL first", "data": "503 5.5.1 MAIL first"}
    hosts = dict(ONE)
    hosts["other.example", "MX"] = ["10 mx.example.net",
                                    "20 two.example.net"]
    hosts["example.net", "MX"] = hosts["other.example", "MX"]
    hosts["two.example.net", "A"] = ["127.0.0.2"]
    with Sink() as first, Sink({}, FEATURES, "127.0.0.2", first.port) as \
            second, Lab(hosts, first.port) as lab:
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        first.replies.update(mail="451 4.3.2 not now", **no_mail)
        before = len(first.commands)
        r = lab.send(domain, [BOB], TEXT)
        assert r.codes == [250], r[0]
        assert r[0].host == "two.example.net[127.0.0.2]"
        asked = [c for c in first.commands[before:] if c.startswith("MAIL")]
        assert len(asked) == 1, first.commands[before:]
        assert len(second.messages) == 1


@pytest.mark.parametrize("domain", ["example.net", "other.example"])
def test_refused_by_the_only_host(domain):
    """It is asked once, and its words are told."""
    hosts = dict(ONE)
    hosts["other.example", "MX"] = hosts["example.net", "MX"]
    with Sink() as sink, Lab(hosts, sink.port) as lab:
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        sink.replies.update(mail="451 4.3.2 not now",
                            rcpt="503 5.5.1 MAIL first",
                            data="503 5.5.1 MAIL first")
        before = len(sink.commands)
        r = lab.send(domain, [BOB], TEXT)
        assert r.codes == [451] and r[0].text == "not now", r[0]
        asked = [c for c in sink.commands[before:] if c.startswith("MAIL")]
        assert len(asked) == 1, sink.commands[before:]


def test_closed_within_the_message():
    """Not a success, no second copy of an end: the next host gets all."""
    hosts = {("example.net", "MX"): ["10 one.example.net",
                                     "20 two.example.net"],
             ("one.example.net", "A"): ["127.0.0.1"],
             ("two.example.net", "A"): ["127.0.0.2"]}
    big = b"Subject: x\n\n" + b"0123456789\n" * 500000

    def data(session, _arg):
        session.say("354 go on")
        session.socket.recv(1000)
        session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
    with Sink({"data": data}) as one, \
            Sink(address="127.0.0.2", port=one.port) as two, \
            Lab(hosts, one.port) as lab:
        assert lab.send("example.net", [BOB], big).codes == [250]
        assert two.messages[0].text == big.replace(b"\n", b"\r\n")


def test_answer_within_the_message():
    """A server that refuses before the end and reads no more."""
    big = b"Subject: x\n\n" + b"0123456789\n" * 500000

    def data(session, _arg):
        session.say("354 go on")
        session.socket.recv(1000)
        session.say("552 5.3.4 too much")
        time.sleep(1)
    with Sink({"data": data}) as sink, Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", [BOB], big)
        assert r.codes == [552] and r[0].enhanced == "5.3.4"


def test_too_large():
    """SIZE is looked at before MAIL."""
    with Sink(features=("SIZE 30",)) as sink, Lab(ONE, sink.port) as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [552] and r[0].enhanced == "5.3.4"
        assert "MAIL" not in " ".join(sink.commands)


def test_jobs_that_queue_could_not_tell_whole():
    """Their recipients came, and no SEND, as the channel was full: that is no
    crime, and costs nothing."""
    with Sink() as sink, Lab(ONE, sink.port) as lab:
        for job in range(100000, 102100):
            lab.queue.send(ASK["RELAY_RECIPIENT"], struct.pack(
                "!IH", job, 0) + slice_of(BOB) + bytes([0]) + slice_of(""))
        assert lab.send("example.net", [BOB, EVE], TEXT).codes == [250, 250]
        assert [len(m.recipients) for m in sink.messages] == [2]
        assert not lab.relay.events("suspected_break_in")


def test_queue_that_lies():
    """A job without its recipients, or with a command in an address: the
    channel is closed, relay lives and takes the next queue."""
    with Sink() as sink, Lab(ONE, sink.port) as lab:
        with contextlib.suppress(OSError):  # it may be closed by now
            lab.begin("example.net", ["a@b>\r\nRCPT TO:<c@d"], TEXT)
        assert lab.relay.wait_event("suspected_break_in")
        lab.queue = lab.relay.peer("queue")
        assert lab.send("example.net", [BOB], TEXT).codes == [250]


def test_status():
    """What posternctl asks for."""
    with Sink() as sink, Lab(ONE, sink.port) as lab:
        assert lab.send("example.net", [BOB, EVE], TEXT).codes == [250, 250]
        assert lab.send("missing.example", [BOB], TEXT).codes == [550]
        counts = lab.counts()
        assert counts["jobs"] == "2" and counts["connections"] == "1"
        assert counts["delivered"] == "2" and counts["refused"] == "1"
        assert counts["connections_idle"] == "1"
        assert counts["tls_none_starttls-not-supported"] == "1"


def test_drain():
    """A relay whose settings are old ends its jobs, then itself."""
    def slow(_session, _arg):
        time.sleep(1.5)
        return "250 ok"
    with Sink({"dot": slow}) as sink, Lab(ONE, sink.port) as lab:
        job = lab.begin("example.net", [BOB], TEXT)
        wait_until(lambda: sink.ended, 5, "the message")
        lab.relay.supervisor.send(ASK["RUN_DRAIN"])
        assert lab.wait(job).codes == [250]
        assert lab.relay.process.wait(5) == 0
