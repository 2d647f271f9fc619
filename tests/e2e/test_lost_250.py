# SPDX-License-Identifier: ISC
"""A client that has not read its 250 sends again: nobody has it twice, also
where queue had a part of it. kill -9 at each step: nothing is lost, and what
is sent once more is so only where nobody can know."""
import os
import signal
import smtplib
import time

import pytest

from client import Closed
from postern import wait_until
from test_auth import ALICE, PASSWORD
from test_outbound import actions, fixture_start, start_lists

__all__ = ["fixture_start"]
TEAM = "team@example.org"
AWAY = "away@example.org"
CAROL = "carol@example.org"
M1, M2, M3 = ("m%d@far.example" % i for i in (1, 2, 3))


class Stranger:
    """From outside, as far as the dot."""

    def __init__(self, server, recipients):
        self.c = server.connect(timeout=30)
        self.c.ehlo()
        self.c.expect("MAIL FROM:<a@stranger.example>", "250")
        for address in recipients:
            self.c.expect("RCPT TO:<%s>" % address, "250")
        self.c.expect("DATA", "354")

    def dot(self, text):
        """All of the message; nothing is read."""
        self.c.send(text.encode() + b".\r\n")

    def code(self):
        """Of the reply to it."""
        return self.c.reply().code

    def leave(self):
        """The reply, whatever it is, is lost."""
        self.c.reset()

    def quit(self):
        """The reply has been read."""
        self.c.quit()


class User:
    """The same of one of ours, under TLS."""

    def __init__(self, server, recipients, words=()):
        self.c = server.submit()
        self.c.login(ALICE, PASSWORD)
        assert self.c.mail(ALICE)[0] == 250
        for address in recipients:
            assert self.c.rcpt(address, words)[0] == 250
        assert self.c.docmd("DATA")[0] == 354

    def dot(self, text):
        """All of the message; nothing is read."""
        self.c.send(text.encode() + b".\r\n")

    def code(self):
        """Of the reply to it."""
        return self.c.getreply()[0]

    def leave(self):
        """The reply, whatever it is, is lost."""
        self.c.close()

    def quit(self):
        """The reply has been read."""
        self.c.quit()


def lose(who, server, recipients, text, **options):
    """The message is taken, and nobody has read so."""
    n = len(server.events("delivered"))
    client = who(server, recipients, **options)
    client.dot(text)
    wait_until(lambda: len(server.events("delivered")) > n, 30, "delivery")
    client.leave()


def send(who, server, recipients, text, is_lost=False, **options):
    """The code, or None. The reply is lost: the server cannot know that it
    was read."""
    try:
        client = who(server, recipients, **options)
        client.dot(text)
        code = client.code()
        if is_lost:
            client.leave()
        else:
            client.quit()
        return code
    except (Closed, OSError, AssertionError, smtplib.SMTPException):
        return None


def retry(who, server, recipients, text, **options):
    """As a mail server does, until it has read a 250."""
    until = time.monotonic() + 60
    code = send(who, server, recipients, text, **options)
    while code != 250 and time.monotonic() < until:
        assert code is None or code < 500, code
        time.sleep(0.2)
        code = send(who, server, recipients, text, **options)
    assert code == 250, code


def sent(sink, name):
    """{recipient elsewhere: how often he has this message}"""
    n = {}
    for m in sink.messages:
        if name.encode() in m.text:
            for r in m.recipients:
                address = r.split()[0][4:-1]
                n[address] = n.get(address, 0) + 1
    return n


def copies(server, user, name):
    """How often he has it here."""
    return sum(m.get("Message-ID") == name for m in server.mail(user))


@pytest.mark.parametrize("who", [Stranger, User])
def test_a_lost_250_of_lists(start, who):
    """Members here and elsewhere have it once. A 250 that was read is the
    end of it: who sends it again then means to."""
    server, sink = start_lists(start)
    text, name = server.text()
    to = [TEAM, AWAY, CAROL]
    lose(who, server, to, text)
    server.wait_sent()
    retry(who, server, to, text)
    server.wait_sent()
    assert sent(sink, name) == {M1: 1, M2: 1, M3: 1}
    assert [copies(server, u, name) for u in ("alice", "carol")] == [1, 1]
    retry(who, server, to, text)
    server.wait_sent()
    assert sent(sink, name) == {M1: 2, M2: 2, M3: 2}
    assert [copies(server, u, name) for u in ("alice", "carol")] == [2, 2]


