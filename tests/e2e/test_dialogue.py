# SPDX-License-Identifier: ISC
"""The dialogue of RFC 5321 and its extensions, octet for octet."""
import fnmatch
import glob
import os
import re
import signal
import time

import pytest

from client import Client, Closed, new_message, wire
from postern import TOP, wait_until


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(
        users='alice\nbob\njörg\n',
        limits="errors_per_session = 0  recipients = 7  message_size = 1M\n"
        "unknown_recipients = 0",
        more="""
domain "bücher.example" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases"
    mailbox = "{folder}/mail/%d/%u/Maildir"
    {owner}
}}
""")


@pytest.fixture
def client(server):
    with server.connect() as c:
        yield c


@pytest.fixture
def esmtp(client):
    client.ehlo()
    return client


@pytest.fixture
def mailbox(server):
    """How many new messages came to alice since."""
    before = len(server.mail("alice"))
    return lambda: len(server.mail("alice")) - before


@pytest.mark.parametrize("host, literal, other", [
    ("127.0.0.1", "[127.0.0.1]", "[127.0.0.2]"),
    ("::1", "[IPv6:0:0::1]", "[IPv6:::2]")])
def test_recipient_at_our_ip_address(server, mailbox, host, literal, other):
    """RFC 1123 5.2.17: that of the connection, which is the origin's."""
    with server.connect(host) as c:
        c.ehlo()
        c.envelope(["alice@" + literal, "alice@example.org"])
        c.expect("RCPT TO:<nobody@%s>" % literal, "550 5.1.1")
        c.expect("RCPT TO:<alice@%s>" % other, "550 5.7.1")
        assert c.data(new_message()).code == 250
    assert mailbox() == 1
    assert server.mail("alice")[-1].get("Delivered-To").endswith(
        "@example.org")


# ---- greeting and hello ----

def test_greeting_names_the_host_and_esmtp(client):
    assert client.greeting.code == 220
    assert client.greeting.lines[0].split(" ")[0] == "mx.example.org"
    assert "ESMTP" in client.greeting.lines[0].split(" ")


def test_ehlo_keywords(client):
    reply = client.command("EHLO client.example")
    assert reply.code == 250
    assert reply.lines[0].split(" ")[0] == "mx.example.org"
    words = dict((line + " ").split(" ", 1) for line in reply.lines[1:])
    words = {k: v.strip() for k, v in words.items()}
    assert {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "PRDR",
            "ENHANCEDSTATUSCODES", "LIMITS"} <= set(words)
    assert words["SIZE"] == str(1 << 20)
    assert words["LIMITS"].split() == ["RCPTMAX=7"]     # MAILMAX is not set
    assert not {"BINARYMIME", "DSN", "AUTH", "STARTTLS", "ETRN"} & set(words)


def test_limits_announces_only_limits_in_force(make_server):
    server = make_server(limits="recipients = 0 messages_per_session = 3")
    with server.connect() as c:
        assert c.ehlo()["LIMITS"].split()[0] == "MAILMAX=3"
        for _ in range(3):
            assert c.deliver("alice@example.org", new_message()).code == 250
        reply = c.command("MAIL FROM:<a@elsewhere.example>")
        assert reply.code in (421, 452), reply


def test_helo_session_has_the_same_digits_without_enhanced_codes(client):
    reply = client.command("HELO client.example")
    assert reply.code == 250 and len(reply.lines) == 1
    said = [client.command(line) for line in (
        "NOOP", "RSET", "VRFY alice", "EXPN team", "DATA", "NONSENSE",
        "MAIL FROM:<a@elsewhere.example>", "RCPT TO:<nobody@example.org>",
        "RCPT TO:<x@not-ours.example>", "RCPT TO:<alice@example.org>")]
    assert [r.code for r in said] == [250, 250, 252, 502, 503, 500,
                                      250, 550, 550, 250]
    reply = client.data(new_message())
    assert reply.code == 250
    for r in said + [reply, client.command("QUIT")]:
        assert r.enhanced is None, r


