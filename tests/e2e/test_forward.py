# SPDX-License-Identifier: ISC
"""Forwards by cut-through: a domain that we front (next_hop). The next hop is
asked at RCPT, and its answer to the message is ours; nothing is stored."""
import contextlib
import subprocess
import threading
import time

import pytest

from certificates import section, starttls
from client import new_message, wire
from filters import Program
from postern import DEFAULT_ALIASES, Server, free_port, wait_until
from relay_lab import FEATURES, Sink
from tls_lab import Authority
from test_submission import Lab, message

BOB = "bob@inner.example"


class Front:
    """A server and the next hop of inner.example; replies and options as in
    relay_lab.Sink."""

    def __init__(self, replies=None, server=None, next_hop=None, **options):
        self.sink = Sink(replies, **options)
        self.more = 'domain "inner.example" {{\n next_hop = "%s"\n}}\n' % (
            next_hop or "%s:[127.0.0.1]:%d" % (
                "lmtp" if options.get("lmtp") else "smtp",
                self.sink.port))
        settings = dict(server or {})
        settings["more"] = self.more + settings.get("more", "")
        self.server = Server(**settings)
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        with contextlib.closing(self.sink):
            if kind is None:
                self.server.close()
            else:
                self.server.kill_tree()

    @property
    def verbs(self):
        """What the next hop was told, without arguments."""
        return [c.split(" ")[0].split(":")[0] for c in self.sink.commands]


def test_asked_at_rcpt_and_sent_at_the_dot():
    with Front() as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            client.expect("RCPT TO:<%s>" % BOB, "250")
            wait_until(lambda: lab.verbs == ["EHLO", "MAIL", "RCPT", "RSET"],
                       5, lambda: "RSET: %s" % lab.verbs)
            reply = client.data(new_message(body=".\n..dots\n"))
            assert reply.says("250"), reply
            # its words and our id
            assert "said: taken" in repr(reply), reply
        message, = lab.sink.messages
        assert message.sender.startswith("FROM:<a@elsewhere.example>")
        assert message.recipients == ["TO:<%s>" % BOB]
        text = message.text.decode()
        assert text.startswith("Received: from ")
        assert text.endswith("\r\n\r\n.\r\n..dots\r\n")
        # one connection did both
        assert len(lab.sink.sessions) == 1
        assert lab.server.all_files() == []
        wait_until(lambda: lab.server.events("forward"), 5, "log")


@pytest.mark.parametrize("said, want", [
    ("550 5.1.1 no such user", "550 5.1.1"),
    ("551 5.1.6 moved", "551 5.1.6"),
    ("452 4.2.2 full", "452 4.2.2"),
    ("421 4.3.2 going down", "451 4.4.1"),
    ("535 5.7.8 who are you", "554 5.7.8"),
])
def test_refused_at_rcpt(said, want):
    with Front({"rcpt": said}) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            reply = client.command("RCPT TO:<%s>" % BOB)
            assert reply.says(want), reply
        assert "DATA" not in lab.verbs


@pytest.mark.parametrize("said, want", [
    ("554 5.6.0 rotten", "554 5.6.0"),
    ("451 4.3.0 not now", "451 4.3.0"),
    ("552 5.3.4 too large", "552 5.3.4"),
    ("421 4.3.2 going down", "451 4.3.2"),
    (None, "451 4.4.2"),
])
def test_refused_at_the_dot(said, want):
    with Front({"dot": lambda *_: said}) as lab:
        reply = lab.server.deliver([BOB], new_message())
        assert reply.says(want), reply
        assert len(lab.sink.ended) == 1


@pytest.mark.parametrize("replies, features, params, want", [
    ({"rcpt": "550 5.1.1 nobody"}, FEATURES, "", "] said: nobody ("),
    ({"data": "450 4.7.1 wait"}, FEATURES, "", "] said: wait ("),
    ({"dot": "554 5.6.0 rotten"}, FEATURES, "", "] said: rotten ("),
    ({"data": None}, FEATURES, "", "]: it closed the connection"),
    ({"dot": None}, FEATURES, "", "]: it closed the connection"),
    ({"dot": "how?"}, FEATURES, "", "]: what came instead of the reply"),
    ({}, (), " BODY=8BITMIME", "]: the next host does not take 8 bits"),
    ({}, ("SIZE 9",), " SIZE=10", "]: the message has 10 octets"),
])
def test_only_what_it_said_is_said_by_it(replies, features, params, want):
    with Front(replies, features=features) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>" + params, "250")
            reply = client.command("RCPT TO:<%s>" % BOB)
            if reply.says("250"):
                reply = client.data(new_message())
        assert want in reply.text, reply


