# SPDX-License-Identifier: ISC
"""A milter on libmilter that does what a message says, and fake ones that
break the protocol: the replies, the trail, the mailboxes."""
import os
import shutil
import socket
import struct
import threading
import time

import pytest

from certificates import make_certificate, starttls
from client import new_message
from filters import EICAR, Clamd, Fake, Program, nap, negotiate, \
    read_packet, send_packet
from nameserver import Nameserver
from postern import DEFAULT_ALIASES, maildir_mail, make_folder, wait_until

SILENT = "451 4.3.0 a filter cannot answer now"


def section(milter, keys="timeout = 3s"):
    """A section of postern.conf."""
    return 'milter "%s" {{ %s }}\n' % (milter.endpoint, keys)


def asks(*lines, body="Hello.\n"):
    """A message that tells the program what to do."""
    return new_message(fields="".join(line + "\n" for line in lines),
                       body=body)


def said(reply, want):
    """Whether its first line begins so; "550 5.7.1 no"."""
    return reply.raw[0].replace("-", " ", 1).startswith(want)


def expect(client, line, want):
    """Send a line; its reply, which must begin so."""
    reply = client.command(line)
    assert said(reply, want), reply
    return reply


def junk(server, user):
    """The messages in a user's .Junk."""
    return maildir_mail(server.maildir(user) + "/.Junk")


@pytest.fixture(scope="module")
def program():
    milter = Program()
    yield milter
    milter.close()


@pytest.fixture(scope="module")
def server(make_module_server, program):
    made = make_module_server(checks=section(program),
                              limits="errors_per_session = 0")
    yield made
    # at HELO it would not even be seen
    assert not made.events("milter_failed")


@pytest.fixture
def client(server, program):
    program.clear()
    with server.connect() as c:
        c.ehlo()
        yield c


# ---- what it is told ----

def test_events_and_macros(server, program):
    program.clear()
    body = "one\n.two\n" + "x" * 900 + "\n"
    message = new_message(fields="X-Folded: a\n\tb\n", body=body)
    assert server.deliver("alice@example.org", message,
                          sender="s@elsewhere.example").code == 250
    wait_until(lambda: program.events("close"), what="close")
    events = program.events()
    whats = [e["what"] for e in events]
    assert [w for w in whats if w != "header"] == [
        "connect", "helo", "mail", "rcpt", "data", "eoh", "eom", "close"]
    by = {e["what"]: e for e in events}
    session = server.wait_event("delivered")["session"]
    assert by["connect"]["args"][0] == "[127.0.0.1]"
    assert by["connect"]["macros"]["j"] == "mx.example.org"
    assert by["connect"]["macros"]["{client_addr}"] == "127.0.0.1"
    assert by["connect"]["macros"]["_"] == "[127.0.0.1]"
    assert by["connect"]["macros"]["{daemon_port}"] == str(server.port)
    assert by["connect"]["macros"]["{if_addr}"] == "127.0.0.1"
    assert "i" not in by["connect"]["macros"]
    assert by["helo"]["args"] == ["client.example"]
    assert by["mail"]["args"] == ["<s@elsewhere.example>"]
    assert by["mail"]["macros"]["i"] == session
    assert by["mail"]["macros"]["{mail_addr}"] == "s@elsewhere.example"
    assert by["mail"]["macros"]["{mail_host}"] == "elsewhere.example"
    assert by["rcpt"]["args"] == ["<alice@example.org>"]
    assert by["rcpt"]["macros"]["{rcpt_addr}"] == "alice@example.org"
    assert by["rcpt"]["macros"]["{rcpt_host}"] == "example.org"
    assert by["eom"]["macros"]["i"] == session
    # with CR LF, dots undone
    assert by["eom"]["args"] == [len(body) + 3, 3, 3]
    fields = [e["args"] for e in program.events("header")]
    assert fields[0][0] == "From" and ["X-Folded", "a\n\tb"] in fields


def test_name_of_the_client(make_server):
    """Confirmed, and there when the milter first hears of the session, as
    what it makes of a client without a name is worse."""
    program = Program()
    nameserver = Nameserver({
        "127.in-addr.arpa": "1.0.0 PTR client.good.example.",
        "good.example": "client A 127.0.0.1"})
    try:
        server = make_server(checks="fcrdns = mark\n" + section(program),
                             more=nameserver.config("timeout = 1s"))
        with server.connect() as c:
            c.ehlo()
            macros = program.events("connect")[0]["macros"]
            c.ehlo()
            assert c.deliver("alice@example.org", asks()).code == 250
        assert program.events("connect")[0]["args"][0] == \
            "client.good.example"
        assert macros["{client_name}"] == macros["{client_ptr}"] == \
            "client.good.example"
        assert macros["_"] == "client.good.example [127.0.0.1]"
        assert macros["{client_resolve}"] == "OK"
        # nobody answers: EHLO is not kept waiting for ever
        nameserver.close()
        began = time.monotonic()
        with server.connect(source="127.0.0.2") as c:
            c.ehlo()
        assert time.monotonic() - began < 20
        assert program.events("connect")[1]["args"][0] == "[127.0.0.2]"
        assert program.events("connect")[1]["macros"]["{client_resolve}"] \
            == "FAIL"
    finally:
        nameserver.close()
        program.close()