def test_helo_client_is_not_offered_parameters(client):
    client.expect("HELO client.example", "250")
    assert client.command("MAIL FROM:<a@b.example> SIZE=10").code == 555


def test_helo_delivery_says_smtp_in_received(server, client, mailbox):
    client.expect("HELO old.example", "250")
    assert client.deliver("alice@example.org", new_message()).code == 250
    assert mailbox() == 1
    received = server.mail("alice")[-1].get("Received")
    assert "old.example" in received
    assert re.search(r"\bwith SMTP\b", received)


def test_ehlo_again_forgets_the_transaction(esmtp):
    esmtp.envelope("alice@example.org")
    esmtp.ehlo()
    esmtp.expect("RCPT TO:<alice@example.org>", "503 5.5.1")


@pytest.mark.parametrize("line", ["EHLO", "HELO", "EHLO two words",
                                  "EHLO " + "x" * 300])
def test_hello_without_a_name(client, line):
    client.expect(line, "501")
    client.expect("MAIL FROM:<a@elsewhere.example>", "503")


def test_lenient_hello_names(client):
    for name in ("under_score", "bare", "[192.0.2.1]", "[IPv6:2001:db8::1]"):
        client.expect("EHLO " + name, "250")


# ---- simple commands ----

def test_simple_commands(esmtp):
    esmtp.expect("NOOP", "250 2.0.0")
    esmtp.expect("NOOP with words", "250 2.0.0")
    esmtp.expect("RSET", "250 2.0.0")
    esmtp.expect("rSeT", "250 2.0.0")
    esmtp.expect("VRFY alice", "252 2.5.0")
    assert esmtp.command("VRFY alice").text == \
        esmtp.command("VRFY nobody").text
    esmtp.expect("EXPN team", "502 5.5.1")
    help_text = esmtp.expect("HELP", "214").text
    for verb in "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT".split():
        assert verb in help_text
    quit_reply = esmtp.expect("QUIT", "221 2.0.0")
    assert "mx.example.org" in quit_reply.text
    assert esmtp.is_closed()


def test_simple_commands_before_hello(client):
    client.expect("NOOP", "250")
    client.expect("RSET", "250")
    client.expect("HELP", "214")
    client.quit()


@pytest.mark.parametrize("line, want", [
    ("RSET now", "501 5.5.4"), ("DATA now", "503 5.5.1"),
    ("QUIT now", "501 5.5.4"), ("VRFY", "501 5.5.4"),
    ("NONSENSE", "500 5.5.1"), ("", "500 5.5"), ("MAIL", "501 5.5.4"),
    ("MAIL FROM", "501 5.5.4"), ("MAIL FROM:", "501"),
    ("MAIL FROM:a@b.example", "501"), ("MAIL FROM:<a b@c.example>", "501"),
    ("MAIL FROM:<a@b..example>", "501"), ("MAIL FROM:<a@-b.example>", "501"),
    ("MAIL FROM:<a@b.example", "501"), ("MAIL FROM:<@b.example>", "501"),
    ("MAIL FROM:<a@b.example> SIZE=x", "501 5.5.4"),
    ("MAIL FROM:<a@b.example> SIZE=1 SIZE=1", "501 5.5.4"),
    ("MAIL FROM:<a@b.example> BODY=16BIT", "501 5.5.4"),
    ("MAIL FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"),
    ("MAIL FROM:<a@b.example> NONSENSE=1", "555 5.5.4"),
    ("MAIL FROM:<a@b.example> AUTH=<>", "555 5.5.4"),
    ("MAIL FROM:<a@b.example> RET=HDRS", "555 5.5.4"),
    ("MAIL FROM:<a@b.example> ENVID=x", "555 5.5.4"),
    ("MAIL FROM:<a@b.example> REQUIRETLS", "555 5.5.4"),
])
def test_bad_commands(esmtp, line, want):
    code, _, enhanced = want.partition(" ")
    reply = esmtp.command(line)
    assert reply.code == int(code), reply
    assert (reply.enhanced or "").startswith(enhanced), reply
    assert reply.id, "no id in %r" % reply
    esmtp.expect("NOOP", "250")