def test_next_hop_down():
    with Front(next_hop="smtp:[127.0.0.1]:%d" % free_port()) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            client.expect("RCPT TO:<%s>" % BOB, "451 4.4.1")


def test_several_recipients_in_one_dialogue():
    with Front() as lab:
        to = ["u%d@inner.example" % i for i in range(5)]
        assert lab.server.deliver(to, new_message()).says("250")
        message, = lab.sink.messages
        assert message.recipients == ["TO:<%s>" % a for a in to]
        assert len(lab.sink.sessions) == 1


def test_together_with_a_mailbox():
    with Front() as lab:
        to = [BOB, "alice@example.org"]
        assert lab.server.deliver(to, new_message()).says("250")
        assert len(lab.sink.messages) == 1
        assert len(lab.server.mail("alice")) == 1


@pytest.mark.parametrize("said, first, last", [
    ("554 5.6.0 rotten", "451 4.6.0", "554 5.6.0"),
    ("552 5.3.4 too large", "452 4.3.4", "552 5.3.4"),
    ("451 4.7.1 not now", "451 4.7.1", "451 4.7.1"),
])
def test_refused_at_the_dot_no_mailbox_has_it(said, first, last):
    """Then each his own: on the first retry who has a mailbox has it, and
    alone the others hear what the next hop says."""
    with Front({"dot": said}) as lab:
        to = [BOB, "alice@example.org", "carol@inner.example"]
        text = new_message()
        reply = lab.server.deliver(to, text)
        assert reply.says(first), reply
        assert not lab.server.mail("alice")
        wait_until(lambda: not lab.server.tmp_files("alice"), 10, "no tmp")
        with lab.server.connect() as client:
            client.ehlo()
            client.envelope([])
            client.expect("RCPT TO:<%s>" % BOB, first)
            client.expect("RCPT TO:<alice@example.org>", "250")
            client.expect("RCPT TO:<carol@inner.example>", first)
            assert client.data(text).says("250")
        assert len(lab.server.mail("alice")) == 1
        assert len(lab.sink.ended) == 1
        reply = lab.server.deliver([to[0], to[2]], text)
        assert reply.says(last) and said[10:] in repr(reply), reply


@pytest.mark.parametrize("stage, said, want", [
    ("dot", "554 5.6.0 rotten", "554 5.6.0"),
    ("dot", "451 4.3.0 not now", "451 4.3.0"),
    ("data", "550 5.7.1 not from you", "550 5.7.1"),
])
def test_one_word_for_several_is_the_reply(stage, said, want):
    """Nobody else is there whom it would hurt."""
    with Front({stage: lambda *_: said}) as lab:
        reply = lab.server.deliver([BOB, "carol@inner.example"],
                                   new_message())
        assert reply.says(want) and said[10:] in repr(reply), reply


def test_larger_than_it_takes_for_several():
    """Found out at the dot, as the client did not say how large it is."""
    with Front(features=("SIZE 3000", "8BITMIME")) as lab:
        reply = lab.server.deliver([BOB, "carol@inner.example"],
                                   new_message(size=4000))
        assert reply.says("552 5.3.4"), reply


def at_the_dot(lab, recipients, message, leave=None):
    """A session up to the final dot; leave(client) instead of reading."""
    with lab.server.connect() as client:
        client.ehlo()
        client.envelope(recipients)
        client.expect("DATA", "354")
        client.send(wire(message))
        return leave(client) if leave else client.reply()


def test_a_lost_250_is_not_forwarded_again():
    """The client leaves while the next hop has the message: its answer is
    kept, and the retry is answered by it."""
    release = threading.Event()

    def slow(*_):
        release.wait(20)
        return "250 2.0.0 taken"
    with Front({"dot": slow}) as lab:
        text = new_message()

        def leave(client):
            wait_until(lambda: lab.sink.ended, 10, "the dot there")
            client.reset()
        at_the_dot(lab, [BOB], text, leave)
        time.sleep(0.5)
        release.set()
        lab.server.wait_event("delivered")
        reply = lab.server.deliver([BOB], text)
        assert reply.says("250"), reply
        assert len(lab.sink.ended) == 1