def test_tls_macros(make_server):
    """What was said before STARTTLS is said again, with what TLS tells."""
    program, folder = Program(), make_folder()
    try:
        server = make_server(checks=section(program),
                             more=make_certificate(folder, "ec"))
        with server.connect() as c:
            c.ehlo()
            starttls(c)
            c.ehlo()
            version, cipher = c.sock.version(), c.sock.cipher()
            assert c.deliver("alice@example.org", asks()).code == 250
        before, after = (e["macros"] for e in program.events("helo"))
        assert "{tls_version}" not in before and "{cipher}" not in before
        assert after["{tls_version}"] == version
        assert after["{cipher}"] == cipher[0]
        assert after["{cipher_bits}"] == str(cipher[2])
        # no client is asked for a certificate
        assert "{cert_subject}" not in after
        assert len(program.events("connect")) == 1
        assert program.events("mail")[0]["macros"]["{tls_version}"] == \
            version
    finally:
        program.close()
        shutil.rmtree(folder)


def test_esmtp_arguments(program, client):
    expect(client, "MAIL FROM:<s@elsewhere.example> SIZE=100 BODY=8BITMIME",
           "250")
    expect(client, "RSET", "250")
    wait_until(lambda: program.events("abort"), what="abort")
    assert program.events("mail")[0]["args"] == [
        "<s@elsewhere.example>", "SIZE=100", "BODY=8BITMIME"]
    expect(client, "MAIL FROM:<s@elsewhere.example> PRDR SMTPUTF8", "250")
    assert program.events("mail")[1]["args"] == [
        "<s@elsewhere.example>", "SMTPUTF8", "PRDR"]
    # DSN is not offered, so RCPT has none
    expect(client, "RCPT TO:<alice@example.org> NOTIFY=NEVER", "555")
    assert not program.events("rcpt")
    expect(client, "RSET", "250")
    wait_until(lambda: len(program.events("abort")) == 2, what="abort")


def test_one_connection_for_all_messages(program, client):
    for _ in range(3):
        assert client.deliver("alice@example.org", asks()).code == 250
    assert len(program.events("connect")) == 1
    assert len(program.events("eom")) == 3
    assert not program.events("abort")


def test_null_sender_and_large_body(server, program, client):
    body = "0123456789abcdef\n" * 20000
    message = new_message(body=body)
    assert client.deliver("alice@example.org", message, sender="").code == \
        250
    assert program.events("mail")[0]["args"] == ["<>"]
    assert program.events("eom")[0]["args"] == [len(body) + 20000, 20000,
                                                20000]
    assert server.mail("alice")[-1].body.decode() == body


def test_unknown_command(program, client):
    expect(client, "WIZ please", "500 5.5.1")
    assert program.events("unknown")[0]["args"] == ["WIZ please"]


# ---- refusals, at each stage ----

@pytest.mark.parametrize("what,want", [
    ("reject", "550 5.7.1 refused by a filter"),
    ("tempfail", "451 4.7.1 a filter says: try again later"),
    ("code", "550 5.7.9 no, says mail"),
    ("later", "452 4.2.2 not now"),
])
def test_refused_at_mail(server, client, what, want):
    reply = expect(client, "MAIL FROM:<mail-%s@x.example>" % what, want)
    server.why(reply, "milter")
    expect(client, "RCPT TO:<alice@example.org>", "503")
    assert client.deliver("alice@example.org", asks()).code == 250


def test_closed_at_mail(client):
    expect(client, "MAIL FROM:<mail-close@x.example>", "421 4.7.0 go away")
    assert client.is_closed()


def test_refused_recipient(server, client):
    before = server.mail("alice")
    expect(client, "MAIL FROM:<rcpt-code@x.example>", "250")
    expect(client, "RCPT TO:<bob@example.org>", "250")
    expect(client, "RCPT TO:<alice@example.org>", "550 5.7.9 no, says rcpt")
    expect(client, "RCPT TO:<carol@example.org>", "250")
    assert client.data(asks()).code == 250
    assert len(server.mail("alice")) == len(before)
    assert server.mail("bob") and server.mail("carol")


@pytest.mark.parametrize("stage", ["data", "header", "eoh", "body", "eom"])
@pytest.mark.parametrize("what,want", [
    ("reject", "550 5.7.1"), ("tempfail", "451 4.7.1"),
    ("code", "550 5.7.9"),
])
def test_refused_message(server, client, stage, what, want):
    before = server.all_files()
    client.envelope("alice@example.org",
                    sender="%s-%s@x.example" % (stage, what))
    if stage == "data":
        reply = expect(client, "DATA", want)
    else:
        reply = client.data(asks())
    assert said(reply, want), reply
    server.why(reply, "milter")
    assert server.all_files() == before


def test_lines_of_a_reply(server, client):
    client.envelope("alice@example.org", sender="eom-lines@x.example")
    reply = client.data(asks())
    assert reply.code == 554
    assert len(reply.lines) == 3, reply
    assert reply.raw[0] == "554-5.7.8 one of eom"
    assert reply.raw[1] == "554-5.7.8 two 100%"
    assert reply.raw[2].startswith("554 5.7.8 three (")


