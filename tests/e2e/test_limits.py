# SPDX-License-Identifier: ISC
"""Limits of DESIGN 12 and the harvest rule of DESIGN 9."""
import os
import signal
import time

import pytest

from client import new_message, wire
from postern import wait_until


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(limits="message_size = 100K\nrecipients = 5\n"
                              "received_fields = 10\nheader_size = 16K\n"
                              "unknown_recipients = 0")


@pytest.fixture
def session(server):
    with server.connect() as c:
        c.ehlo()
        yield c


def count(server, user="alice"):
    """Messages in a mailbox."""
    return len(server.mail(user))


# ---- size ----

def test_size_without_a_word_before(server, session):
    before = count(server)
    reply = session.deliver("alice@example.org", new_message(size=150000))
    assert reply.says("552 5.3.4"), reply
    assert count(server) == before
    assert session.deliver("alice@example.org",
                           new_message(size=50000)).code == 250
    assert count(server) == before + 1


def test_size_declared(server, session):
    session.expect("MAIL FROM:<a@b.example> SIZE=102401", "552 5.3.4")
    session.expect("MAIL FROM:<a@b.example> SIZE=102400", "250")


def test_size_declared_small_and_sent_large(server, session):
    before = count(server)
    reply = session.deliver("alice@example.org", new_message(size=150000),
                            params=" SIZE=1000")
    assert reply.says("552 5.3.4"), reply
    assert count(server) == before


def test_far_too_large_can_read_its_refusal(server, session):
    """Thrown away up to a limit, then 552, and never a reset."""
    session.envelope("alice@example.org")
    session.expect("DATA", "354")
    block = b"y" * 998 + b"\r\n"
    try:
        for _ in range(80):
            session.send(block * 100)
    except OSError:
        pass
    assert session.reply().says("552 5.3.4")