def test_the_client_leaves_before_the_dot_there():
    """Nothing is sent to its end."""
    release = threading.Event()

    def slow(*_):
        release.wait(20)
        return "354 go on"
    with Front({"data": slow}) as lab:
        def leave(client):
            wait_until(lambda: "DATA" in lab.verbs, 10, "DATA there")
            client.reset()
        at_the_dot(lab, [BOB, "alice@example.org"], new_message(), leave)
        wait_until(lambda: lab.server.events("forward", at="data",
                                             outcome="later"), 10, "the end")
        release.set()
        time.sleep(0.3)
        assert not lab.sink.ended
        assert not lab.server.mail("alice")
        wait_until(lambda: not lab.server.tmp_files("alice"), 5, "no tmp")


def test_a_refusal_of_one_is_for_him():
    """Taken at RCPT first, refused at the second one: nobody has it; the
    retry's RCPT is answered with it, and the others get theirs."""
    seen = []

    def rcpt(session, arg):
        seen.append(arg)
        if "bad" in arg and seen.count(arg) > 1:
            return "550 5.1.1 gone meanwhile"
        return "250 2.1.5 ok"
    with Front({"rcpt": rcpt}) as lab:
        to = [BOB, "bad@inner.example", "alice@example.org"]
        text = new_message()
        reply = lab.server.deliver(to, text)
        assert reply.says("451 4.1.1"), reply
        assert "gone meanwhile" in repr(reply)
        assert not lab.sink.ended and not lab.server.mail("alice")
        with lab.server.connect() as client:
            client.ehlo()
            client.envelope([BOB])
            client.expect("RCPT TO:<bad@inner.example>", "550 5.1.1")
            client.expect("RCPT TO:<alice@example.org>", "250")
            assert client.data(text).says("250")
        assert len(lab.sink.messages) == 1
        assert len(lab.server.mail("alice")) == 1


@pytest.mark.parametrize("lmtp", (False, True))
def test_a_hundred_recipients(lmtp):
    """As many as one transaction has to take (RFC 5321 4.5.3.1.8), each with
    an answer of many words."""
    to = ["u%d@inner.example" % i for i in range(100)]
    words = "250 2.0.0 " + "taken " * 40
    with Front({"rcpt": lambda *_: words, "dot": lambda *_: words}, lmtp=lmtp,
               server={"limits": "recipients = 200"}) as lab:
        reply = lab.server.deliver(to, new_message())
        assert reply.says("250"), reply
        message, = lab.sink.ended
        assert message.recipients == ["TO:<%s>" % a for a in to]
        with lab.server.connect() as client:
            client.ehlo()
            client.envelope(to)
            client.expect("RCPT TO:<more@inner.example>", "452 4.5.3")


@pytest.mark.parametrize("lmtp", (False, True))
def test_a_next_hop_that_takes_fewer(lmtp):
    """Each whom it refuses there is put off at his next RCPT, however many
    they are, so that the others have the message, and then he."""
    to = ["u%d@inner.example" % i for i in range(50)]
    text, left, taken = new_message(), to, []

    def rcpt(session, _):
        return "452 4.5.3 too many" if len(session.recipients) >= 25 else \
            "250 2.1.5 fine"
    with Front({"rcpt": rcpt}, lmtp=lmtp) as lab:
        for n, want in (50, 452), (25, 250), (25, 250):
            with lab.server.connect() as client:
                client.ehlo()
                client.expect("MAIL FROM:<a@elsewhere.example>", "250")
                taken = [a for a in left
                         if client.command("RCPT TO:<%s>" % a).code == 250]
                reply = client.data(text)
                client.quit()
            assert len(taken) == n and reply.code == want, reply
            if want == 250:
                left = [a for a in left if a not in taken]
        assert sorted(r for m in lab.sink.ended for r in m.recipients) == \
            sorted("TO:<%s>" % a for a in to)