@pytest.mark.parametrize("line, want", [
    ("RCPT", "501"), ("RCPT TO:", "501"), ("RCPT TO:<>", "501"),
    ("RCPT TO:alice@example.org", "501"),
    ("RCPT TO:<alice@example.org", "501"),
    ("RCPT TO:<alice@example.org> NOTIFY=NEVER", "555 5.5.4"),
    ("RCPT TO:<alice@example.org> ORCPT=rfc822;alice@example.org",
     "555 5.5.4"),
    ("RCPT TO:<alice@example.org> NONSENSE", "555 5.5.4"),
    ("RCPT TO:<%s@example.org>" % ("x" * 65), "501"),
])
def test_bad_recipients(esmtp, line, want):
    esmtp.expect("MAIL FROM:<a@elsewhere.example>", "250 2.1.0")
    assert esmtp.command(line).says(want)
    esmtp.expect("RCPT TO:<alice@example.org>", "250 2.1.5")


def test_odd_addresses_that_are_right(server, esmtp):
    for path in ('MAIL FROM:<>', 'MAIL FROM: <a@b.example>',
                 'MAIL FROM:<"a b"@c.example>', 'mail from:<a@b.example>',
                 'MAIL FROM:<@one.example,@two.example:a@b.example>',
                 'MAIL FROM:<a@[192.0.2.1]>',
                 'MAIL FROM:<a@[IPv6:2001:db8::1]>',
                 'MAIL FROM:<prvs=1234567890=%s@b.example>' % ("x" * 80)):
        esmtp.expect(path, "250 2.1.0")
        esmtp.expect('RCPT TO:<@relay.example:"alice"@EXAMPLE.ORG>',
                     "250 2.1.5")
        esmtp.expect("RSET", "250")


@pytest.mark.parametrize("lines", [
    ["MAIL FROM:<a@b.example>"],            # before EHLO
    ["EHLO x.example", "RCPT TO:<alice@example.org>"],
    ["EHLO x.example", "DATA"],
    ["EHLO x.example", "BDAT 0 LAST"],
    ["EHLO x.example", "MAIL FROM:<a@b.example>", "MAIL FROM:<a@b.example>"],
])
def test_bad_sequence(client, lines):
    for line in lines[:-1]:
        client.expect(line, "250")
    reply = client.command(lines[-1])
    assert reply.code == 503, reply
    client.expect("NOOP", "250")


def test_data_without_valid_recipient(esmtp):
    esmtp.expect("MAIL FROM:<a@b.example>", "250")
    esmtp.expect("RCPT TO:<nobody@example.org>", "550 5.1.1")
    reply = esmtp.command("DATA")
    assert reply.code in (503, 554) and reply.enhanced == "5.5.1"


# ---- octets and line lengths ----

@pytest.mark.parametrize("line", [b"NOOP \0", b"NOOP a\x01b", b"NOOP \xff\xfe",
                                  b"MAIL FROM:<a\rb@c.example>"])
def test_bad_octets_in_a_command(esmtp, line):
    esmtp.expect(line, "500 5.5.2")
    esmtp.expect("NOOP", "250")


def test_bare_lf_in_a_command_is_no_line_end(esmtp):
    esmtp.send(b"NOOP\nRSET\r\n")
    reply = esmtp.reply()
    assert reply.says("500 5.5.2"), reply
    assert esmtp.is_silent()
    esmtp.expect("NOOP", "250")


def test_long_command_lines(esmtp):
    esmtp.expect("NOOP " + "x" * 1000, "250")
    esmtp.expect("NOOP " + "x" * 8000, "500 5.5.2")
    esmtp.expect("NOOP", "250")


def test_command_line_without_end_is_cut_off(server):
    with server.connect() as c:
        try:
            for _ in range(200):
                c.send(b"x" * 65536)
        except OSError:
            pass
        try:
            assert c.reply().says("500")
        except (Closed, OSError):
            pytest.fail("the refusal could not be read")


