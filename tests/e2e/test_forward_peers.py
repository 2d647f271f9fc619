# SPDX-License-Identifier: ISC
"""Forwards by cut-through to what others run: Debian's Postfix and Exim."""
import pytest

from client import new_message
from postern import IS_ROOT, Server, wait_until
from test_relay_peers import Exim, Postfix

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="servers want root")


@pytest.fixture(name="peer", scope="module", params=[Postfix, Exim],
                ids=["postfix", "exim"])
def fixture_peer(request):
    """One of them; refused@ and later@ are what they are called."""
    with request.param() as peer:
        yield peer


@pytest.fixture(name="front", scope="module")
def fixture_front(peer):
    """A server that fronts example.net for it."""
    server = Server(more='domain "example.net" {{\n next_hop = '
                    '"smtp:[127.0.0.1]:%d"\n}}\n' % peer.port)
    server.start()
    yield server
    server.close()


def test_it_takes_and_refuses_recipients(front, peer):
    with front.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<a@elsewhere.example>", "250")
        client.expect("RCPT TO:<refused@example.net>", "550")
        assert client.command("RCPT TO:<later@example.net>").code in (
            450, 451)
        client.expect("RCPT TO:<bob@example.net>", "250")
        client.expect("RCPT TO:<eve@example.net>", "250")
        client.expect("RCPT TO:<alice@example.org>", "250")
        text = new_message(body=".\n..dots\ngr\u00fc\u00dfe\n")
        reply = client.data(text)
        assert reply.says("250") and "said:" in repr(reply), reply
    assert len(front.mail("alice")) == 1
    wait_until(lambda: b"..dots" in peer.mail(), 20, "arrival")
    event = front.wait_event("forward", at="data")
    assert event["tls"].startswith("TLSv1")


def test_its_no_to_the_message_is_ours(front, peer):
    reply = front.deliver(["bob@example.net"], new_message(
        subject="spam" if isinstance(peer, Exim) else "x",
        size=0 if isinstance(peer, Exim) else 11000000))
    assert reply.code in (550, 552), reply
    assert not any(b"Subject: spam" in m.raw for m in front.mail("alice"))


def test_a_large_one(front, peer):
    text = new_message(subject="large one", body="." + "y" * 70 + "\n",
                       size=3000000)
    assert front.deliver(["bob@example.net"], text).says("250")
    wait_until(lambda: peer.mail().count(b"x" * 71) > 40000, 30, "arrival")