def test_another_next_hop_is_another_transaction():
    with Sink() as other, Front(server={
            "more": 'domain "third.example" {{\n next_hop = '
            '"smtp:[127.0.0.1]:%d"\n}}\n' % other.port}) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.envelope([BOB])
            client.expect("RCPT TO:<x@third.example>", "452 4.5.3")
            client.expect("RCPT TO:<alice@example.org>", "250")
            client.expect("RCPT TO:<carol@inner.example>", "250")
            assert client.data(new_message()).says("250")
            client.envelope(["x@third.example"])
            assert client.data(new_message()).says("250")
        assert len(lab.sink.messages[0].recipients) == 2
        assert len(other.messages) == 1


@pytest.mark.parametrize("features, params, want", [
    (("PIPELINING",), " BODY=8BITMIME", "550 5.6.3"),
    (("SIZE 1000", "8BITMIME"), " SIZE=2000", "552 5.3.4"),
    (("SIZE 100000", "8BITMIME"), " SIZE=2000 BODY=8BITMIME", "250"),
])
def test_extensions_of_the_next_hop(features, params, want):
    with Front(features=features) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>" + params, "250")
            reply = client.command("RCPT TO:<%s>" % BOB)
            assert reply.says(want), reply
        if want == "250":
            assert "MAIL FROM:<a@elsewhere.example>" + params \
                in lab.sink.commands


NEEDED = (
    ("text", "Subject: x\n", False),
    ("header", "Subject: gr\u00fc\u00dfe\n", True),
    ("part", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b"
     "\n\n--b\nContent-Description: \u00e9\n\nx\n--b--\n", True),
)


@pytest.mark.parametrize("header, needs", [
    n[1:] for n in NEEDED], ids=[n[0] for n in NEEDED])
def test_smtputf8_that_is_not_needed(header, needs):
    """Said by clients that say it always: headers alone can tell, so a next
    hop without it is asked, and hears of a message that it can take."""
    text = header + new_message(body="gr\u00fc\u00dfe\n")
    with Front(features=("8BITMIME",)) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example> SMTPUTF8 "
                          "BODY=8BITMIME", "250")
            client.expect("RCPT TO:<%s>" % BOB, "250")
            reply = client.data(text)
            assert reply.says("554 5.6.9" if needs else "250"), reply
            assert "said:" not in repr(reply) or not needs
        assert len(lab.sink.messages) == (not needs)
        # with another: nobody has it, and each his own on the retry
        reply = lab.server.deliver([BOB, "alice@example.org"], "X: y\n" +
                                   text, params=" SMTPUTF8 BODY=8BITMIME")
        assert reply.says("451 4.6.9" if needs else "250"), reply
        assert len(lab.server.mail("alice")) == (not needs)
        assert " SMTPUTF8" not in "".join(lab.sink.commands)


def test_domains_as_a_labels():
    """A next hop without SMTPUTF8 gets an address in ASCII, where its domain
    alone is none; no local part has such a form."""
    with Front(features=("8BITMIME",)) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@b\u00fccher.example> SMTPUTF8", "250")
            client.expect("RCPT TO:<%s>" % BOB, "250")
            assert client.data(new_message()).says("250")
            client.expect("MAIL FROM:<j\u00fcrgen@elsewhere.example> "
                          "SMTPUTF8", "250")
            client.expect("RCPT TO:<%s>" % BOB, "553 5.6.7")
        assert lab.sink.messages[0].sender.startswith(
            "FROM:<a@xn--bcher-kva.example>")
    with Front() as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@b\u00fccher.example> SMTPUTF8", "250")
            client.expect("RCPT TO:<%s>" % BOB, "250")
            assert client.data(new_message()).says("250")
        assert lab.sink.messages[0].sender.startswith(
            "FROM:<a@b\u00fccher.example> ")


def test_the_message_is_sent_as_it_is():
    """8 bits, dots, long lines; without CHUNKING and with it."""
    body = ".\n..\n\xe4\xf6\xfc \u20ac\n" + "x" * 5000 + "\n.end\n" * 3000
    for features in (FEATURES, FEATURES + ("CHUNKING",), ("8BITMIME",)):
        with Front(features=features) as lab:
            text = new_message(body=body)
            reply = lab.server.deliver([BOB], text,
                                       params=" BODY=8BITMIME")
            assert reply.says("250"), reply
            got = lab.sink.messages[0].text.decode()
            assert got.endswith(text.replace("\n", "\r\n")), features