@pytest.mark.parametrize("length, want", [
    (998, 250), (5000, 250), (65000, 250), (70000, 552)])
def test_text_lines(server, esmtp, mailbox, length, want):
    body = "y" * length + "\nend\n"
    reply = esmtp.deliver("alice@example.org", new_message(body=body))
    assert reply.code == want, reply
    assert mailbox() == (want == 250)
    if want == 250:
        assert server.mail("alice")[-1].body == body.encode()
    esmtp.expect("NOOP", "250")


# ---- pipelining ----

def test_pipelining_answers_in_order(server, client, mailbox):
    lines = ["EHLO c.example", "MAIL FROM:<a@elsewhere.example>",
             "RCPT TO:<alice@example.org>", "RCPT TO:<nobody@example.org>",
             "RCPT TO:<x@not-ours.example>", "RCPT TO:<bob@example.org>",
             "DATA"]
    client.send("\r\n".join(lines) + "\r\n")
    codes = [r.code for r in client.replies(7)]
    assert codes == [250, 250, 250, 550, 550, 250, 354]
    client.send(wire(new_message()) + b"MAIL FROM:<b@elsewhere.example>\r\n"
                b"RCPT TO:<alice@example.org>\r\nDATA\r\n")
    assert [r.code for r in client.replies(4)] == [250, 250, 250, 354]
    client.send(wire(new_message()) + b"QUIT\r\n")
    assert [r.code for r in client.replies(2)] == [250, 221]
    assert mailbox() == 2


def test_everything_in_one_packet_as_no_client_should(client, mailbox):
    client.send(b"EHLO c.example\r\nMAIL FROM:<a@elsewhere.example>\r\n"
                b"RCPT TO:<alice@example.org>\r\nDATA\r\n" +
                wire(new_message()) + b"QUIT\r\n")
    assert [r.code for r in client.replies(6)] == \
        [250, 250, 250, 354, 250, 221]
    assert mailbox() == 1


def test_dialogue_octet_by_octet(client, mailbox):
    client.send_each(b"EHLO c.example\r\nMAIL FROM:<a@elsewhere.example>\r\n"
                     b"RCPT TO:<alice@example.org>\r\nDATA\r\n" +
                     wire(new_message()) + b"QUIT\r\n")
    assert [r.code for r in client.replies(6)] == \
        [250, 250, 250, 354, 250, 221]
    assert mailbox() == 1


# ---- the message arrives as it was ----

def test_dots_and_odd_text_survive(server, esmtp, mailbox):
    body = ".\n..\n.a\n...\n\n \n\t.\ntrailing \n\x7f\x01\x1b\n"
    assert esmtp.deliver("alice@example.org",
                         new_message(body=body)).code == 250
    assert mailbox() == 1
    assert server.mail("alice")[-1].body == body.encode()


def test_message_without_header_or_body(server, esmtp, mailbox):
    for message in ("Subject: only\n", "\n", "no header at all\n"):
        assert esmtp.deliver("alice@example.org", message).code == 250
    esmtp.envelope("alice@example.org")
    esmtp.expect("DATA", "354")
    esmtp.send(b".\r\n")
    assert esmtp.reply().code == 250
    assert mailbox() == 4


@pytest.mark.parametrize("space", [" ", "\t", ". ", ".\t"])
def test_no_field_of_ours_is_continued(server, esmtp, space):
    """Nor in our name: "; dkim=pass" as the first line of a message."""
    esmtp.envelope("alice@example.org")
    esmtp.expect("DATA", "354")
    esmtp.send(space.encode() + b"; dkim=pass\r\nSubject: x\r\n\r\nhi\r\n.\r\n")
    assert esmtp.reply().code == 250
    mail = server.mail("alice")[-1]
    assert mail.body.lstrip() == b"; dkim=pass\nSubject: x\n\nhi\n"
    assert not any("dkim=pass" in value for _, value in mail.fields)