def test_chunks(server, client):
    before = server.all_files()
    client.envelope("alice@example.org", sender="data-code@x.example")
    text = new_message().replace("\n", "\r\n").encode()
    client.send(b"BDAT %d LAST\r\n" % len(text) + text)
    assert said(client.reply(), "550 5.7.9 no, says data")
    assert server.all_files() == before


@pytest.mark.parametrize("what,want", [("reject", "550 5.7.1"),
                                       ("tempfail", "451 4.7.1")])
def test_refused_session(make_server, what, want):
    milter = Program("connect=" + what)
    try:
        server = make_server(checks=section(milter))
        with server.connect() as c:
            expect(c, "EHLO x.example", want)
            expect(c, "MAIL FROM:<s@x.example>", "503")
            expect(c, "HELO x.example", want[:3])
            expect(c, "QUIT", "221")
        assert len(milter.events("connect")) == 1
    finally:
        milter.close()


def test_refused_helo(make_server):
    milter = Program("helo=code")
    try:
        server = make_server(checks=section(milter))
        with server.connect() as c:
            expect(c, "EHLO x.example", "550 5.7.9 no, says helo")
            expect(c, "MAIL FROM:<s@x.example>", "503")
            expect(c, "HELO x.example", "550 no, says helo")
    finally:
        milter.close()


def test_accepted_session(make_server):
    milter = Program("connect=accept", "eom=reject")
    try:
        server = make_server(checks=section(milter))
        assert server.deliver("alice@example.org", asks()).code == 250
        wait_until(lambda: milter.events("close"), what="close")
        assert [e["what"] for e in milter.events()] == ["connect", "close"]
    finally:
        milter.close()


# ---- changes ----

def test_header_changes(server, client):
    message = asks("X-Do: add X-New=new\\nfolded", "X-Do: insert X-Top=top",
                   "X-Do: change Subject=other", "X-Do: change X-Old=",
                   "X-Old: away", body="Body stays.\n")
    assert client.deliver("alice@example.org", message).code == 250
    mail = server.mail("alice")[-1]
    names = [n for n, _ in mail.fields]
    assert names.index("Received") < names.index("X-Top") < \
        names.index("From")
    assert mail.get("X-New") == "new\n\tfolded"
    assert mail.get("Subject") == "other"
    assert mail.get("X-Old") is None
    assert mail.body == b"Body stays.\n"
    size = int(mail.name.rsplit("S=", 1)[1])
    assert size == len(mail.raw)


def test_body_is_replaced(server, client):
    message = asks("X-Do: body one\\ntwo", body="old\n")
    assert client.deliver("alice@example.org", message).code == 250
    assert server.mail("alice")[-1].body == b"one\ntwo\n"


def test_untouched_fields_stay(server, client):
    odd = "Odd-Field : spaces before\nX-8bit: \u00e9 \nX-Tab:\tb \n"
    message = new_message(fields="X-Do: add X-New=1\n" + odd)
    assert client.deliver("alice@example.org", message).code == 250
    assert odd.encode() in server.mail("alice")[-1].raw


def test_recipient_is_added(server, client):
    for word in ("rcpt", "rcptargs"):
        before = len(server.mail("bob"))
        message = asks("X-Do: %s bob@example.org" % word)
        assert client.deliver("alice@example.org", message).code == 250
        assert len(server.mail("bob")) == before + 1
        assert server.mail("bob")[-1].get("Delivered-To") == \
            "bob@example.org"


def test_recipient_without_a_domain(server, client):
    """As spamass-milter -b spam has it: he is one at the origin."""
    for word in ("bob", "<BOB>", "postmaster"):
        user = "bob" if "b" in word.lower() else "alice"
        others = {"alice", "bob"} - {user}
        before = {u: len(server.mail(u)) for u in ("alice", "bob")}
        message = asks("X-Do: rcpt " + word)
        assert client.deliver("carol@example.org", message).code == 250
        assert len(server.mail(user)) == before[user] + 1
        assert server.mail(user)[-1].get("Delivered-To").lower() == \
            user + "@example.org"
        assert all(len(server.mail(u)) == before[u] for u in others)
    # who is there already gets no second copy, and can be removed
    before = len(server.mail("bob")), len(server.mail("carol"))
    for what in ("rcpt", "unrcpt"):
        assert client.deliver(["carol@example.org", "bob@example.org"],
                              asks("X-Do: %s bob" % what)).code == 250
    assert (len(server.mail("bob")), len(server.mail("carol"))) == \
        (before[0] + 1, before[1] + 2)


@pytest.mark.parametrize("what, copies", [("rcpt", 1), ("unrcpt", 0)])
def test_postmaster_without_a_domain(server, client, what, copies):
    """Whom the client may have named so is not somebody else."""
    before = len(server.mail("alice")), len(server.mail("bob"))
    assert client.deliver(["Postmaster", "bob@example.org"],
                          asks("X-Do: %s <postmaster>" % what)).code == 250
    assert (len(server.mail("alice")), len(server.mail("bob"))) == \
        (before[0] + copies, before[1] + 1)


@pytest.mark.parametrize("address", ["nobody@example.org", "nobody",
                                     "somebody@not.ours.example"])