def test_silence_after_the_dot():
    """Nobody knows whether it was taken: 451, and the retry goes there."""
    said = iter(["", "250 2.0.0 taken"])
    with Front({"dot": lambda *_: next(said)}, server={
            "more": "relay {{\n final_timeout = 10s\n}}\n"}) as lab:
        text = new_message()
        reply = lab.server.deliver([BOB, "alice@example.org"], text)
        assert reply.says("451 4.4.2"), reply
        assert not lab.server.mail("alice")
        assert lab.server.deliver([BOB, "alice@example.org"],
                                  text).says("250")
        assert len(lab.server.mail("alice")) == 1


def test_a_slow_one_is_not_in_the_way():
    """While one next hop does not answer, another one does."""
    release = threading.Event()
    with Sink() as other, Front(
            {"greeting": lambda *_: release.wait(30) and None}, server={
                "more": 'domain "third.example" {{\n next_hop = '
                '"smtp:[127.0.0.1]:%d"\n}}\n' % other.port}) as lab:
        clients = []
        for _ in range(30):
            client = lab.server.connect()
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            client.send(b"RCPT TO:<%s>\r\n" % BOB.encode())
            clients.append(client)
        began = time.monotonic()
        assert lab.server.deliver(["x@third.example"],
                                  new_message()).says("250")
        assert time.monotonic() - began < 5
        release.set()
        for client in clients:
            assert client.reply().code == 451
            client.close()


def test_connections_are_used_again():
    with Front() as lab:
        for _ in range(5):
            assert lab.server.deliver([BOB], new_message()).says("250")
        assert len(lab.sink.sessions) == 1
        assert "forwards_taken=5" in lab.server.ctl("relay")


def test_tls_and_ipv6(tmp_path):
    key, certificate = str(tmp_path / "key"), str(tmp_path / "crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                    "-nodes", "-keyout", key, "-out", certificate, "-subj",
                    "/CN=sink.example", "-days", "2"], check=True,
                   capture_output=True)
    port = free_port()
    with Front(address="::1", port=port, tls=(certificate, key),
               next_hop="smtp:[::1]:%d" % port) as lab:
        assert lab.server.deliver([BOB], new_message()).says("250")
        assert lab.sink.sessions[0].is_tls
        event = lab.server.wait_event("forward", at="data")
        assert event["tls"].startswith("TLSv1.3")


def test_pipelined():
    with Front() as lab, lab.server.connect() as client:
        client.ehlo()
        client.send(b"MAIL FROM:<a@elsewhere.example>\r\n"
                    b"RCPT TO:<bob@inner.example>\r\n"
                    b"RCPT TO:<nobody@example.org>\r\n"
                    b"RCPT TO:<carol@inner.example>\r\nDATA\r\n")
        replies = client.replies(5)
        assert [r.code for r in replies] == [250, 250, 550, 250, 354]
        client.send(wire(new_message()) + b"QUIT\r\n")
        assert client.reply().says("250")
        assert client.reply().says("221")
        assert len(lab.sink.messages[0].recipients) == 2


def test_a_next_hop_that_is_us():
    with Front(next_hop="smtp:[127.0.0.1]:{port}") as lab:
        reply = lab.server.rcpt(BOB)
        assert reply.says("451 4.4.6"), reply
        lab.server.wait_event("alarm")


def test_two_that_forward_to_each_other():
    """Each asks the other at RCPT, which asks the first one again: an end,
    and soon, which is the client's answer."""
    port = free_port()
    with Front(next_hop="smtp:[127.0.0.1]:%d" % port) as lab:
        other = Server(more='domain "inner.example" {{\n next_hop = '
                       '"smtp:[127.0.0.1]:%d"\n}}\nlisten "127.0.0.1:%d" '
                       '{{ role = mx }}\n' % (lab.server.port, port))
        with open(other.config_path, encoding="ascii") as f:
            text = f.read().replace('"mx.example.org"', '"mx.other.example"')
        other.write("postern.conf", text)
        other.start()
        try:
            began = time.monotonic()
            with lab.server.connect() as client:
                client.ehlo()
                client.expect("MAIL FROM:<a@elsewhere.example>", "250")
                client.expect("RCPT TO:<%s>" % BOB, "554 5.4.6")
                # others have nothing to do with that
                client.expect("RCPT TO:<alice@example.org>", "250")
                assert client.data(new_message()).says("250")
            assert time.monotonic() - began < 20
            assert len(lab.server.events("forward", code="554")) + len(
                other.events("forward", code="554")) >= 6
            assert lab.server.events("alarm") or other.events("alarm")
            assert len(lab.server.mail("alice")) == 1
            assert other.all_files() == []
        finally:
            other.close()


