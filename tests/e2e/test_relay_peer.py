# SPDX-License-Identifier: ISC
"""A host in front of us that has accepted the mail already (relay_peer): what
would be refused for what it is goes into .Junk, so that it bounces nothing to
the victim whose name stands there; whoever is unknown is still refused."""
import pytest

from client import new_message, wire
from filters import EICAR, Clamd, Program
from nameserver import Nameserver
from postern import maildir_mail, wait_until
from relay_lab import Sink
from test_bounces import VACATION

PEER, STRANGER = "127.0.0.2", "127.0.0.1"
VICTIM = "victim@reject.example"
RELAY_PEER = 'relay_peer = {{ "127.0.0.2", "2001:db8::/32" }}\n'

ZONES = {
    "reject.example": '@ MX 10 mx\nmx A 192.0.2.1\n'
    '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n_dmarc TXT "v=DMARC1; p=reject"',
    "elsewhere.example": "@ MX 10 mx\nmx A 192.0.2.1",
    "remote.example": "@ MX 10 mx\nmx A 192.0.2.1",
    "nullmx.example": "@ MX 0 .",
    "black.example": "2.0.0.127 A 127.0.0.2\n1.0.0.127 A 127.0.0.2",
    "127.in-addr.arpa": "1.0.0 PTR client.good.example.",
    "good.example": "client A 127.0.0.1",
}

REPORT = """From: MAILER-DAEMON@elsewhere.example
To: alice@example.org
Subject: failure notice
Message-ID: <r%d@elsewhere.example>
Date: Sat, 21 Nov 2026 12:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; elsewhere.example

Final-Recipient: rfc822; bob@remote.example
Action: failed
Status: 5.1.1
--b
Content-Type: message/rfc822

From: alice@example.org
Message-ID: <never-sent@example.org>

Hello.
--b--
"""


def in_junk(server, user="alice"):
    """The messages in a user's .Junk."""
    return maildir_mail(server.maildir(user) + "/.Junk")


def deliver(server, source, message, sender=VICTIM, to="alice@example.org"):
    """The reply to the dot, from this address."""
    with server.connect(source=source) as c:
        c.ehlo()
        reply = c.deliver(to, message, sender=sender)
        c.quit()
        return reply


def forged(body="Hello.\n", fields="", domain="elsewhere.example"):
    """Its author's domain is this."""
    return new_message(fields=fields, body=body).replace(
        "sender@elsewhere.example>", "victim@%s>" % domain, 1)


@pytest.fixture(scope="module", name="nameserver")
def fixture_nameserver():
    with Nameserver(ZONES) as ns:
        yield ns


@pytest.fixture(scope="module", name="milter")
def fixture_milter():
    milter = Program()
    yield milter
    milter.close()


@pytest.fixture(scope="module", name="clamd")
def fixture_clamd():
    daemon = Clamd()
    yield daemon
    daemon.close()


@pytest.fixture(scope="module", name="server")
def fixture_server(make_module_server, nameserver, milter, clamd):
    return make_module_server(
        checks="default = off\nsender_domain = refuse\ndmarc = refuse\n"
        "content = refuse\nattachments = refuse\nvirus = refuse\n" +
        RELAY_PEER + 'milter "%s" {{ timeout = 5s }}\n'
        'clamd "%s" {{ timeout = 10s }}\n' % (milter.endpoint, clamd.endpoint),
        limits="received_fields = 20  unknown_recipients = 3  "
        "messages_per_client = 60",
        aliases="postmaster: alice\nabuse: alice\nroot: alice\n",
        more=nameserver.config("timeout = 2s")).await_trail()


def attachment(name):
    """A part that the check attachments refuses."""
    return ('MIME-Version: 1.0\nContent-Type: application/octet-stream; '
            'name="%s"\n' % name)