def test_added_recipient_that_cannot_be(server, client, address):
    before = server.all_files()
    reply = client.deliver("alice@example.org",
                           asks("X-Do: rcpt " + address))
    assert said(reply, "451 4.3.0 a filter adds a recipient"), reply
    assert server.all_files() == before
    if "@" not in address:
        address += "@example.org"
    assert server.events("alarm", recipient=address)


def test_added_recipient_whose_mailbox_is_full(make_server):
    """It is there and does not prepare: nobody has it, nobody is told of an
    address that he did not name."""
    program = Program()
    try:
        server = make_server(checks=section(program),
                             users="alice\ntiny quota=4K\n")
        server.await_trail()
        for size in (0, 30000):
            reply = server.deliver("alice@example.org", asks(
                "X-Do: rcpt tiny@example.org", body="x" * 70 + "\n" +
                "y" * 60 * (size > 0) + "\n" * size))
            assert reply.code == (451 if size else 250), reply
            assert "tiny" not in reply.text, reply
        assert len(server.all_files()) == 2
        server.why(reply, "tiny@example.org: the message is larger")
        assert server.events("alarm", recipient="tiny@example.org")
    finally:
        program.close()


def test_recipient_is_removed(server, client):
    before = len(server.mail("bob"))
    message = asks("X-Do: unrcpt bob@example.org")
    assert client.deliver(["alice@example.org", "bob@example.org"],
                          message).code == 250
    assert len(server.mail("bob")) == before


def test_recipient_is_redirected(server, client):
    alice, carol = len(server.mail("alice")), len(server.mail("carol"))
    message = asks("X-Do: unrcpt alice@example.org",
                   "X-Do: rcpt carol@example.org")
    assert client.deliver("alice@example.org", message).code == 250
    assert len(server.mail("alice")) == alice
    assert len(server.mail("carol")) == carol + 1


def test_last_recipient_is_removed(server, client):
    before, inbox = len(junk(server, "alice")), len(server.mail("alice"))
    assert client.deliver("alice@example.org",
                          asks("X-Do: unrcpt alice@example.org")).code == 250
    assert len(junk(server, "alice")) == before + 1
    assert len(server.mail("alice")) == inbox


def test_sender_is_changed(server, client):
    assert client.deliver("alice@example.org",
                          asks("X-Do: from other@x.example")).code == 250
    assert server.mail("alice")[-1].get("Return-Path") == \
        "<other@x.example>"


# ---- what it does not want ----

STAGES = ["mail", "rcpt", "data", "header", "body", "eom"]
BOTH = ["alice@example.org", "bob@example.org"]
LIST = "team: alice, m1@far.example\nowner-team: bob\n"


@pytest.fixture(scope="module")
def disposing(make_module_server, program):
    """disposing(word): a server with discard = word."""
    servers = {}

    def make(word):
        if word not in servers:
            servers[word] = make_module_server(
                checks=section(program, "discard = " + word),
                aliases=DEFAULT_ALIASES + LIST,
                limits="errors_per_session = 0")
            servers[word].await_trail()
        return servers[word]
    return make


@pytest.mark.parametrize("params", ["", " PRDR"])
@pytest.mark.parametrize("stage", STAGES)
def test_discarded(server, program, client, stage, params):
    before = [(len(junk(server, u)), len(server.mail(u)))
              for u in ("alice", "bob")]
    reply = client.deliver(BOTH, asks(), params=params,
                           sender=stage + "-discard@x.example")
    if params:
        assert reply.code == 353
        assert [r.code for r in client.replies(2)] == [250, 250]
        reply = client.reply()
    assert reply.code == 250, reply
    assert before == [(len(junk(server, u)) - 1, len(server.mail(u)))
                      for u in ("alice", "bob")]
    server.why(reply, program.endpoint, "discard: into .Junk")


@pytest.mark.parametrize("params", ["", " PRDR"])
@pytest.mark.parametrize("stage", STAGES)
def test_dropped(disposing, program, stage, params):
    server = disposing("drop")
    before = server.all_files()
    with server.connect() as c:
        c.ehlo()
        reply = c.deliver(BOTH, asks(), params=params,
                          sender=stage + "-discard@x.example")
        if params:
            assert reply.code == 353
            each = c.replies(2)
            assert [r.code for r in each] == [250, 250]
            assert "bob@example.org" in each[1].text
            reply = c.reply()
        assert reply.code == 250, reply
        # the connection is in step, and the next message is another one
        assert c.deliver("carol@example.org", asks()).code == 250
    assert [f for f in server.all_files() if "carol" not in f] == \
        [f for f in before if "carol" not in f]
    server.why(reply, program.endpoint, "discard: dropped", "discarded 2")
    assert server.wait_event("marked", check="milter",
                             asked=program.endpoint,
                             answer="discard: dropped")
    session = server.wait_event("delivered", discarded="2")
    assert session["copies"] == "0" and session["recipients"] == "2"


@pytest.mark.parametrize("word, code", [("drop", "250"), ("junk", "550")])
def test_discarded_list(disposing, program, word, code):
    """Nor do its members elsewhere get it, behind a 250 or else."""
    server = disposing(word)
    before = server.all_files()
    with server.connect() as c:
        c.ehlo()
        reply = c.deliver("team@example.org", asks(),
                          sender="eom-discard@x.example")
        assert reply.says(code), reply
    assert server.all_files() == before
    assert not [f for _, _, files in os.walk(server.folder + "/state/spool")
                for f in files]