def test_8bitmime(server, esmtp, mailbox):
    body = "Grüße, žluťoučký kůň\n".encode() + b"\xff\xfe\x80 latin\n"
    message = new_message().replace("\n", "\r\n").encode() + \
        body.replace(b"\n", b"\r\n")
    assert esmtp.deliver("alice@example.org", message,
                         params=" BODY=8BITMIME").code == 250
    assert mailbox() == 1
    assert server.mail("alice")[-1].raw.endswith(body)


# ---- SIZE ----

def test_size(esmtp, mailbox):
    esmtp.expect("MAIL FROM:<a@b.example> SIZE=1048576", "250")
    esmtp.expect("RSET", "250")
    esmtp.expect("MAIL FROM:<a@b.example> SIZE=1048577", "552 5.3.4")
    esmtp.expect("MAIL FROM:<a@b.example> SIZE=99999999999999999999",
                 "552 5.3.4")
    assert esmtp.deliver("alice@example.org", new_message(size=2000),
                         params=" SIZE=2100").code == 250
    assert mailbox() == 1


# ---- SMTPUTF8 ----

def test_smtputf8_address_and_idn_domain(server, esmtp):
    assert esmtp.deliver("jörg@bücher.example", new_message(),
                         sender="björn@elsewhere.example",
                         params=" SMTPUTF8").code == 250
    found = []
    for domain in ("xn--bcher-kva.example", "bücher.example"):
        maildir = os.path.join(server.mail_folder, domain, "jörg", "Maildir",
                               "new")
        if os.path.isdir(maildir):
            found += [os.path.join(maildir, n) for n in os.listdir(maildir)]
    assert len(found) == 1
    text = open(found[0], encoding="utf-8").read()
    assert "Return-Path: <björn@elsewhere.example>" in text
    assert re.search(r"with UTF8SMTP\b", text)


def test_idn_domain_as_a_label_needs_no_smtputf8(esmtp):
    assert esmtp.deliver("alice@XN--BCHER-KVA.example",
                         new_message()).code == 250
    esmtp.expect("MAIL FROM:<a@elsewhere.example> SMTPUTF8", "250")
    esmtp.expect("RCPT TO:<alice@BÜCHER.example>", "250")


def test_utf8_address_without_smtputf8(esmtp):
    esmtp.expect("MAIL FROM:<björn@elsewhere.example>", "553 5.6.7")
    esmtp.expect("MAIL FROM:<a@elsewhere.example>", "250")
    esmtp.expect("RCPT TO:<jörg@example.org>", "553 5.6.7")


def test_utf8_in_replies_only_with_smtputf8(esmtp):
    esmtp.expect("MAIL FROM:<a@elsewhere.example> SMTPUTF8", "250")
    assert "ünknown" in esmtp.expect("RCPT TO:<ünknown@example.org>",
                                     "550 5.1.1").text
    esmtp.expect("RSET", "250")
    esmtp.expect("MAIL FROM:<a@elsewhere.example>", "250")
    text = esmtp.command("RCPT TO:<ünknown@example.org>").text
    assert text.isascii()


# ---- BDAT ----

def bdat(message):
    """A message as octets with CRLF."""
    return message.replace("\n", "\r\n").encode()


def test_bdat_in_chunks(server, esmtp, mailbox):
    text = new_message(body="one\n.\n..two\nthree\n")
    message = bdat(text)
    esmtp.envelope("alice@example.org")
    for at in range(0, len(message), 40):
        chunk = message[at:at + 40]
        esmtp.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        assert esmtp.reply().says("250 2.0.0")
    esmtp.expect("BDAT 0 LAST", "250 2.0.0")
    assert mailbox() == 1
    assert server.mail("alice")[-1].body == b"one\n.\n..two\nthree\n"