def test_a_slow_one_with_a_burst_of_its_own():
    """It asks as often as in a circle, but answers by itself."""
    release = threading.Event()

    def slow(*_):
        release.wait(20)
        return "250 2.1.5 fine"
    with Front({"rcpt": slow}) as lab:
        clients = []
        for _ in range(9):
            client = lab.server.connect()
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            client.send(b"RCPT TO:<%s>\r\n" % BOB.encode())
            clients.append(client)
            time.sleep(0.1)
        wait_until(lambda: lab.verbs.count("RCPT") == 6, 5, "six there")
        time.sleep(0.3)
        assert lab.verbs.count("RCPT") == 6
        release.set()
        for client in clients:
            assert client.reply().says("250")
            client.close()


def test_requiretls(tmp_path):
    """Kept by a next hop that offers it and has a certificate for its name.
    One that does not offer it cannot; who does not prove itself may be
    somebody else, and it is not now."""
    ours = Authority(tmp_path)
    certificate = ours.sign("127.0.0.1")
    more = 'relay {{\n ca_file = "%s"\n}}\n' % ours.path + section(
        "mx.example.org", *ours.sign("mx.example.org"))
    for features, tls, want in (
            (FEATURES + ("REQUIRETLS",), certificate, "250"),
            (FEATURES, certificate, "550 5.7.30"),
            (FEATURES, None, "451"),
            (FEATURES + ("REQUIRETLS",), ours.sign("127.0.0.2"), "451")):
        with Front(features=features, tls=tls, server={"more": more}) as lab:
            with lab.server.connect() as client:
                client.ehlo()
                starttls(client)
                client.ehlo()
                client.expect("MAIL FROM:<a@elsewhere.example> REQUIRETLS",
                              "250")
                reply = client.command("RCPT TO:<%s>" % BOB)
                assert reply.says(want), (features, tls, reply)
                if want == "250":
                    assert client.data(new_message()).says("250")
            asked = [c for c in lab.sink.commands if c.startswith("MAIL")]
            assert len(lab.sink.messages) == (want == "250")
            assert bool(asked) == (want == "250")
            assert all(c.endswith(" REQUIRETLS") for c in asked)


def test_why_tells_what_the_next_hop_said():
    with Front({"rcpt": "550 5.7.1 not from you"}) as lab:
        lab.server.await_trail()
        reply = lab.server.rcpt(BOB)
        lab.server.why(reply, "not from you")
        text = lab.server.ctl("route", BOB)
        assert "smtp:[127.0.0.1]:%d" % lab.sink.port in text


@pytest.mark.parametrize("said", ["550 5.1.1 no such user",
                                  "550 Unknown user"])
def test_unknown_recipients_there_count_as_harvesting(said):
    """Also where the next hop has no enhanced codes."""
    with Front({"rcpt": said}, server={
            "limits": "unknown_recipients = 3"}) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            codes = []
            while codes.count(421) == 0 and len(codes) < 20:
                codes.append(client.command(
                    "RCPT TO:<u%d@inner.example>" % len(codes)).code)
            assert codes[:3] == [550] * 3 and codes[-1] == 421, codes


# ---- each his own reply ----

def prdr(lab, recipients, text):
    """The replies behind 353."""
    with lab.server.connect() as client:
        client.ehlo()
        client.envelope(recipients, params=" PRDR")
        reply = client.data(text)
        assert reply.code == 353, reply
        return [r.code for r in client.replies(len(recipients) + 1)]


@pytest.mark.parametrize("said, want", [
    ("250 2.0.0 taken", 250), ("554 5.6.0 rotten", 554),
    ("451 4.3.0 later", 451), (None, 451)])