def test_the_retry_has_another_list(start):
    """What has not been there goes out, beside what has."""
    server, sink = start_lists(start)
    text, name = server.text()
    lose(Stranger, server, [TEAM], text)
    server.wait_sent()
    retry(Stranger, server, [AWAY, TEAM, CAROL], text)
    server.wait_sent()
    assert sent(sink, name) == {M1: 1, M2: 1, M3: 1}
    assert [copies(server, u, name) for u in ("alice", "carol")] == [1, 1]


def test_a_lost_250_and_another_message(start):
    """Only the very same message is known again."""
    server, sink = start_lists(start)
    text, name = server.text()
    lose(Stranger, server, [TEAM], text)
    server.wait_sent()
    retry(Stranger, server, [TEAM], text.replace("Hello.", "Hello!"))
    server.wait_sent()
    assert sent(sink, name) == {M1: 2, M2: 2}


def test_success_of_a_list_once(start):
    """The retry's DSN would say what the first one has said."""
    server, sink = start_lists(start)
    text, name = server.text()
    words = {"words": ["NOTIFY=SUCCESS"]}
    lose(User, server, [AWAY], text, **words)
    retry(User, server, [AWAY], text, **words)
    server.wait_sent()
    assert sent(sink, name) == {M3: 1}
    wait_until(lambda: server.mail("alice"), 30, "the report")
    assert [actions(m) for m in server.mail("alice")] == [
        {AWAY: "delivered"}]


@pytest.mark.parametrize("who", [Stranger, User])
def test_gone_right_at_the_dot(start, who):
    """Whenever the server notices: either nobody has it, or it is known."""
    server, sink = start_lists(start)
    names = []
    for i in range(16):
        text, name = server.text()
        names.append(name)
        client = who(server, [TEAM, AWAY])
        client.dot(text)
        time.sleep(0.003 * i)
        client.leave()
        retry(who, server, [TEAM, AWAY], text)
    server.wait_sent()
    for name in names:
        assert sent(sink, name) == {M1: 1, M2: 1, M3: 1}
        assert copies(server, "alice", name) == 1


# ---- kill -9 ----

# and how often they may have it elsewhere in the end
POINTS = [
    ("smtpd", "smtpd.after-records", 1),
    ("smtpd", "smtpd.before-queue", 1),
    ("smtpd", "smtpd.after-queue", 1),
    ("smtpd", "smtpd.after-intent", 1),
    ("smtpd", "smtpd.before-commit", 1),
    ("smtpd", "smtpd.after-commit", 1),
    ("smtpd", "smtpd.before-queue-commit", 1),
    ("smtpd", "smtpd.after-queue-commit", 2),
    ("smtpd", "smtpd.before-reply", 1),
    ("queue", "queue.after-files", 1),
    ("queue", "queue.after-flush", 1),
    ("queue", "queue.prepared", 1),
    ("queue", "queue.commit", 1),
    ("queue", "queue.committed", 2),
    ("deliver", "deliver.before-commit", 1),
    ("store", "store.before-begin", 1),
    ("store", "store.before-intent", 1),
    ("store", "store.before-done", 2),
    ("store", "store.before-end", 1),
    ("store", "store.before-ledger", 2),
]


def start_faults(start):
    """One smtpd of each kind, which a test may kill."""
    server, sink = start_lists(start, faults=True,
                               settings="\nprocesses {{ smtpd = 1 }}\n")
    server.await_trail()
    return server, sink


def kill_once(server, role, point, *message):
    """The first try dies with role, or its reply is lost; then tries until
    there is a 250."""
    index = server.faults.set(point, "kill", role=role)
    send(*message, is_lost=True)
    wait_until(lambda: server.faults.hits(index) > 0, 30, "the kill")
    server.faults.clear()
    retry(*message)


@pytest.mark.parametrize("role, point, most", POINTS,
                         ids=[p[1] for p in POINTS])
def test_killed_with_a_list(start, role, point, most):
    """Who was told 250 has it, here and elsewhere, and here once."""
    server, sink = start_faults(start)
    text, name = server.text()
    kill_once(server, role, point, Stranger, server, [TEAM], text)
    server.wait_sent()
    n = sent(sink, name)
    assert set(n) == {M1, M2} and 1 <= min(n.values())
    assert max(n.values()) <= most
    assert copies(server, "alice", name) == 1


def test_store_killed_after_a_lost_250(start):
    """The record is on disk, or in its slot."""
    server, sink = start_faults(start)
    text, name = server.text()
    lose(Stranger, server, [TEAM], text)
    [store] = server.children("store")
    os.kill(store, signal.SIGKILL)
    retry(Stranger, server, [TEAM], text)
    server.wait_sent()
    assert sent(sink, name) == {M1: 1, M2: 1}
    assert copies(server, "alice", name) == 1