@pytest.mark.parametrize("stage", STAGES)
def test_discard_is_refused(disposing, program, stage):
    server = disposing("refuse")
    before = server.all_files()
    want = "550 5.7.1 refused by a filter"
    with server.connect() as c:
        c.ehlo()
        c.send("MAIL FROM:<%s-discard@x.example> PRDR\r\n" % stage)
        reply = c.reply()
        if stage != "mail":
            # at RCPT it is said of the message, so not of one recipient
            assert [c.command("RCPT TO:<%s>" % r).code
                    for r in BOTH] == [250, 250]
            c.send(b"DATA\r\n")
            reply = c.reply()
        if stage not in ("mail", "rcpt", "data"):
            assert reply.code == 354
            c.send(asks().replace("\n", "\r\n").encode() + b".\r\n")
            reply = c.reply()
        assert said(reply, want), reply
        assert c.deliver("carol@example.org", asks()).code == 250
    assert [f for f in server.all_files() if "carol" not in f] == \
        [f for f in before if "carol" not in f]
    server.why(reply, "milter", program.endpoint)


def test_refused_in_one_chunk(disposing):
    """With BDAT there is no DATA to answer."""
    server = disposing("refuse")
    text = asks().replace("\n", "\r\n").encode()
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org", sender="rcpt-discard@x.example")
        c.send(b"BDAT %d LAST\r\n" % len(text) + text)
        assert said(c.reply(), "550 5.7.1 refused by a filter")
    assert not server.mail("alice") and not junk(server, "alice")


def test_dropped_with_changes(disposing):
    """Nobody gets it, so whom it adds need not be there."""
    server = disposing("drop")
    before = server.all_files()
    with server.connect() as c:
        c.ehlo()
        reply = c.deliver("alice@example.org", asks(
            "X-Do: rcpt nobody@example.org", "X-Do: from <>", "X-Do: body x",
            "X-End: discard"))
    assert reply.code == 250, reply
    assert server.all_files() == before


def test_held(disposing, program):
    """Quarantine is not discard, whatever becomes of that."""
    for word in ("junk", "drop", "refuse"):
        server = disposing(word)
        before = len(junk(server, "alice")), len(server.mail("alice"))
        reply = server.deliver("alice@example.org",
                               asks("X-Do: hold looks odd"))
        assert reply.code == 250, reply
        assert before == (len(junk(server, "alice")) - 1,
                          len(server.mail("alice")))
        server.why(reply, program.endpoint, "looks odd: into .Junk")


def test_junk_folder_moved_away_while_mail_comes(make_server, program):
    """As a mail program does that deletes the folder: what is answered 250
    is in the one that has the name then."""
    server = make_server(checks=section(program),
                         limits="sessions_per_client = 0")
    place = server.maildir("alice") + "/.Junk"

    def deliver():
        reply = server.deliver("alice@example.org",
                               asks("X-Do: hold looks odd"))
        assert reply.code == 250, reply
    for i in range(3):
        for _ in range(8):      # each worker has it open
            deliver()
        assert len(junk(server, "alice")) == 8
        os.rename(place, "%s.old%d" % (place, i))
    deliver()
    assert len(junk(server, "alice")) == 1


def test_the_strictest_word_holds(make_server):
    """One would drop it; the second would not have it; clamd neither."""
    first, second = Program("eom=discard"), Program()
    clamd = Clamd()
    try:
        server = make_server(checks='virus = refuse\n'
                             'clamd "%s" {{ }}\n' % clamd.endpoint +
                             section(first, "discard = drop") +
                             section(second))
        with server.connect() as c:
            c.ehlo()
            reply = c.deliver("alice@example.org", asks("X-Do: hold odd"))
            assert reply.code == 250, reply
            server.why(reply, first.endpoint, "discard: dropped")
            # the first obeys its command line, the second the sender
            first.kill()
            first.words = tuple(w.replace("eom=", "header=")
                                for w in first.words)
            os.unlink(first.socket)
            first.again()
        with server.connect() as c:
            c.ehlo()
            assert said(c.deliver("alice@example.org", asks(
                "X-End: code")), "550 5.7.9 no, says eom")
            reply = c.deliver("alice@example.org", asks(body=EICAR + "\n"))
            assert said(reply, "554 5.7.1 virus found: Test.Eicar"), reply
            # what cannot be told is no 250 either (P3)
            clamd.kill()
            assert said(c.deliver("alice@example.org", asks()),
                        "451 4.3.0 cannot scan")
        assert server.all_files() == []
    finally:
        first.close()
        second.close()
        clamd.close()


@pytest.mark.parametrize("named, word, want", [
    (BOTH, "rcpt carol@example.org", {"alice": 1, "bob": 1, "carol": 1}),
    (BOTH[:1], "rcpt bob@example.org", {"alice": 1, "bob": 1, "carol": 0}),
    (BOTH + ["carol@example.org"], "unrcpt bob@example.org",
     {"alice": 1, "bob": 0, "carol": 1}),
])
def test_prdr_and_changed_recipients(server, client, named, word, want):
    """The client waits for a reply of each that it named: with others than
    those, one reply is everybody's."""
    before = {u: len(server.mail(u)) for u in want}
    client.envelope(named, params=" PRDR", sender="s@x.example")
    assert client.data(asks("X-Do: " + word)).code == 250
    assert client.command("NOOP").text.startswith("2.0.0 ok")
    for user, n in want.items():
        assert len(server.mail(user)) == before[user] + n