def test_with_prdr_a_mailbox_does_not_wait(said, want):
    with Front({"dot": lambda *_: said}) as lab:
        assert prdr(lab, ["alice@example.org", BOB], new_message()) == \
            [250, want, 250]
        assert len(lab.server.mail("alice")) == 1
        assert len(lab.sink.ended) == 1


@pytest.mark.parametrize("said", ["451 4.3.0 later", None])
def test_with_prdr_the_replies_are_lost(said):
    """Whom the next hop has not taken it for is no mailbox that has it: the
    retry goes there."""
    answers = [said, "250 2.0.0 taken"]
    with Front({"dot": lambda *_: answers.pop(0)}) as lab:
        text = new_message()
        with lab.server.connect() as client:
            client.ehlo()
            client.envelope(["alice@example.org", BOB], params=" PRDR")
            reply = client.data(text)
            assert reply.code == 353, reply
            assert [r.code for r in client.replies(3)] == [250, 451, 250]
            client.reset()
        wait_until(lambda: lab.server.deliver(
            ["alice@example.org", BOB], text).says("250"), 10, "a 250")
        assert len(lab.sink.ended) == 2 and answers == []
        assert len(lab.server.mail("alice")) == 1


def test_with_prdr_no_mailbox_takes_it():
    """The next hop is asked all the same."""
    with Front(server={"users": "alice quota=4K\n"}) as lab:
        assert prdr(lab, ["alice@example.org", BOB],
                    new_message(size=9000)) == [552, 250, 250]
        assert len(lab.sink.messages) == 1


def test_with_prdr_each_refusal_is_explained_by_itself():
    """A full mailbox is not what the next hop has said."""
    with Front({"dot": "554 5.6.0 rotten"},
               server={"users": "alice quota=4K\nbob\n"}) as lab:
        lab.server.await_trail()
        with lab.server.connect() as client:
            client.ehlo()
            client.envelope(["alice@example.org", "bob@example.org", BOB],
                            params=" PRDR")
            client.expect("DATA", "354")
            client.send(wire(new_message(size=9000)))
            replies = client.replies(5)
        assert [r.code for r in replies] == [353, 552, 250, 554, 250]
        text = lab.server.why(replies[-1], "Refusal 1", "Refusal 2",
                              "]: 554 5.6.0 rotten")
        first = text[text.index("Refusal 1"):text.index("Refusal 2")]
        assert "larger than" in first and "rotten" not in first, text


def test_prdr_for_next_hops_alone():
    with Front({"dot": "554 5.6.0 rotten"}) as lab:
        codes = prdr(lab, [BOB, "carol@inner.example"], new_message())
        assert codes == [554, 554, 550]


# ---- an alias that leads to a domain that we front ----

TO_FRONT = {"aliases": DEFAULT_ALIASES +
            "info: bob@inner.example\nboth: alice, bob@inner.example\n"}


def test_an_alias_of_both():
    """A mailbox and a next hop: both have it or neither."""
    said = ["554 5.6.0 rotten", "250 2.0.0 taken"]
    with Front({"dot": lambda *_: said.pop(0)}, server=TO_FRONT) as lab:
        text = new_message()
        assert lab.server.deliver(["both@example.org"],
                                  text).says("554 5.6.0")
        assert not lab.server.mail("alice")
        assert lab.server.deliver(["both@example.org"], text).says("250")
        assert len(lab.server.mail("alice")) == 1
        assert lab.sink.ended[1].recipients == ["TO:<%s>" % BOB]


@pytest.mark.parametrize("features, want", [
    (FEATURES, "250"), (("8BITMIME",), "553 5.6.7")])
def test_an_alias_to_what_is_not_ascii(features, want):
    """Its address is UTF-8 though the client's is not (RFC 6531 3.4)."""
    with Front(features=features, server={
            "aliases": DEFAULT_ALIASES +
            "info: j\u00fcrgen@inner.example\n"}) as lab:
        reply = lab.server.rcpt("info@example.org")
        assert reply.says(want), reply
        if want == "250":
            assert lab.server.deliver(["info@example.org"],
                                      new_message()).says("250")
        asked = [c for c in lab.sink.commands if c.startswith("MAIL")]
        assert len(asked) == 3 * (want == "250")
        assert all(" SMTPUTF8" in c for c in asked)