# what, who said so, the stranger's reply, the message, the reverse-path
REFUSED = {
    "dmarc": ("checks", "550 5.7.26", forged(domain="reject.example"),
              VICTIM),
    "sender": ("checks", "550 5.7.27", forged(), "victim@nullmx.example"),
    "bounce": ("checks", "550 5.7.1", REPORT % 1, ""),
    "bounce-with-a-path": ("checks", "550 5.7.1", REPORT % 2,
                           "mailer-daemon@elsewhere.example"),
    "attachment": ("checks", "554 5.7.1", forged(
        fields=attachment("invoice.exe")), "victim@elsewhere.example"),
    "nested": ("checks", "554", forged(fields="".join(
        "X-%d: x\n" % i for i in range(1100))), "victim@elsewhere.example"),
    "virus": ("virus", "554 5.7.1", forged(EICAR + "\n"),
              "victim@elsewhere.example"),
    "milter": ("milter", "550 5.7.1", forged(fields="X-End: reject\n"),
               "victim@elsewhere.example"),
    "milter-code": ("milter", "550 5.7.9", forged(fields="X-End: code\n"),
                    "victim@elsewhere.example"),
    "milter-mail": ("milter", "550 5.7.9", forged(),
                    "mail-code@elsewhere.example"),
    "milter-data": ("milter", "550 5.7.9", forged(),
                    "data-code@elsewhere.example"),
    "milter-body": ("milter", "550 5.7.9", forged(),
                    "body-code@elsewhere.example"),
    "hops": ("loop", "554 5.4.6", forged(fields="".join(
        "Received: from a by b; Sat, 21 Nov 2026 12:00:%02d +0000\n" % i
        for i in range(21))), "victim@elsewhere.example"),
    "loop": ("loop", "554 5.4.6", forged(
        fields="Delivered-To: alice@example.org\n"),
        "victim@elsewhere.example"),
}


def refusal_of(server, source, message, sender):
    """The reply that refuses it, wherever it stands."""
    with server.connect(source=source) as c:
        c.ehlo()
        for line in ("MAIL FROM:<%s>" % sender, "RCPT TO:<alice@example.org>",
                     "DATA"):
            reply = c.command(line)
            if reply.code >= 400:
                return reply
        c.send(wire(message))
        return c.reply()


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_stranger_is_refused_goes_into_junk(server, name):
    check, refusal, message, sender = REFUSED[name]
    before = server.all_files()
    reply = refusal_of(server, STRANGER, message, sender)
    assert reply.says(refusal), reply
    assert server.all_files() == before
    n, inbox = len(in_junk(server)), len(server.mail("alice"))
    n_logged = len(server.events("relay_peer_junk"))
    reply = deliver(server, PEER, message, sender)
    assert reply.code == 250, reply
    assert len(in_junk(server)) == n + 1
    assert len(server.mail("alice")) == inbox
    said = wait_until(lambda: server.events("relay_peer_junk")[n_logged:],
                      what="event=relay_peer_junk")
    assert [e["check"] for e in said] == [check], said
    assert said[0]["client"] == PEER and said[0]["from"] == sender
    assert refusal in said[0]["refusal"], said
    server.why(reply, "junk", refusal)


def test_mail_that_nobody_refuses_is_in_the_inbox(server):
    n, inbox = len(in_junk(server)), len(server.mail("alice"))
    n_logged = len(server.events("relay_peer_junk"))
    assert deliver(server, PEER, forged(),
                   "victim@elsewhere.example").code == 250
    assert (len(in_junk(server)), len(server.mail("alice"))) == (n, inbox + 1)
    assert deliver(server, PEER, VACATION % "vacation", "").code == 250
    assert (len(in_junk(server)), len(server.mail("alice"))) == (n, inbox + 2)
    assert len(server.events("relay_peer_junk")) == n_logged


def test_temporary_refusals_stay(server):
    before = server.all_files()
    for message, sender, want in (
            (forged(fields="X-End: tempfail\n"), "a@elsewhere.example", 451),
            (forged(fields="X-End: later\n"), "a@elsewhere.example", 452)):
        assert deliver(server, PEER, message, sender).code == want
    assert server.all_files() == before


def test_the_unknown_are_refused_and_never_taken_for_harvest(server):
    """The peer asks for whom others have sent it mail."""
    with server.connect(source=PEER) as c:
        c.ehlo()
        c.expect("MAIL FROM:<%s>" % "victim@elsewhere.example", "250")
        for i in range(8):
            assert c.command("RCPT TO:<nobody%d@example.org>" % i).says(
                "550 5.1.1")
        assert c.command("RCPT TO:<x@not-ours.example>").says("550 5.7.1")
        # a milter's word about a recipient is one about a recipient
        c.expect("RSET", "250")
        c.expect("MAIL FROM:<rcpt-code@elsewhere.example>", "250")
        assert c.command("RCPT TO:<alice@example.org>").says("550 5.7.9")
        assert c.command("RCPT TO:<bob@example.org>").code == 250


def test_two_recipients_and_the_next_message(server):
    """The word is about one message, for all who get it."""
    n = [len(in_junk(server, u)) for u in ("alice", "bob")]
    with server.connect(source=PEER) as c:
        c.ehlo()
        assert c.deliver(["alice@example.org", "bob@example.org"],
                         forged(EICAR + "\n"),
                         sender="a@elsewhere.example").code == 250
        assert c.deliver("bob@example.org", forged(),
                         sender="a@elsewhere.example").code == 250
    assert [len(in_junk(server, u)) for u in ("alice", "bob")] == \
        [n[0] + 1, n[1] + 1]
    assert len(server.mail("bob")) == 1