def test_bdat_one_last_chunk_pipelined(server, esmtp, mailbox):
    message = bdat(new_message(body="a\r\n.\r\nb\n".replace("\r\n", "\n")))
    esmtp.send(b"MAIL FROM:<a@elsewhere.example>\r\n"
               b"RCPT TO:<alice@example.org>\r\nBDAT %d LAST\r\n" %
               len(message) + message + b"NOOP\r\n")
    assert [r.code for r in esmtp.replies(4)] == [250] * 4
    assert mailbox() == 1
    assert server.mail("alice")[-1].body == b"a\n.\nb\n"


def test_bdat_split_at_every_octet(server, esmtp, mailbox):
    message = bdat("Subject: s\n\nb\n")
    dialogue = b"BDAT %d LAST\r\n" % len(message) + message
    for at in range(1, len(dialogue)):
        esmtp.envelope("bob@example.org")
        esmtp.send_split(dialogue, at)
        assert esmtp.reply().code == 250
    assert [m.body for m in server.mail("bob")][-1] == b"b\n"


def test_bdat_without_recipients_is_skipped(esmtp, mailbox):
    esmtp.expect("MAIL FROM:<a@elsewhere.example>", "250")
    chunk = b"NOOP\r\nRSET\r\n"
    esmtp.send(b"BDAT %d LAST\r\n" % len(chunk) + chunk)
    assert esmtp.reply().code in (503, 554)
    assert esmtp.is_silent()
    esmtp.expect("NOOP", "250")
    assert mailbox() == 0


@pytest.mark.parametrize("argument", ["", "x", "-1", "10 FIRST",
                                      "99999999999999999999999"])
def test_bdat_bad_size_closes(esmtp, argument):
    esmtp.envelope("alice@example.org")
    assert esmtp.command("BDAT " + argument).code == 501
    assert esmtp.is_closed()


def test_bdat_and_data_do_not_mix(esmtp, mailbox):
    esmtp.envelope("alice@example.org")
    esmtp.send(b"BDAT 4\r\nabcd")
    assert esmtp.reply().code == 250
    esmtp.expect("DATA", "503 5.5.1")
    esmtp.expect("MAIL FROM:<a@b.example>", "503 5.5.1")
    esmtp.expect("RCPT TO:<bob@example.org>", "503 5.5.1")
    esmtp.expect("RSET", "250")
    assert esmtp.deliver("alice@example.org", new_message()).code == 250
    assert mailbox() == 1


def test_bdat_bare_lf_refused_at_the_end(esmtp, mailbox):
    esmtp.envelope("alice@example.org")
    chunk = b"Subject: x\r\n\r\na\nb\r\n"
    esmtp.send(b"BDAT %d\r\n" % len(chunk) + chunk)
    first = esmtp.reply()
    last = first if first.code >= 400 else esmtp.command("BDAT 0 LAST")
    assert last.says("550 5.5.2")
    assert mailbox() == 0
    esmtp.expect("RSET", "250")


def test_bdat_crlf_split_between_chunks(server, esmtp, mailbox):
    esmtp.envelope("alice@example.org")
    for chunk in (b"Subject: x\r", b"\n\r", b"\nab\r", b"\n"):
        esmtp.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        assert esmtp.reply().code == 250
    esmtp.expect("BDAT 0 LAST", "250")
    assert server.mail("alice")[-1].body == b"ab\n"
    assert mailbox() == 1


def test_bdat_too_large(esmtp, mailbox):
    esmtp.envelope("alice@example.org")
    line = b"x" * 78 + b"\r\n"
    chunk = line * 14000                        # over 1 MiB
    esmtp.send(b"BDAT %d LAST\r\n" % len(chunk) + chunk)
    assert esmtp.reply().says("552 5.3.4")
    esmtp.expect("NOOP", "250")
    assert mailbox() == 0


# ---- bad manners ----

def test_too_many_errors(make_server):
    server = make_server(limits="errors_per_session = 5")
    with server.connect() as c:
        c.ehlo()
        codes = []
        while not codes or codes[-1] == 500:
            codes.append(c.command("NONSENSE").code)
            if codes[-1] == 500 and c.buffer:
                codes.append(c.reply().code)
        assert codes[-1] == 421
        assert 5 <= codes.count(500) <= 6
        assert c.is_closed()


