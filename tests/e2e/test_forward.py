# SPDX-License-Identifier: ISC
"""Forwards by cut-through: a domain that we front (next_hop). The next hop is
asked at RCPT, and its answer to the message is ours; nothing is stored."""
import contextlib

import pytest

from client import new_message
from postern import Server, free_port, wait_until
from relay_lab import Sink

BOB = "bob@inner.example"


class Front:
    """A server and the next hop of inner.example; replies and options as in
    relay_lab.Sink."""

    def __init__(self, replies=None, server=None, next_hop=None, **options):
        self.sink = Sink(replies, **options)
        self.more = 'domain "inner.example" {{\n next_hop = "%s"\n}}\n' % (
            next_hop or "smtp:[127.0.0.1]:%d" % self.sink.port)
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
            assert lab.verbs == ["EHLO", "MAIL", "RCPT", "RSET"]
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


def test_refused_at_the_dot_no_mailbox_has_it():
    with Front({"dot": "554 5.6.0 rotten"}) as lab:
        to = [BOB, "alice@example.org"]
        reply = lab.server.deliver(to, new_message())
        # one of two: the retry tells each his own
        assert reply.says("451 4.6.0") or reply.says("451 5.6.0"), reply
        assert not lab.server.mail("alice")
        assert not lab.server.tmp_files("alice")