def test_bare_lf_becomes_a_line_end(server):
    inbox = len(server.mail("carol"))
    message = forged().replace("\n", "\r\n").encode()[:-2] + \
        b"one\ntwo\n.\nMAIL FROM:<>\r\n"
    with server.connect(source=PEER) as c:
        c.ehlo()
        c.envelope("carol@example.org", "a@elsewhere.example")
        c.expect("DATA", "354")
        c.send(message + b".\r\n")
        assert c.reply().code == 250
        c.quit()
    [mail] = server.mail("carol")[inbox:]
    assert b"one\ntwo\n.\nMAIL FROM:<>\n" in mail.raw


def test_what_is_no_message_is_refused(server):
    before = server.all_files()
    with server.connect(source=PEER) as c:
        c.ehlo()
        c.envelope("carol@example.org", "a@elsewhere.example")
        c.expect("DATA", "354")
        c.send(b"Subject: x\r\n\r\na\0b\r\n.\r\n")
        assert c.reply().says("550 5.5.2")
    assert server.all_files() == before


# ---- facts that are the peer's own ----

@pytest.fixture(scope="module", name="strict")
def fixture_strict(make_module_server, nameserver):
    """Everything that can be said of a client is refused."""
    return make_module_server(
        checks="default = off\nhelo = refuse\nfcrdns = refuse\n"
        "spf = refuse\ngreylist = refuse\ngreylist_delay = 1h\n" +
        RELAY_PEER +
        'dnsbl "black.example" {{ score = 2 }}\ndnsbl_refuse_at = 1\n',
        limits="sessions_per_minute = 3 messages_per_client = 1 "
        "recipients_per_client = 2",
        more=nameserver.config("timeout = 2s"))


def test_what_is_said_of_a_client_is_not_said_of_the_peer(strict):
    for i in range(5):
        with strict.connect(source=PEER) as c:
            c.expect("EHLO mx.example.org", "250")
            reply = c.deliver("bob@example.org", forged(),
                              sender="victim%d@elsewhere.example" % i)
            assert reply.code == 250, reply
    assert len(strict.mail("bob")) == 5 and in_junk(strict, "bob") == []
    for check in ("helo", "fcrdns", "spf", "dnsbl", "greylist"):
        wait_until(lambda: any(
            check in line and "relay_peer" in line
            for line in strict.why(reply).splitlines()),
            what="%s: not asked of a relay_peer" % check)
    explained = strict.ctl("explain", "--ip", PEER, "--helo", "x.example",
                           "--from", "a@elsewhere.example", "--to",
                           "bob@example.org", check=False)[1]
    assert "not asked: the client is a relay_peer" in explained, explained


def test_a_stranger_has_no_such_right(strict):
    reply = refusal_of(strict, STRANGER, forged(), VICTIM)
    assert 400 <= reply.code < 600, reply


def test_a_milter_that_refuses_the_peer_itself(make_server):
    milter = Program("connect=reject")
    try:
        server = make_server(checks=RELAY_PEER + 'milter "%s" {{ }}\n' %
                             milter.endpoint)
        with server.connect(source=STRANGER) as c:
            assert c.command("EHLO a.example").code == 550
        assert deliver(server, PEER, forged()).code == 250
        assert len(server.mail("alice")) == 1
    finally:
        milter.close()


# ---- where there is no .Junk ----

def test_what_goes_on_to_a_next_hop_is_refused(make_server, clamd):
    """Its mailboxes are not ours: nothing of it must get there, or in part
    into a mailbox here."""
    with Sink() as sink:
        server = make_server(
            checks=RELAY_PEER + 'virus = refuse\nclamd "%s" {{ }}\n' %
            clamd.endpoint, more='domain "f.example" {{ next_hop = '
            '"smtp:[127.0.0.1]:%d" }}\n' % sink.port)
        both = ["alice@example.org", "bob@f.example"]
        for to in ("bob@f.example", both):
            reply = deliver(server, PEER, forged(EICAR + "\n"), to=to)
            assert reply.says("550 5.7.1") and "no .Junk" in reply.text, reply
            assert "virus found: Test.Eicar" in reply.text
        assert server.all_files() == [] and sink.messages == []
        assert not server.events("relay_peer_junk")
        assert deliver(server, PEER, forged(), to=both).code == 250
        assert len(sink.messages) == len(server.mail("alice")) == 1
        server.why(reply, "no .Junk")