def test_talking_before_the_greeting(server):
    smtpds = server.children("smtpd")
    assert smtpds
    for pid in smtpds:
        os.kill(pid, signal.SIGSTOP)
    try:
        early = server.connect(greet=False)
        early.send(b"EHLO early.example\r\n")
        time.sleep(0.05)
    finally:
        for pid in smtpds:
            os.kill(pid, signal.SIGCONT)
    reply = early.reply()
    assert reply.code == 554 and "5.5.1" in reply.text, reply
    assert early.is_closed()


def test_replies_are_readable_when_the_server_closes(server):
    """Drain before close: no reset eats the refusal."""
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        c.send(b"BDAT nonsense\r\n" + b"x" * 200000)
        time.sleep(0.2)
        assert c.reply().code == 501


def test_client_may_half_close_after_quit(server):
    with server.connect() as c:
        c.ehlo()
        c.send(b"QUIT\r\n")
        c.sock.shutdown(1)
        assert c.reply().code == 221
        assert c.is_closed()


def test_dead_connections_do_not_pile_up(server):
    for _ in range(30):
        c = Client(("127.0.0.1", server.port), greet=False)
        c.reset()
    wait_until(lambda: re.search(r"^sessions_now +0$", server.ctl("status"),
                                 re.M), what="idle server in status")


def test_command_timeout(make_server):
    server = make_server(limits="command_timeout = 2s")
    with server.connect() as c:
        c.ehlo()
        began = time.monotonic()
        assert c.reply().code == 421
        assert 1.5 < time.monotonic() - began < 8
        assert c.is_closed()


def test_data_timeout(make_server):
    server = make_server(limits="data_timeout = 2s")
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        c.expect("DATA", "354")
        c.send(b"Subject: x\r\n")
        assert c.reply().code == 421
        assert c.is_closed()
    assert server.all_files() == []


# ---- the dialogues of the session core ----

STORIES = {}
for _path in sorted(glob.glob(os.path.join(TOP, "tests/dialogue/*.dlg"))):
    with open(_path, encoding="utf-8") as _f:
        STORIES[os.path.basename(_path)] = _f.read().splitlines()


def octets_of(kind, text):
    """What the client says in this line; see tests/dialogue/README."""
    text = re.sub(r"\\\*(\d+)(.)", lambda m: m.group(2) * int(m.group(1)),
                  text)
    simple = {"r": b"\r", "n": b"\n", "0": b"\0", "\\": b"\\"}
    return b"".join(
        bytes.fromhex(m.group(1)) if m.group(1) else
        simple[m.group(2)] if m.group(2) else m.group().encode()
        for m in re.finditer(r"\\x(..)|\\(.)|[^\\]", text)) + (
            b"\r\n" if kind == "c" else b"")


def is_said(c, pattern):
    """Whether the next line of the server is like this."""
    if pattern == "(closed)":
        return c.is_closed()
    line = c.read_line().decode()[:-2]
    assert fnmatch.fnmatchcase(line, pattern), line
    return True


@pytest.mark.parametrize("name", [
    n for n, lines in STORIES.items() if "needs: core" not in lines])
def test_like_the_session_core(make_server, name):
    """What needs no fake of another compartment holds of all of them."""
    lines = [m.groups() for m in (
        re.match(r"(c-?|s|config): ?(.*)$", line)
        for line in STORIES[name]) if m]
    server = make_server(users="alice\nbob\ncarol\n", more="\n".join(
        text.replace("{", "{{").replace("}", "}}")
        for kind, text in lines if kind == "config") + "\n")
    with server.connect(greet=False) as c:
        for kind, text in lines:
            if kind == "s":
                assert is_said(c, text), text
            elif kind != "config":
                c.send(octets_of(kind, text))


def test_there_are_dialogues():
    assert len([n for n in STORIES if "needs: core" not in STORIES[n]]) > 5
