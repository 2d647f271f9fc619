# SPDX-License-Identifier: ISC
"""Bounces of our own users' mail: those that come back with the tag with which
it left, and all the others (DESIGN 8)."""
import hashlib
import hmac
import os
import re
import time

import pytest

from postern import wait_until
from relay_lab import Sink
from test_auth import ALICE
from test_outbound import REMOTE, Outbound


class Bounces(Outbound):
    """A server whose mail leaves for a sink."""

    def __init__(self, sink, **options):
        super().__init__(sink, **options)
        self.sink = sink

    def sent(self, recipient=REMOTE, sender=ALICE, **options):
        """A message that has left, as the sink has got it."""
        n = len(self.sink.messages)
        text, _ = self.text(sender=sender, recipient=recipient, **options)
        assert not self.send([recipient], text, sender=sender)
        wait_until(lambda: len(self.sink.messages) > n, 20, "arrival")
        self.wait_sent()
        return self.sink.messages[-1]

    def secret(self, name):
        """Number, day and key of a line of the secrets."""
        with open(self.folder + "/state/secrets", encoding="ascii") as f:
            for line in f:
                words = line.split()
                if words[0] == name:
                    return [int(w) for w in words[1:-1]] + [
                        bytes.fromhex(words[-1])]
        raise AssertionError("no " + name)

    def tag(self, address, days, generation=None):
        """A tag that is good for so many days yet."""
        number, _, key = self.secret("batv")
        number = number if generation is None else generation
        kddd = "%u%03u" % (number, (int(time.time()) // 86400 + days) % 1000)
        mac = hmac.new(key, (kddd + address.lower()).encode(),
                       hashlib.sha256).hexdigest()[:6]
        return "prvs=%s%s=%s" % (kddd, mac, address)

    def bounce(self, to, text, sender=""):
        """The reply to the end of a message from outside."""
        return self.deliver(to, text.replace("\n", "\r\n"), sender=sender)


def sender_of(message):
    """The reverse-path with which it came to the sink."""
    return re.match(r"FROM:<([^>]+)>", message.sender).group(1)


@pytest.fixture(name="server", scope="module")
def fixture_server():
    """One for those that leave it as it was."""
    sink = Sink()
    with Bounces(sink) as server:
        yield server
        assert not server.problems()
    sink.close()


VACATION = """From: bob@remote.example
To: alice@example.org
Subject: away
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <%s@remote.example>

I am away.
"""


def arrived(server, user, word):
    """Mails of the user with this word."""
    return [m for m in server.mail(user) if word in m.text()]


# ---- tags at RCPT ----

def test_the_tag_of_our_own_mail_brings_its_bounce_home(server):
    tagged = sender_of(server.sent())
    assert re.match(r"prvs=\d{4}[0-9a-f]{6}=alice@example\.org$", tagged)
    for n, to in enumerate((tagged, tagged.upper())):
        reply = server.bounce(to, VACATION % ("tag%d" % n))
        assert reply.says("250"), reply
        [mail] = [m for m in server.mail("alice")
                  if "<tag%d@" % n in (m.get("Message-ID") or "")]
        assert mail.get("Delivered-To").lower() == ALICE
        assert "prvs" not in "".join(mail.get_all("Received")).lower()


def test_whatever_the_reverse_path(server):
    tagged = sender_of(server.sent())
    assert server.bounce(tagged, VACATION % "answer",
                         sender="bob@remote.example").says("250")


@pytest.mark.parametrize("sender", ["", "bob@remote.example"])
def test_tags_that_are_not_good(server, sender):
    good = server.tag(ALICE, 3)
    assert server.rcpt(good, sender=sender).says("250")
    wrong = good[:9] + "%06x" % (int(good[9:15], 16) ^ 1) + good[15:]
    others = good.replace("alice", "carol")
    for address in (server.tag(ALICE, -1), server.tag(ALICE, -400),
                    server.tag(ALICE, 13), wrong, others):
        reply = server.rcpt(address, sender=sender)
        assert reply.says("550 5.7.1"), (address, reply)
        text = server.ctl("why", reply.id)
        assert "bounce" in text and address in text, text


def test_tags_of_others_are_names(server):
    number = server.secret("batv")[0]
    for address in (server.tag(ALICE, 3, (number + 5) % 10),
                    "btv1==9999aaaaaa==" + ALICE, "prvs=x=" + ALICE):
        assert server.rcpt(address, sender="").says("550 5.1.1")


def test_callback_probes_are_told_the_truth(server):
    assert server.rcpt(ALICE, sender="").says("250")
    assert server.rcpt("nobody@example.org", sender="").says("550 5.1.1")


def test_one_recipient_without_a_reverse_path(server):
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<>", "250")
        client.expect("RCPT TO:<%s>" % server.tag(ALICE, 3), "250")
        client.expect("RCPT TO:<carol@example.org>", "452 4.5.3")
        client.expect("RCPT TO:<alice@example.org>", "250")
        client.quit()


def test_vault_is_away():
    sink = Sink()
    with Bounces(sink) as server:
        good = server.tag(ALICE, 3)
        [vault] = server.children("vault")
        os.kill(vault, 19)
        try:
            assert server.rcpt(good, sender="").says("451 4.3.0")
            assert server.rcpt(ALICE, sender="").says("250")
        finally:
            os.kill(vault, 18)
        wait_until(lambda: server.rcpt(good, sender="").says("250"), 30,
                   "vault")
    sink.close()


def test_refuse_takes_no_bounce_without_a_tag():
    sink = Sink()
    with Bounces(sink, checks="untagged_bounces = refuse") as server:
        assert server.rcpt(ALICE, sender="").says("550 5.7.1")
        assert server.rcpt("nobody@example.org", sender="").says("550 5.1.1")
        assert server.rcpt("postmaster@example.org", sender="").says("250")
        assert server.rcpt(server.tag(ALICE, 0), sender="").says("250")
        assert server.rcpt(ALICE).says("250")
    sink.close()