def test_progress(client):
    # longer than the time for one answer
    start = time.monotonic()
    assert client.deliver("alice@example.org",
                          asks("X-Do: progress 9")).code == 250
    assert time.monotonic() - start > 4


# ---- several ----

def test_each_sees_what_was_changed(make_server):
    first, second = Program(tcp=True), Program()
    try:
        server = make_server(checks=section(first) + section(second))
        message = asks("X-Do: add X-New=1", "X-Do: body other")
        assert server.deliver("alice@example.org", message).code == 250
        names = [e["args"][0] for e in second.events("header")]
        assert names.count("X-New") == 1
        assert "X-New" not in [e["args"][0] for e in first.events("header")]
        assert second.events("eom")[0]["args"] == [7, 1, 1]
        mail = server.mail("alice")[-1]
        assert mail.get_all("X-New") == ["1", "1"]
        # the second says no: the first hears that nothing comes of it
        with server.connect() as c:
            c.ehlo()
            expect(c, "MAIL FROM:<s@x.example>", "250")
            expect(c, "RSET", "250")
            wait_until(lambda: first.events("abort") and
                       second.events("abort"), what="abort")
    finally:
        first.close()
        second.close()


# ---- it fails ----

def hold_until_closed(connection):
    while connection.recv(4096):
        pass


def play_until(letter, then, actions=0x1ff, protocol=0):
    """A fake that says continue until it hears this letter."""
    def talk(connection):
        negotiate(connection, actions=actions, protocol=protocol)
        while True:
            heard, _ = read_packet(connection)
            if heard == letter:
                then(connection)
                hold_until_closed(connection)
                return
            if heard not in b"DAQK":
                send_packet(connection, b"c")
    return talk


def says_nothing(connection):
    hold_until_closed(connection)


def closes(connection):
    connection.shutdown(socket.SHUT_RDWR)


def half_answer(connection):
    connection.sendall(b"\0\0\0\x09hX-")
    connection.shutdown(socket.SHUT_RDWR)


