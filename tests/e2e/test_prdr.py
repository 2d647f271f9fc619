# SPDX-License-Identifier: ISC
"""PRDR: one reply for each recipient after the data (DESIGN 7)."""
import time

import pytest

from client import new_message, wire
from postern import DEFAULT_ALIASES

USERS = "alice\nbob\nsmall quota=20K\ntiny quota=4K\n"
ALIASES = DEFAULT_ALIASES + "trap: discard:\n"
LARGE = 30000       # larger than small and tiny may ever hold


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(users=USERS, aliases=ALIASES)


@pytest.fixture
def session(server):
    with server.connect() as c:
        c.ehlo()
        yield c


def send(c, recipients, message, params=" PRDR", sender="s@b.example"):
    """Up to the dot; replies are the caller's. A failure is remembered for
    the retry of its sender, so tests that fail on purpose differ in it."""
    c.envelope(recipients, sender=sender, params=params)
    c.expect("DATA", "354")
    c.send(wire(message))


def count(server, *users):
    return [len(server.mail(u)) for u in users]


def test_everybody_gets_it(server, session):
    before = count(server, "alice", "bob")
    send(session, ["alice@example.org", "bob@example.org"], new_message())
    replies = session.replies(4)
    assert [r.code for r in replies] == [353, 250, 250, 250]
    assert "alice@example.org" in replies[1].text
    assert "bob@example.org" in replies[2].text
    assert count(server, "alice", "bob") == [n + 1 for n in before]
    session.expect("NOOP", "250")


def test_one_of_three_does_not(server, session):
    before = count(server, "alice", "small", "bob")
    send(session, ["alice@example.org", "small@example.org",
                   "bob@example.org"], new_message(size=LARGE),
         sender="one-of-three@b.example")
    replies = session.replies(5)
    assert [r.code for r in replies] == [353, 250, 552, 250, 250], replies
    assert replies[2].enhanced == "5.2.2" and replies[2].id
    assert "small@example.org" in replies[2].text
    assert count(server, "alice", "small", "bob") == \
        [before[0] + 1, before[1], before[2] + 1]
    assert server.tmp_files("small") == []


def test_nobody_gets_it(server, session):
    send(session, ["small@example.org", "tiny@example.org"],
         new_message(size=LARGE), sender="nobody@b.example")
    replies = session.replies(4)
    assert [r.code for r in replies[:3]] == [353, 552, 552], replies
    assert replies[3].code >= 500
    assert server.mail("small") == server.mail("tiny") == []


@pytest.mark.parametrize("recipients, codes", [
    (["small", "trap"], [353, 552, 250, 250]),
    (["trap", "small", "tiny"], [353, 250, 552, 552, 250])])
def test_nobody_gets_it_but_who_discards(server, session, recipients, codes):
    """No copy and no record of one is left, and the reply is at once."""
    start = time.monotonic()
    send(session, [r + "@example.org" for r in recipients],
         new_message(size=LARGE), sender="%s@b.example" % "-".join(recipients))
    replies = session.replies(1)
    if replies[0].code == 353:
        replies += session.replies(len(codes) - 1)
    assert [r.code for r in replies] == codes, replies
    assert time.monotonic() - start < 5
    assert server.mail("small") == server.tmp_files("small") == []
    session.expect("NOOP", "250")


def test_one_recipient_has_one_reply(server, session):
    send(session, ["alice@example.org"], new_message())
    assert session.reply().code == 250
    session.expect("NOOP", "250")


def test_two_of_which_one_was_refused_have_one_reply(server, session):
    session.expect("MAIL FROM:<a@elsewhere.example> PRDR", "250")
    session.expect("RCPT TO:<alice@example.org>", "250")
    session.expect("RCPT TO:<nobody@example.org>", "550 5.1.1")
    assert session.data(new_message()).code == 250
    session.expect("NOOP", "250")


def test_without_the_parameter_one_reply_for_all(server, session):
    before = count(server, "alice", "small")
    send(session, ["alice@example.org", "small@example.org"],
         new_message(size=LARGE), params="", sender="no-prdr@b.example")
    assert 400 <= session.reply().code < 500
    assert count(server, "alice", "small") == before
    session.expect("NOOP", "250")


def test_fault_of_the_message_is_everybodys(server, session):
    before = server.all_files()
    session.envelope(["alice@example.org", "bob@example.org"],
                     params=" PRDR")
    session.expect("DATA", "354")
    session.send(b"Subject: x\n\r\n\r\n.\r\n")
    assert session.reply().says("550 5.5.2")
    session.expect("NOOP", "250")
    assert server.all_files() == before


def test_with_bdat(server, session):
    message = new_message(size=LARGE).replace("\n", "\r\n").encode()
    session.envelope(["alice@example.org", "small@example.org"],
                     sender="bdat@elsewhere.example", params=" PRDR")
    session.send(b"BDAT %d LAST\r\n" % len(message) + message)
    assert [r.code for r in session.replies(4)] == [353, 250, 552, 250]


def test_retry_after_prdr_without_confirmation(server):
    """Those who have it do not get it twice."""
    message = new_message(size=LARGE)
    c = server.connect()
    c.ehlo()
    before = count(server, "alice")
    send(c, ["alice@example.org", "small@example.org"], message,
         sender="sender@elsewhere.example")
    assert [r.code for r in c.replies(4)] == [353, 250, 552, 250]
    c.reset()
    server.wait_confirmed()
    assert server.deliver("alice@example.org", message).code == 250
    assert count(server, "alice") == [before[0] + 1]


def test_named_once_more(server, session):
    """One copy, and the reply to the first RCPT at the place of each."""
    before = count(server, "alice", "small", "bob")
    send(session, ["alice@example.org", "small@example.org",
                   "alice@EXAMPLE.org", "bob@example.org",
                   "small@example.org"], new_message(size=LARGE),
         sender="once-more@b.example")
    replies = session.replies(7)
    assert [r.code for r in replies] == [353, 250, 552, 250, 250, 552, 250]
    for reply, name in zip(replies[1:],
                           ["alice", "small", "alice", "bob", "small"]):
        assert name + "@example.org" in reply.text
    assert count(server, "alice", "small", "bob") == \
        [before[0] + 1, before[1], before[2] + 1]
    session.expect("NOOP", "250")


def test_repeats_count_as_recipients(server, session):
    """Each of them has a reply to come: RCPTMAX holds for them too."""
    session.expect("MAIL FROM:<many@b.example> PRDR", "250")
    for _ in range(100):
        session.expect("RCPT TO:<alice@example.org>", "250")
    session.expect("RCPT TO:<alice@example.org>", "452 4.5.3")
    before = count(server, "alice")
    assert session.data(new_message()).code == 250     # too many for PRDR
    assert count(server, "alice") == [before[0] + 1]
    session.expect("NOOP", "250")


def test_replies_come_in_one_packet(server, session):
    send(session, ["alice@example.org", "bob@example.org"], new_message())
    session.read_line()
    assert session.buffer.count(b"\r\n") == 3
