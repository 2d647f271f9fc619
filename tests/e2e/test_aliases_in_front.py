# SPDX-License-Identifier: ISC
"""A domain with aliases here and no users: all mailboxes are behind its
fallback, as with Dovecot's LMTP, and what comes home goes there, too."""
import re

import pytest

from client import new_message
from dovecot import Dovecot
from postern import IS_ROOT, wait_until
from relay_lab import Sink
from test_auth import PASSWORD, Submission, hash_of
from test_outbound import LISTEN, SOON, Outbound

ALICE, BOB = "alice@inner.example", "bob@inner.example"
ALIASES = r"""
info:        alice
team:        alice, bob, zoe@far.example
owner-team:  info
carol:       \carol, bob
owner-carol: \carol
gone:        error:550 5.1.6 gone to sea
"""


class InFront(Outbound):
    """No mailbox is here, and inner.example the only domain."""

    def __init__(self, hop):
        self.serial = 0
        self.hop = hop
        self.world = Sink({"rcpt": "550 5.1.1 nobody"})
        Submission.__init__(
            self, "", more=LISTEN + SOON +
            'auth {{ users = "{folder}/accounts" }}\n'
            'relay {{ smart_host = "smtp:[127.0.0.1]:%d" }}\n' %
            self.world.port)
        self.write("inner", ALIASES)
        self.write("accounts", '%s password="%s"\n' % (ALICE,
                                                       hash_of(PASSWORD)))

    def write_config(self, **pieces):
        super().write_config(**pieces)
        with open(self.config_path, encoding="utf-8") as f:
            text = f.read()
        text = re.sub('postmaster = .*', 'postmaster = "%s"' % ALICE, text)
        text = re.sub(r'domain "example.org" \{[^}]*\}',
                      'domain "inner.example" { aliases = "%s/inner" '
                      'fallback = "%s" }' % (self.folder, self.hop), text)
        self.write("postern.conf", text)

    def close(self):
        try:
            super().close()
        finally:
            self.world.close()


@pytest.fixture(name="dovecot")
def fixture_dovecot():
    """A real one."""
    if not IS_ROOT:
        pytest.skip("Dovecot needs root")
    with Dovecot([ALICE, BOB]) as dovecot:
        yield dovecot


def test_from_outside(dovecot):
    """Aliases are ours, all else is Dovecot's, while the client waits."""
    with InFront(dovecot.hop) as server:
        code, said = server.check()
        assert code == 0, said
        for name, code in (("alice", "250"), ("info", "250"),
                           ("INFO+x", "250"), ("postmaster", "250"),
                           ("abuse", "250"), ("gone", "550 5.1.6"),
                           ("nobody", "550 5.1.1")):
            reply = server.rcpt(name + "@inner.example")
            assert reply.says(code), (name, reply)
        reply = server.deliver(["info@inner.example", BOB], new_message())
        assert reply.says("250"), reply
        assert len(dovecot.mail(ALICE)) == len(dovecot.mail(BOB)) == 1
        assert "alias \"info\"" in server.ctl("route", "info@inner.example")
        assert not server.problems()


def test_a_list(dovecot):
    """Members there and elsewhere; what fails comes home by LMTP, to the
    mailbox that owner-team leads to."""
    with InFront(dovecot.hop) as server:
        reply = server.deliver(["team@inner.example"], new_message())
        assert reply.says("250"), reply
        server.wait_sent()
        wait_until(lambda: len(dovecot.mail(ALICE)) == 2, 20, "a report")
        assert len(dovecot.mail(BOB)) == 1
        report, = [m for m in dovecot.mail(ALICE)
                   if m.get("Return-Path") == "<>"]
        assert b"zoe@far.example" in report.raw
        assert all("owner-team" in m.get("Return-Path")
                   for m in dovecot.mail(BOB))
        assert not server.problems()


def test_our_own_users(dovecot):
    """Who has his mailbox there sends as himself and as what leads to it
    alone; reports come there, and those of programs go to postmaster."""
    with InFront(dovecot.hop) as server:
        with server.submit() as client:
            client.login(ALICE, PASSWORD)
            for address, code in ((ALICE, 250), ("info@inner.example", 250),
                                  ("team@inner.example", 553), (BOB, 553)):
                assert client.mail(address)[0] == code, address
                client.rset()
            text, _ = server.text(sender=ALICE, recipient="x@far.example")
            assert client.sendmail("info@inner.example", [
                "x@far.example", BOB], text.replace(ALICE,
                                                    "info@inner.example")) \
                == {}
        server.wait_sent()
        assert len(dovecot.mail(BOB)) == 1
        assert len(dovecot.mail(ALICE)) == 1
        text, _ = server.text(sender="root@inner.example",
                              recipient="y@far.example")
        assert server.send_local(["y@far.example"], text,
                                 sender="root@inner.example").code == 250
        server.wait_sent()
        reports = dovecot.mail(ALICE)
        assert len(reports) == 2
        assert all(r.get("Return-Path") == "<>" for r in reports)
        assert not any("FROM:<>" in c for c in server.world.commands)
        assert not server.problems()


def test_while_nobody_is_there():
    """Aliases that need nobody are answered; the rest is 451."""
    with InFront("lmtp:unix:/nonexistent/lmtp") as server:
        for name, code in (("alice", "451 4.4.1"), ("info", "451 4.4.1"),
                           ("gone", "550 5.1.6"), ("carol", "250")):
            reply = server.rcpt(name + "@inner.example")
            assert reply.says(code), (name, reply)