def test_our_own_users_mail_to_such_an_alias():
    """It is queued for where the alias leads to; mailboxes have it at
    once."""
    inner = Sink()
    lab = Lab(more='domain "inner.example" {{\n next_hop = '
              '"smtp:[127.0.0.1]:%d"\n}}\n' % inner.port)
    lab.server.write("aliases", TO_FRONT["aliases"] +
                     "away: someone@remote.example\n")
    with inner, lab:
        for to in ("info", "both"):
            code, said = lab.send(to + "@example.org", message())
            assert code == 250, said
        wait_until(lambda: len(inner.messages) == 2, 20, "both there")
        assert [m.recipients for m in inner.messages] == [
            ["TO:<%s>" % BOB]] * 2
        assert len(lab.server.mail("alice")) == 1
        code, said = lab.send("away@example.org", message())
        assert code == 250, said
        assert lab.taken()[0].recipients == ["TO:<someone@remote.example>"]


def test_a_reload_while_the_next_hop_thinks():
    """relay is another one then; the old one ends what it has begun."""
    release = threading.Event()

    def slow(*_):
        release.wait(20)
        return "250 2.0.0 taken"
    with Front({"dot": slow}) as lab:
        def reload(client):
            wait_until(lambda: lab.sink.ended, 10, "the dot there")
            lab.server.write_config(
                more=lab.more + "relay {{\n command_timeout = 40s\n}}\n")
            lab.server.reload()
            lab.server.wait_event("relay_renewed")
            release.set()
            return client.reply()
        reply = at_the_dot(lab, [BOB, "alice@example.org"], new_message(),
                           reload)
        assert reply.says("250"), reply
        assert len(lab.server.mail("alice")) == 1
        assert lab.server.deliver([BOB], new_message()).says("250")
        assert len(lab.sink.ended) == 2


@pytest.mark.parametrize("said, want, is_told", [
    ("452 4.3.1 no room", "452 4.3.1", True),
    ("450 4.7.1 who are you", "450 4.7.1", True),
    ("550 5.7.1 not from you", "550 5.7.1", True),
    ("421 4.3.2 not now", "451 4.4.1", False),
    ("354 what", "451 4.4.2", False),
    ("oops", "451 4.4.1", False),
    (None, "451 4.4.2", False),
])
def test_what_it_says_to_mail(said, want, is_told):
    """Its words are ours, if they are any, as those to RCPT are."""
    with Front({"mail": lambda *_: said}) as lab:
        reply = lab.server.rcpt(BOB)
        assert reply.says(want), reply
        assert ("said:" in repr(reply)) == is_told, reply


def test_lost_at_rcpt():
    """It closes instead of an answer to RCPT."""
    with Front({"rcpt": lambda *_: None}) as lab:
        reply = lab.server.rcpt(BOB)
        assert reply.says("451 4.4.2"), reply


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail"])
def test_not_now(stage):
    """Nothing of it is a refusal of the recipient."""
    with Front({stage: "421 4.3.2 not now"}) as lab:
        assert lab.server.rcpt(BOB).code == 451


def test_whom_a_milter_removes_has_no_copy_elsewhere():
    """An alias of a mailbox and an address elsewhere is one recipient."""
    milter = Program()
    inner = Sink()
    lab = Lab(more='domain "inner.example" {{\n next_hop = '
              '"smtp:[127.0.0.1]:%d"\n}}\n' % inner.port,
              checks='milter "%s" {{ }}' % milter.endpoint)
    lab.server.write("aliases", TO_FRONT["aliases"])
    with contextlib.closing(milter), inner, lab:
        for do, copies in (("unrcpt both@example.org", 0),
                           ("unrcpt carol@example.org", 1)):
            code, said = lab.send(
                ["both@example.org", "carol@example.org"],
                b"X-Do: %s\r\n" % do.encode() + message())
            assert code == 250, said
            assert len(lab.server.mail("alice")) == copies
        wait_until(lambda: inner.messages, 20, "the copy that may leave")
        assert len(lab.server.mail("carol")) == 1
        assert "queue is empty" in lab.server.ctl("queue")
        assert len(inner.messages) == 1