def rubbish(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def not_negotiated(connection):
    send_packet(connection, b"h", b"X-New\0b\0")
    send_packet(connection, b"c")


def bad_name(connection):
    send_packet(connection, b"h", b"X New\0b\0")
    send_packet(connection, b"c")


def injects(connection):
    send_packet(connection, b"y", b"550 no\r\n250 ok\0")


def declines(connection):
    send_packet(connection, b"f")


FAILURES = {
    "declines": (play_until(b"C", declines), "MAIL", False),
    "silent-options": (lambda c: says_nothing(c), "MAIL", False),
    "version-1": (lambda c: (negotiate(c, version=1), says_nothing(c)),
                  "MAIL", True),
    "not-a-milter": (lambda c: (rubbish(c), says_nothing(c)), "MAIL", True),
    "silent-at-mail": (play_until(b"M", says_nothing), "MAIL", False),
    "closes-at-mail": (play_until(b"M", closes), "MAIL", False),
    "closes-at-rcpt": (play_until(b"R", closes), "RCPT", False),
    "silent-at-body": (play_until(b"B", says_nothing), "dot", False),
    "closes-at-end": (play_until(b"E", closes), "dot", False),
    "half-answer": (play_until(b"E", half_answer), "dot", False),
    "rubbish-at-end": (play_until(b"E", rubbish), "dot", True),
    "not-negotiated": (play_until(b"E", not_negotiated, actions=2), "dot",
                       True),
    "bad-name": (play_until(b"E", bad_name), "dot", True),
    "injects": (play_until(b"E", injects), "dot", True),
}


def talk_to(server, at):
    """A message; the reply where it is expected."""
    with server.connect() as c:
        c.ehlo()
        c.send(b"MAIL FROM:<s@x.example>\r\n")
        reply = c.reply()
        if at == "MAIL":
            return reply
        assert reply.code == 250, reply
        reply = c.command("RCPT TO:<alice@example.org>")
        if at == "RCPT":
            return reply
        assert reply.code == 250, reply
        return c.data(asks())


def test_shuts_the_session_down(make_server):
    """SMFIR_SHUTDOWN, which libmilter has no word for."""
    fake = Fake(play_until(b"M", lambda c: send_packet(c, b"4")))
    try:
        server = make_server(checks=section(fake))
        with server.connect() as c:
            c.ehlo()
            reply = expect(c, "MAIL FROM:<s@x.example>",
                           "421 4.3.2 a filter ends this session")
            assert c.is_closed()
        if not reply.id.startswith("zzz"):      # store was there in time
            server.why(reply, fake.endpoint)
        assert server.all_files() == []
    finally:
        fake.close()


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_fails(make_server, name):
    talk, at, is_alarm = FAILURES[name]
    fake = Fake(talk)
    try:
        server = make_server(checks=section(fake, "timeout = 1s"))
        reply = talk_to(server, at)
        assert said(reply, SILENT), reply
        if not reply.id.startswith("zzz"):      # store was there in time
            server.why(reply, fake.endpoint)
        assert server.all_files() == []
        assert bool(server.events("alarm", milter=fake.endpoint)) == is_alarm
    finally:
        fake.close()


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_fails_and_only_marks(make_server, name):
    talk, _, _ = FAILURES[name]
    fake = Fake(talk)
    try:
        server = make_server(checks=section(
            fake, "timeout = 1s on_failure = mark"))
        reply = server.deliver("alice@example.org", asks())
        assert reply.code == 250, reply
        assert len(server.mail("alice")) == 1
        assert server.mail("alice")[0].get("X-New") is None
        if reply.id.startswith("zzz"):          # store was not there in time
            reply = server.deliver("alice@example.org", asks())
        server.why(reply, fake.endpoint, "none")
    finally:
        fake.close()


def test_each_that_is_silent_is_in_the_trail(make_server):
    """on_failure = mark, and neither answers: both are named."""
    fakes = [Fake(play_until(b"M", closes)), Fake(play_until(b"E", closes))]
    try:
        server = make_server(checks="".join(
            section(fake, "on_failure = mark") for fake in fakes))
        server.await_trail()
        reply = server.deliver("alice@example.org", asks())
        assert reply.code == 250
        server.why(reply, *(fake.endpoint for fake in fakes))
        assert len(server.mail("alice")) == 1
        # both within one answer, too
        for fake in fakes:
            fake.talk = play_until(b"E", closes)
        reply = server.deliver("alice@example.org", asks())
        server.why(reply, *(fake.endpoint for fake in fakes))
        wait_until(lambda: len(server.events(
            "marked", stage="data", session=reply.id)) == 2, what="both")
    finally:
        for fake in fakes:
            fake.close()


def makes_progress(connection):
    """For ever, as far as the other side lets it."""
    while True:
        send_packet(connection, b"p")
        nap(0.3)


@pytest.mark.parametrize("keys, want", [
    ("", SILENT), ("on_failure = mark", "451 4.3.0 checks took too long")])
def test_progress_has_an_end(make_server, keys, want):
    """Several that report progress have the time of all checks together,
    not one after the other (with faults 5 s, otherwise 60)."""
    fakes = [Fake(play_until(b"E", makes_progress)) for _ in range(3)]
    try:
        server = make_server(start=False, faults=True, checks="".join(
            section(fake, "timeout = 3s " + keys) for fake in fakes))
        server.environment["POSTERN_SHORT_CHECKS"] = "1"
        server.start()
        server.await_trail()
        began = time.monotonic()
        reply = server.deliver("alice@example.org", asks())
        assert said(reply, want), reply
        assert 3 < time.monotonic() - began < 25
        assert server.all_files() == []
        if keys:
            server.why(reply, *(fake.endpoint for fake in fakes))
    finally:
        for fake in fakes:
            fake.close()


def test_down_and_up_again(make_server):
    milter = Program()
    try:
        server = make_server(checks=section(milter))
        milter.kill()
        os.unlink(milter.socket)
        assert said(talk_to(server, "MAIL"), SILENT)
        assert server.all_files() == []
        milter.run("/usr/bin/python3", os.path.join(
            os.path.dirname(__file__), "milter_program.py"),
            "unix:" + milter.socket, milter.events_path)
        assert server.deliver("alice@example.org", asks()).code == 250
    finally:
        milter.close()


class Busy(Fake):
    """It has no room for connections until it is free."""

    def __init__(self, talk):
        self.free = threading.Event()
        super().__init__(talk)
        self.listener.listen(0)

    def serve(self):
        self.free.wait()
        super().serve()

    def close(self):
        self.free.set()
        super().close()


def test_busy_is_not_down(make_server):
    """The queue of its socket is full: those who wait are served in the
    end, and one whose time is over reads 451."""
    fake = Busy(play_until(b"?", closes))
    try:
        server = make_server(checks=section(fake, "timeout = 60s"))
        clients = [server.connect() for _ in range(8)]
        for c in clients:
            c.send(b"EHLO x.example\r\nMAIL FROM:<s@x.example>\r\n")
        nap(1)
        fake.free.set()
        for c in clients:
            assert [r.code for r in c.replies(2)] == [250, 250]
            c.close()
        assert not server.events("milter_failed")
    finally:
        fake.close()
    fake = Busy(play_until(b"?", closes))
    try:
        server = make_server(checks=section(fake, "timeout = 1s"))
        clients = [server.connect() for _ in range(8)]
        for c in clients:
            c.send(b"EHLO x.example\r\nMAIL FROM:<s@x.example>\r\n")
        assert {c.replies(2)[1].code for c in clients} == {451}
        for c in clients:
            c.close()
    finally:
        fake.close()


def test_tcp_down(make_server):
    milter = Program(tcp=True)
    try:
        server = make_server(checks=section(milter))
        assert server.deliver("alice@example.org", asks()).code == 250
        milter.kill()
        assert said(talk_to(server, "MAIL"), SILENT)
    finally:
        milter.close()


def test_killed_in_mid_message(make_server):
    milter = Program()
    try:
        server = make_server(checks=section(milter))
        with server.connect() as c:
            c.ehlo()
            c.envelope("alice@example.org")
            expect(c, "DATA", "354")
            milter.kill()
            c.send(asks().replace("\n", "\r\n").encode() + b".\r\n")
            reply = c.reply()
        assert said(reply, SILENT), reply
        assert server.all_files() == []
    finally:
        milter.close()


def test_one_that_closes_between_messages(make_server):
    def talk(connection):
        negotiate(connection)
        while True:
            letter, _ = read_packet(connection)
            if letter not in b"DAQK":
                send_packet(connection, b"c")
            if letter == b"E":
                return
    fake = Fake(talk)
    try:
        server = make_server(checks=section(fake))
        with server.connect() as c:
            c.ehlo()
            for _ in range(3):
                assert c.deliver("alice@example.org", asks()).code == 250
        assert len(server.mail("alice")) == 3
        assert not server.events("milter_failed")
    finally:
        fake.close()


def test_skip_symbols_and_leading_space(make_server):
    """What opendkim does, on the wire."""
    heard = []

    def talk(connection):
        # SKIP, quiet headers, leading space; no macros at connect
        offered = negotiate(connection, protocol=0x100480, more=struct.pack(
            ">I", 0) + b"\0" + struct.pack(">I", 2) + b"i {mail_addr}\0")
        heard.append(("O", offered))
        while True:
            letter, data = read_packet(connection)
            heard.append((letter.decode(), data))
            if letter == b"B":
                send_packet(connection, b"s")
            elif letter == b"E":
                send_packet(connection, b"i", b"\0\0\0\0X-Sig\0 a;\n\tb\0")
                send_packet(connection, b"a")
            elif letter not in b"DAQKL":
                send_packet(connection, b"c")
    fake = Fake(talk)
    try:
        server = make_server(checks=section(fake))
        assert server.deliver("alice@example.org", asks(
            body="x" * 70 + "\n" * 200000)).code == 250
        letters = "".join(letter for letter, _ in heard)
        assert heard[0] == ("O", (6, 0x1ff, 0x1ff7ff))
        assert letters.count("B") == 1
        assert letters.count("L") == 5
        assert ("L", b"Subject\0 test\0") in heard
        macros = [data for letter, data in heard if letter == "D"]
        assert not [m for m in macros if m[:1] == b"C"]
        mail_macros = [m for m in macros if m[:1] == b"M"][0]
        assert mail_macros.split(b"\0")[0::2] == [b"Mi", b"{mail_addr}", b""]
        raw = server.mail("alice")[0].raw
        assert b"\nX-Sig: a;\n\tb\nFrom: " in raw
    finally:
        fake.close()


def test_slow_one_delays_nobody(make_server):
    """A hundred sessions wait for a milter; others are served."""
    fake = Fake(play_until(b"H", says_nothing))
    try:
        server = make_server(
            checks=section(fake, "timeout = 6s"), limits="sessions = 0\n"
            "sessions_per_client = 0", settings="")
        waiting = [server.connect() for _ in range(100)]
        for c in waiting:
            c.send(b"EHLO x.example\r\n")
        start = time.monotonic()
        with server.connect() as c:
            expect(c, "NOOP", "250")
        assert time.monotonic() - start < 2
        for c in waiting:
            c.close()
    finally:
        fake.close()


def test_next_session_on_the_same_connection(make_server):
    """Quit-new-connection, and what comes of it when the milter goes."""
    heard = []

    def talk(connection):
        heard.append("new")
        negotiate(connection)
        while True:
            letter, _ = read_packet(connection)
            heard.append(letter.decode())
            if letter not in b"DAQK":
                send_packet(connection, b"c")
    fake = Fake(talk)
    try:
        server = make_server(checks=section(fake, "reuse = true"),
                             settings="processes {{ smtpd = 1 }}\n")
        for _ in range(3):
            assert server.deliver("alice@example.org", asks()).code == 250
        text = "".join(h for h in heard if h != "new" and h not in "DL")
        assert heard.count("new") == 1
        assert text.startswith("CHMRTNBEKCHMRTNBEKCHMRTNBE")
        # two at a time need two
        with server.connect() as one, server.connect() as two:
            one.ehlo()
            two.ehlo()
            assert one.deliver("alice@example.org", asks()).code == 250
            assert two.deliver("alice@example.org", asks()).code == 250
            assert heard.count("new") == 2
        assert not server.events("milter_failed")
    finally:
        fake.close()


def test_reused_connection_that_died(make_server):
    """It closes just when the next session speaks: that is no failure."""
    n = []

    def talk(connection):
        n.append(1)
        negotiate(connection)
        sessions = 0
        while True:
            letter, _ = read_packet(connection)
            if letter == b"K":
                sessions += 1
            elif letter == b"C" and sessions > 0:
                return
            elif letter not in b"DAQ":
                send_packet(connection, b"c")
    fake = Fake(talk)
    try:
        server = make_server(checks=section(fake, "reuse = true"),
                             settings="processes {{ smtpd = 1 }}\n")
        for i in range(3):
            assert server.deliver("alice@example.org", asks()).code == 250
            assert len(n) == i + 1
        assert not server.events("milter_failed")
        assert len(server.mail("alice")) == 3
    finally:
        fake.close()