def test_too_large_by_exactly_one(server, session):
    """The size that counts is the message's own."""
    head = "Subject: x\n\n"
    for size, want in ((100 * 1024 - 2000, 250), (100 * 1024 + 1, 552)):
        body = ("z" * 63 + "\n") * (size // 64)
        body += "z" * (size - len(body) - len(head) - 1) + "\n"
        assert session.deliver("alice@example.org",
                               head + body).code == want


# ---- recipients, sessions ----

def test_recipients_over_the_limit(server, session):
    session.expect("MAIL FROM:<a@elsewhere.example>", "250")
    for i in range(5):
        session.expect("RCPT TO:<alice+%d@example.org>" % i, "250")
    reply = session.expect("RCPT TO:<bob@example.org>", "452 4.5.3")
    assert reply.id
    before = count(server, "bob")
    assert session.data(new_message()).code == 250
    assert count(server, "bob") == before


def test_refused_recipients_do_not_use_up_the_limit(server, session):
    session.expect("MAIL FROM:<a@elsewhere.example>", "250")
    for i in range(10):
        session.expect("RCPT TO:<nobody%d@example.org>" % i, "550 5.1.1")
    session.expect("RCPT TO:<bob@example.org>", "250")


def test_sessions_per_client(make_server):
    """In all processes together, from the first connection on."""
    server = make_server(limits="sessions_per_client = 3",
                         settings="\nprocesses {{ smtpd = 2 }}\n")
    one, other = server.children("smtpd")
    with server.only_smtpd(one):
        held = [server.connect() for _ in range(2)]
    with server.only_smtpd(other):
        held.append(server.connect())
    try:
        assert all(c.greeting.code == 220 for c in held)
        for pid in (one, other):
            with server.only_smtpd(pid), server.connect() as fourth:
                assert fourth.greeting.code == 421, fourth.greeting
                assert "4.7.0" in fourth.greeting.text
                assert fourth.is_closed()
        with server.connect("::1") as other_network:
            assert other_network.greeting.code == 220
        held.pop().quit()

        def has_room():
            with server.connect() as c:
                return c.greeting.code == 220
        wait_until(has_room, what="room after QUIT")
    finally:
        for c in held:
            c.close()


def test_sessions_of_a_killed_process_do_not_count(make_server):
    server = make_server(limits="sessions_per_client = 2",
                         settings="\nprocesses {{ smtpd = 1 }}\n")
    server.may_crash = True
    held = [server.connect() for _ in range(2)]
    os.kill(server.children("smtpd")[0], signal.SIGKILL)
    server.wait_event("compartment_died")
    wait_until(lambda: server.connect().greeting.code == 220,
               what="a process of its own name")
    for c in held:
        c.close()


def test_sessions_of_everybody(make_server):
    server = make_server(limits="sessions = 4",
                         settings="\nprocesses {{ smtpd = 2 }}\n")
    held = []
    try:
        for pid in server.children("smtpd"):
            with server.only_smtpd(pid):
                held += [server.connect(h) for h in ("127.0.0.1", "::1")]
        assert all(c.greeting.code == 220 for c in held)
        for pid in server.children("smtpd"):
            with server.only_smtpd(pid), server.connect("::1") as c:
                assert c.greeting.code == 421
    finally:
        for c in held:
            c.close()


def test_messages_per_client(make_server):
    server = make_server(limits="messages_per_client = 3",
                         settings="\nprocesses {{ smtpd = 1 }}\n")
    with server.connect() as c:
        c.ehlo()
        for _ in range(3):
            assert c.deliver("alice@example.org", new_message()).code == 250
        assert c.command("MAIL FROM:<a@b.example>").code == 421
        assert c.is_closed()


def test_messages_per_client_of_all_processes(make_server):
    server = make_server(limits="messages_per_client = 3",
                         settings="\nprocesses {{ smtpd = 2 }}\n")
    one, other = server.children("smtpd")
    for pid, n in ((one, 2), (other, 1)):
        with server.only_smtpd(pid), server.connect() as c:
            c.ehlo()
            for _ in range(n):
                c.expect("MAIL FROM:<a@b.example>", "250")
                c.expect("RSET", "250")
    for pid in (one, other):
        with server.only_smtpd(pid), server.connect() as c:
            c.ehlo()
            assert c.command("MAIL FROM:<a@b.example>").code == 421
    with server.connect("::1") as other_network:
        other_network.ehlo()
        other_network.expect("MAIL FROM:<a@b.example>", "250")


# ---- rates ----

def test_connections_in_a_minute(make_server):
    server = make_server(limits="sessions_per_minute = 4",
                         settings="\nprocesses {{ smtpd = 2 }}\n")

    def greetings(n):
        codes = []
        for _ in range(n):
            for pid in server.children("smtpd"):
                with server.only_smtpd(pid), server.connect() as c:
                    codes.append((c.greeting.code, c.greeting.text))
        return codes
    # a new minute may begin in between
    refused = [g for g in greetings(5) if g[0] == 421]
    assert refused and "4.7.0" in refused[0][1], refused
    with server.connect("::1") as other_network:
        assert other_network.greeting.code == 220
    event = server.wait_event("refused", check="rate")
    assert event["code"] == "421"


def test_recipients_in_an_hour(make_server):
    server = make_server(limits="recipients_per_client = 4",
                         settings="\nprocesses {{ smtpd = 2 }}\n")
    replies = []
    for pid in server.children("smtpd"):
        with server.only_smtpd(pid), server.connect() as c:
            c.ehlo()
            c.expect("MAIL FROM:<a@b.example>", "250")
            for name in ("alice", "nobody", "bob"):
                replies.append(c.command("RCPT TO:<%s@example.org>" % name))
    assert [r.code for r in replies] == [250, 550, 250, 250, 450, 450]
    assert replies[-1].says("450 4.7.1") and replies[-1].id
    server.why(replies[-1], "rate")
    with server.connect("::1") as other_network:
        other_network.ehlo()
        other_network.envelope("alice@example.org")


def test_commands_that_bring_no_mail(make_server):
    server = make_server(limits="idle_commands = 10")
    with server.connect() as c:
        c.ehlo()
        for _ in range(9):
            c.expect("NOOP", "250")
        assert c.deliver("alice@example.org", new_message()).code == 250
        for _ in range(10):
            c.expect("RSET", "250")
        c.expect("NOOP", "421 4.7.0")
        assert c.is_closed()
    assert count(server) == 1


# ---- the wait for the greeting ----

def test_who_talks_before_the_greeting(make_server):
    server = make_server(limits="pregreet_delay = 2s",
                         settings="\nprocesses {{ smtpd = 1 }}\n")
    with server.connect(greet=False) as talker:
        time.sleep(0.3)     # it had its chance to look at once
        talker.send(b"HELO spam.example\r\n")
        reply = talker.reply()
        assert reply.says("554 5.5.1") and reply.id, reply
        assert talker.is_closed()
    server.why(reply, "greeting")
    began = time.monotonic()
    with server.connect() as patient:
        assert patient.greeting.code == 220
        assert 1.5 < time.monotonic() - began < 10
        patient.ehlo()
        assert patient.deliver("alice@example.org",
                               new_message()).code == 250
    # whoever has waited once is known, another network is not
    began = time.monotonic()
    with server.connect() as known:
        assert known.greeting.code == 220
        assert time.monotonic() - began < 1.5
    with server.connect("::1", greet=False) as other:
        assert other.is_silent(1)
        assert server.stop() == 0       # nor does it hold up the end
        assert other.reply().code == 421


# ---- loops ----

def received(n):
    """So many Received fields."""
    return "".join("Received: from h%d.example by h%d.example; "
                   "Tue, 14 Nov 2023 22:13:20 +0000\n" % (i, i + 1)
                   for i in range(n))


def test_hops(server, session):
    before = count(server)
    assert session.deliver("alice@example.org", new_message(
        fields=received(9))).code == 250
    reply = session.deliver("alice@example.org", new_message(
        fields=received(12)))
    assert reply.says("554 5.4.6"), reply
    assert count(server) == before + 1


@pytest.mark.parametrize("value", [
    "alice@example.org", "<alice@example.org>", "ALICE@Example.ORG"])
def test_delivered_to_loop(server, session, value):
    before = count(server)
    reply = session.deliver("alice@example.org", new_message(
        fields="Delivered-To: %s\n" % value))
    assert reply.says("554 5.4.6"), reply
    assert count(server) == before


def test_delivered_to_somebody_else_is_no_loop(session):
    assert session.deliver("alice@example.org", new_message(
        fields="Delivered-To: bob@example.org\n")).code == 250


def test_our_own_copy_sent_again_is_a_loop(server, session):
    session.deliver("bob@example.org", new_message())
    copy = server.mail("bob")[-1].raw.decode()
    assert session.deliver("bob@example.org", copy).says("554 5.4.6")


# ---- header ----

def test_header_over_the_limit_is_delivered_whole(make_server):
    """Reading it stops at header_size; the message is not cut."""
    server = make_server(limits="header_size = 16K",
                         checks="content = mark")
    fields = "X-Long: %s\n" % ("x" * 500) * 60
    reply = server.deliver("alice@example.org", new_message(
        fields=fields, body="end\n"))
    assert reply.code == 250, reply
    mail = server.mail("alice")[-1]
    assert len(mail.get_all("X-Long")) == 60 and mail.body == b"end\n"


def test_header_without_a_limit_is_read(make_server):
    """0 is none: the whole header is read, and not nothing of it."""
    server = make_server(limits="header_size = 0", checks="content = off")
    fields = "X-Long: %s\n" % ("x" * 500) * 200
    loop = fields + "Delivered-To: alice@example.org\n"
    hops = fields + "Received: from a by b; now\n" * 60
    for message in (loop, hops):
        reply = server.deliver("alice@example.org",
                               new_message(fields=message))
        assert reply.says("554 5.4.6"), reply
    assert server.deliver("alice@example.org",
                          new_message(fields=fields)).code == 250


# ---- memory ----

def test_memory_for_messages(make_server):
    """Reserved at MAIL by SIZE=; one network holds a quarter at most."""
    server = make_server(settings="memory_messages = 4M\n"
                         "processes {{ smtpd = 1 }}\n",
                         limits="message_size = 20M")
    with server.connect() as first, server.connect() as second:
        first.ehlo()
        second.ehlo()
        first.expect("MAIL FROM:<a@b.example> SIZE=900000", "250")
        second.expect("MAIL FROM:<a@b.example> SIZE=900000", "452 4.3.1")
        first.expect("RSET", "250")
        second.expect("MAIL FROM:<a@b.example> SIZE=900000", "250")
        second.expect("RCPT TO:<alice@example.org>", "250")
        second.expect("RSET", "250")
        # what can never fit is refused for good
        second.expect("MAIL FROM:<a@b.example> SIZE=1048577", "552 5.3.4")
        reply = second.deliver("alice@example.org",
                               new_message(size=3 << 20))
        assert reply.says("552 5.3.4"), reply
        assert second.deliver("alice@example.org",
                              new_message(size=500000)).code == 250


def test_memory_of_all_processes(make_server):
    server = make_server(settings="memory_messages = 4M\n"
                         "processes {{ smtpd = 2 }}\n",
                         limits="message_size = 1M")
    sessions = []
    try:
        for pid in server.children("smtpd"):
            with server.only_smtpd(pid):
                sessions.append(server.connect())
                sessions[-1].ehlo()
        first, second = sessions
        first.expect("MAIL FROM:<a@b.example> SIZE=900000", "250")
        second.expect("MAIL FROM:<a@b.example> SIZE=900000", "452 4.3.1")
        with server.connect("::1") as other_network:
            other_network.ehlo()
            other_network.expect("MAIL FROM:<a@b.example> SIZE=900000", "250")
        first.expect("RSET", "250")
        second.expect("MAIL FROM:<a@b.example> SIZE=900000", "250")
        first.expect("MAIL FROM:<a@b.example> SIZE=900000", "452 4.3.1")
        # what a process held goes with it
        os.kill(server.children("smtpd")[1], signal.SIGKILL)
        server.may_crash = True
        wait_until(lambda: first.command(
            "MAIL FROM:<a@b.example> SIZE=900000").code == 250,
            what="the memory of a dead process")
    finally:
        for c in sessions:
            c.close()


# ---- harvest ----

def test_harvest(make_server):
    server = make_server(settings="\nprocesses {{ smtpd = 2 }}\n",
                         limits="unknown_recipients = 10\n"
                         "errors_per_session = 0")
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        codes = []
        for i in range(40):
            codes.append(c.command("RCPT TO:<guess%d@example.org>" % i).code)
            if c.buffer:
                codes.append(c.reply().code)
            if codes[-1] != 550:
                break
        assert codes[-1] == 421 and 9 <= codes.count(550) <= 12, codes
        assert c.is_closed()
    # from now on all alike, known or not, in whichever process
    for pid in server.children("smtpd"):
        with server.only_smtpd(pid), server.connect() as c:
            c.ehlo()
            c.expect("MAIL FROM:<a@b.example>", "250")
            for name in ("alice", "guess1", "bob"):
                c.expect("RCPT TO:<%s@example.org>" % name, "450 4.7.1")
            c.expect("RCPT TO:<postmaster@example.org>", "250")
            c.expect("RCPT TO:<abuse@example.org>", "250")
    assert server.rcpt("alice@example.org").code == 450
    with server.connect("::1") as c:
        c.ehlo()
        c.envelope("alice@example.org")


def test_harvest_is_forgotten_after_a_quarter_of_an_hour(make_server):
    """Whoever it was before: the address serves others by then."""
    server = make_server(faults=True, settings="\nprocesses {{ smtpd = 2 }}\n",
                         limits="unknown_recipients = 3\n"
                         "errors_per_session = 0")

    def passed(minutes):
        server.faults.clear()
        server.faults.set("clock.monotonic", "errno", minutes * 60,
                          role="smtpd", count=0)

    def guess():
        """The replies to guesses in a session of their own, but the last
        ones that are 450."""
        codes = []
        with server.connect() as c:
            c.ehlo()
            c.expect("MAIL FROM:<a@b.example>", "250")
            for i in range(8):
                codes.append(c.command("RCPT TO:<guess%d@example.org>" %
                                       i).code)
                if codes[-1] == 550 and c.buffer:
                    codes.append(c.reply().code)
                if codes[-1] == 421:
                    break
        return codes
    assert guess()[-1] == 421
    assert server.rcpt("alice@example.org").code == 450
    passed(14)
    assert server.rcpt("alice@example.org").code == 450
    passed(16)
    assert server.rcpt("alice@example.org").code == 250
    # what was counted then is forgotten too, and it begins anew
    codes = guess()
    assert codes[:3] == [550] * 3 and codes[-1] == 421, codes
    assert server.rcpt("alice@example.org").code == 450


def test_harvest_over_all_processes(make_server):
    server = make_server(settings="\nprocesses {{ smtpd = 2 }}\n",
                         limits="unknown_recipients = 10\n"
                         "errors_per_session = 0")
    one, other = server.children("smtpd")
    for pid, want in ((one, 550), (other, 421)):
        with server.only_smtpd(pid), server.connect() as c:
            c.ehlo()
            c.expect("MAIL FROM:<a@b.example>", "250")
            for i in range(6):
                reply = c.command("RCPT TO:<guess%d@example.org>" % i)
                assert reply.code == 550, reply
                if c.buffer or (want == 421 and i == 4):
                    reply = c.reply()
                    break
            assert reply.code == want, reply


def test_mostly_known_recipients_are_no_harvest(make_server):
    server = make_server(limits="unknown_recipients = 4\nrecipients = 0")
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        for i in range(10):
            for _ in range(2):
                c.expect("RCPT TO:<alice+%d@example.org>" % i, "250")
            c.expect("RCPT TO:<guess%d@example.org>" % i, "550 5.1.1")


# ---- a slow or stuck client costs the others nothing ----

def test_stuck_clients_do_not_hold_up_others(server):
    held = []
    try:
        for _ in range(20):
            c = server.connect()
            held.append(c)
            c.ehlo()
            c.envelope("alice@example.org")
            c.expect("DATA", "354")
            c.send(b"Subject: stuck\r\n")
        began = time.monotonic()
        assert server.deliver("bob@example.org", new_message()).code == 250
        assert time.monotonic() - began < 5
        held[0].send(wire("rest\n"))
        assert held[0].reply().code == 250
    finally:
        for c in held:
            c.close()
