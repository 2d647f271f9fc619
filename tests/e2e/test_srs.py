# SPDX-License-Identifier: ISC
"""The reverse-paths of forwards (SRS): an alias leads to another host, which
sees an address of ours; a bounce to that comes back to us, and goes on to the
sender if he was authenticated. Names, SPF records and MX come from a real nsd;
all hosts listen at one port, each at an address of its own."""
import contextlib
import hmac
import os
import re
import signal
import struct
import time

import dkim
import pytest

from client import new_message, wire
from compartment import ASK, Compartment, slice_of
from nameserver import Nameserver
from postern import Server, wait_until
from relay_lab import Sink
from test_authentication import KEYS, RSA, txt

ONE, TWO, REST = "127.0.0.1", "127.0.0.2", "127.0.0.3"
CLIENT = '@ TXT "v=spf1 ip4:127.0.0.1 -all"\n'


def at(address):
    """A host there that takes mail."""
    return "@ MX 10 mx\nmx A %s\n" % address


ZONES = {
    "one.example": at(ONE) + CLIENT,
    "two.example": at(TWO) + CLIENT,
    "next.example": at(REST),
    "good.example": at(REST) + CLIENT,
    "forged.example": at(REST) + '@ TXT "v=spf1 ip4:192.0.2.1 -all"',
    "signed.example": at(REST) + '@ TXT "v=spf1 ip4:192.0.2.1 ~all"\n' +
    txt("rsa._domainkey", KEYS["rsa"]),
    "down.example": at("127.0.0.9") + CLIENT,
    "strict.example": at(REST) + '@ TXT "v=spf1 ip4:192.0.2.1 ~all"\n'
    '_dmarc TXT "v=DMARC1; p=quarantine"\n',
}
ALICE = "Alice@good.example"
SRS0 = r"SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=good\.example=Alice@one\.example"
DOMAIN = """
domain "%s" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases-here"
    mailbox = "{folder}/mail/%%u/Maildir"
    {owner}
}}
relay {{ port = %d }}
"""


class Lab:
    """One Postern, or two that forward to the second, and everybody else.
    replies: as of relay_lab.Sink."""

    def __init__(self, replies=None, srs="", two=False, checks=""):
        self.nameserver = Nameserver(ZONES)
        self.one = Server(checks="spf = mark\ndkim = mark\n" + checks)
        self.port = self.one.port
        self.sink = Sink(replies, address=REST, port=self.port)
        aliases = "fwd: bob@next.example\nboth: alice, bob@next.example\nchain: chain@two.example\n"
        self.set_up(self.one, "one.example", aliases, srs)
        self.servers = [self.one]
        if two:
            self.two = Server(checks="spf = mark\ndkim = mark")
            self.set_up(self.two, "two.example",
                        "chain: bob@next.example\n", 'listen "%s:%d" '
                        '{{ role = mx }}\n' % (TWO, self.port))
            with open(self.two.config_path, encoding="ascii") as f:
                text = f.read().replace('"mx.example.org"', '"mx.two.example"')
            self.two.write("postern.conf", text)
            self.servers.append(self.two)
        for server in self.servers:
            server.start()

    def set_up(self, server, name, aliases, more):
        """This domain, beside its own."""
        server.write("aliases-here", aliases)
        server.write_config(more=DOMAIN % (name, self.port) +
                            self.nameserver.config("timeout = 2s") + more)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        with contextlib.closing(self.nameserver), \
                contextlib.closing(self.sink):
            for server in self.servers:
                if kind is None:
                    assert not server.problems(), server.problems()
                    server.close()
                else:
                    print(server.log_text())
                    server.kill_tree()

    def forward(self, sender=ALICE, to="fwd@one.example", text=None):
        """The address that the next hop sees, once it has a message."""
        before = len(self.sink.messages)
        reply = self.one.deliver([to], text or new_message(), sender=sender)
        assert reply.says("250"), reply
        message, = self.sink.messages[before:]
        return re.match(r"FROM:<(.*?)>", message.sender).group(1)

    def bounce(self, to, sender="", server=None):
        """A session that returns something: the replies to RCPT and dot."""
        with (server or self.one).connect() as client:
            client.ehlo("mx.next.example")
            client.expect("MAIL FROM:<%s>" % sender, "250")
            rcpt = client.command("RCPT TO:<%s>" % to)
            return rcpt, client.data(new_message(
                subject="Undelivered")) if rcpt.says("250") else None


def swapped(address, at_octet):
    """With another letter there."""
    other = "B" if address[at_octet] == "A" else "A"
    return address[:at_octet] + other + address[at_octet + 1:]


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab() as lab:
        yield lab


def test_the_next_hop_sees_an_address_of_ours(lab):
    seen = lab.forward()
    assert re.fullmatch(SRS0, seen), seen
    # at RCPT the same as with the message; greylists see one sender
    asked = [c for c in lab.sink.commands if c.startswith("MAIL")]
    assert len({c.split(">")[0] for c in asked}) == 1, asked
    assert lab.forward() == seen


def test_null_stays_null_and_ours_stays_ours(lab):
    assert lab.forward("") == ""
    assert lab.forward("carol@one.example") == "carol@one.example"
    assert lab.forward("Carol@EXAMPLE.org") == "Carol@EXAMPLE.org"


def test_beside_a_mailbox(lab):
    before = len(lab.one.mail("alice"))
    assert re.fullmatch(SRS0, lab.forward(to="both@one.example"))
    mail = lab.one.mail("alice")[before:]
    assert len(mail) == 1
    # here he is who he is
    assert mail[0].get("Return-Path") == "<%s>" % ALICE


@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_a_bounce_goes_back_to_the_sender(lab, case):
    seen = lab.forward()
    before = len(lab.sink.messages)
    rcpt, dot = lab.bounce(case(seen))
    assert rcpt.says("250") and dot.says("250"), (rcpt, dot)
    message, = lab.sink.messages[before:]
    assert message.sender.startswith("FROM:<>")
    to, = message.recipients
    assert to.lower() == "to:<alice@good.example>", to
    if case is str:
        assert to == "TO:<Alice@good.example>"
    assert b"Subject: Undelivered" in message.text
    # every time: one message may have many bounces
    assert lab.bounce(seen)[1].says("250")


def test_a_bounce_whose_250_was_lost_is_passed_on_once(lab):
    """The one return that comes twice by itself; what was confirmed and is
    sent again is another."""
    seen, text = lab.forward(), new_message(subject="Undelivered")
    before = len(lab.sink.messages)
    n = len(lab.one.events("delivered"))

    def begin():
        client = lab.one.connect()
        client.ehlo("mx.next.example")
        client.expect("MAIL FROM:<>", "250")
        client.expect("RCPT TO:<%s>" % seen, "250")
        client.expect("DATA", "354")
        client.send(wire(text))
        return client
    client = begin()
    wait_until(lambda: len(lab.one.events("delivered")) > n, 30, "delivery")
    client.reset()
    for want in (1, 2):
        def answer():
            with begin() as client:
                reply = client.reply()
                client.quit()
                return reply.says("250")
        wait_until(answer, 30, "a 250")
        assert len(lab.sink.messages) == before + want


def test_forged_ones_are_refused(lab):
    seen = lab.forward()
    before = len(lab.sink.commands)
    for wrong in (swapped(seen, 5), swapped(seen, 10), swapped(seen, 12),
                  seen.replace("Alice", "carol"),
                  seen.replace("good.example", "next.example"),
                  "SRS0=AAAAAA=AA=good.example=alice@one.example",
                  "SRS1=AAAAAAAA=good.example==x=y=z=alice@one.example"):
        rcpt, _ = lab.bounce(wrong)
        assert rcpt.says("550 5.7.1"), (wrong, rcpt)
        lab.one.why(rcpt, "forward")
    assert len(lab.sink.commands) == before, "nobody is asked"


def test_a_stranger_gets_no_bounce(lab):
    seen = lab.forward("victim@forged.example")
    assert "=forged.example=victim@one.example" in seen
    before = len(lab.sink.commands)
    rcpt, _ = lab.bounce(seen)
    assert rcpt.says("550 5.7.1") and "authenticated" in repr(rcpt), rcpt
    assert len(lab.sink.commands) == before


def signed_by(domain, sender):
    """A message of his, signed by that domain."""
    text = new_message().replace("sender@elsewhere.example>", sender + ">", 1)
    text = text.replace("\n", "\r\n").encode()
    return (dkim.sign(text, b"rsa", domain.encode(), RSA) +
            text).decode().replace("\r\n", "\n")


def test_a_signature_vouches_for_its_own_domain_alone(lab):
    sender = "bob@signed.example"
    seen = lab.forward(sender, text=signed_by("signed.example", sender))
    before = len(lab.sink.messages)
    assert lab.bounce(seen)[1].says("250")
    message, = lab.sink.messages[before:]
    assert message.recipients == ["TO:<%s>" % sender]
    # From is theirs, and the reverse-path a stranger's
    seen = lab.forward("victim@forged.example", text=signed_by(
        "signed.example", sender))
    assert lab.bounce(seen)[0].says("550 5.7.1")
    # signed, and not by him
    seen = lab.forward(sender, text=new_message())
    assert lab.bounce(seen)[0].says("550 5.7.1")


def test_quarantine_is_told_to_the_next_hop():
    """There is no .Junk there (DMARC, p=quarantine)."""
    with Lab(checks="dmarc = refuse") as lab:
        for sender, is_marked in (("x@strict.example", True), (ALICE, False)):
            text = new_message().replace("sender@elsewhere.example>",
                                         sender + ">", 1)
            before = len(lab.one.mail("alice"))
            lab.forward(sender, to="both@one.example", text=text)
            header = lab.sink.messages[-1].text.partition(b"\r\n\r\n")[0]
            assert header.startswith(b"Received: ")
            assert (b"\r\nX-Spam-Flag: YES\r\n" in header) == is_marked, \
                header
            # a mailbox has the folder, and no such field
            mail = lab.one.mail("alice")[before:]
            assert len(mail) == (not is_marked)
            assert not any(m.get("X-Spam-Flag") for m in mail)


def test_only_bounces(lab):
    """Who asks whether the sender exists hears the truth."""
    seen = lab.forward()
    before = len(lab.sink.commands)
    rcpt, dot = lab.bounce(seen, "mailer@next.example")
    assert rcpt.says("250") and dot.says("550 5.7.1"), (rcpt, dot)
    with lab.one.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<mailer@next.example>", "250")
        client.expect("RCPT TO:<%s>" % seen, "250")
        client.expect("RCPT TO:<alice@example.org>", "452 4.5.3")
        client.expect("RSET", "250")
        client.expect("MAIL FROM:<mailer@next.example>", "250")
        client.expect("RCPT TO:<alice@example.org>", "250")
        client.expect("RCPT TO:<%s>" % seen, "452 4.5.3")
    assert len(lab.sink.commands) == before


REPORT = """From: Mail Delivery System <MAILER-DAEMON@next.example>
To: %s
Subject: Undelivered Mail Returned to Sender
Date: Sun, 22 Nov 2026 08:00:00 +0000
Message-ID: <%s@next.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

bob could not be told.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.next.example

Final-Recipient: rfc822; bob@next.example
Action: failed
Status: 5.1.1
--b
Content-Type: text/rfc822-headers

Message-ID: <1@good.example>
--b--
"""


def test_a_bounce_with_a_reverse_path(lab):
    """Known by its content, and passed on with none. His host is not asked
    before that is known."""
    seen = lab.forward()
    before, asked = len(lab.sink.messages), len(lab.sink.commands)
    text = REPORT % (seen, time.time_ns())
    with lab.one.connect() as client:
        client.ehlo("mx.next.example")
        client.expect("MAIL FROM:<MAILER-DAEMON@next.example>", "250")
        client.expect("RCPT TO:<%s>" % seen, "250")
        assert len(lab.sink.commands) == asked
        reply = client.data(text)
        assert reply.says("250"), reply
        client.quit()
    message, = lab.sink.messages[before:]
    assert message.sender.startswith("FROM:<>")
    assert message.recipients == ["TO:<%s>" % ALICE]
    assert b"Action: failed" in message.text


@pytest.mark.parametrize("checks", [
    "helo = off\n",
    "default = off\ndkim = off\nspf = off\nuntagged_bounces = accept\n"])
def test_a_bounce_with_a_reverse_path_is_refused(checks):
    """Its next host's word is ours, whatever is checked here."""
    with Lab({"rcpt": lambda _, arg: "550 5.1.1 unknown"
              if "good.example" in arg else "250 2.1.5 fine"}) as lab:
        seen = lab.forward()
        lab.one.write_config(checks=checks,
                             more=lab.one.pieces["more"])
        lab.one.reload()
        with lab.one.connect() as client:
            client.ehlo("mx.next.example")
            client.expect("MAIL FROM:<MAILER-DAEMON@next.example>", "250")
            client.expect("RCPT TO:<%s>" % seen, "250")
            reply = client.data(REPORT % (seen, time.time_ns()))
            assert reply.says("550 5.1.1"), reply


def test_one_sender_at_a_time(lab):
    seen = lab.forward()
    with lab.one.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<>", "250")
        client.expect("RCPT TO:<%s>" % seen, "250")
        client.expect("RCPT TO:<alice@example.org>", "452 4.5.3")


def test_a_local_part_of_more_than_64_octets(lab):
    sender = "a-rather-long-local-part-that-some-list-made+x=y.z@good.example"
    seen = lab.forward(sender)
    assert len(seen.split("@")[0]) > 64
    before = len(lab.sink.messages)
    assert lab.bounce(seen)[1].says("250")
    assert lab.sink.messages[before].recipients == ["TO:<%s>" % sender]


def test_too_long_for_any(lab):
    rcpt = lab.one.rcpt("fwd@one.example", sender="x" * 240 + "@good.example")
    assert rcpt.says("553 5.1.7"), rcpt


def test_his_server_is_down(lab):
    rcpt, _ = lab.bounce(lab.forward("alice@down.example"))
    assert rcpt.says("451 4.4.1"), rcpt


@pytest.mark.parametrize("said, want", [
    ("550 5.1.1 unknown", "550 5.1.1"), ("451 4.3.0 later", "451 4.3.0"),
    (None, "451 4.4.2")])
def test_what_his_server_says_is_our_answer(said, want):
    with Lab({"rcpt": lambda _, arg: said if "good.example" in arg else
              "250 2.1.5 fine"}) as lab:
        rcpt, _ = lab.bounce(lab.forward())
        assert rcpt.says(want), rcpt


def test_srs_domain():
    with Lab(srs='srs {{ domain = "example.org" }}\n') as lab:
        seen = lab.forward()
        assert re.fullmatch(SRS0.replace(r"one\.example", r"example\.org"),
                            seen), seen
        assert lab.bounce(seen)[1].says("250")


def test_a_chain_of_two():
    with Lab(two=True) as lab:
        seen = lab.forward(to="chain@one.example")
        match = re.fullmatch(
            r"SRS1=[A-Z2-7]{8}=one\.example="
            r"(=[A-Z2-7]{6}=[A-Z2-7]{2}=good\.example=Alice)@two\.example",
            seen)
        assert match, seen
        # SPF passes at the second, as the address is the first one's
        lab.two.wait_event("forward")
        received = lab.sink.messages[-1].text.decode()
        assert re.search(r"spf=pass\s+smtp\.mailfrom=\S*SRS0" +
                         re.escape(match.group(1)) + "@one.example",
                         received.replace("\n", " ").replace('"', "")), \
            received
        before = len(lab.sink.messages)
        rcpt, dot = lab.bounce(seen, server=lab.two)
        assert rcpt.says("250") and dot.says("250"), (rcpt, dot)
        message, = lab.sink.messages[before:]
        assert message.sender.startswith("FROM:<>")
        assert message.recipients == ["TO:<%s>" % ALICE]
        # forged at the first: his refusal is the second's
        other = seen.replace(match.group(1), swapped(match.group(1), 3))
        assert lab.bounce(other, server=lab.two)[0].says("550 5.7.1")


def test_vault_silent():
    with Lab() as lab:
        seen = lab.forward()
        vault, = lab.one.children("vault")
        os.kill(vault, signal.SIGSTOP)
        try:
            rcpt = lab.one.rcpt("fwd@one.example", sender=ALICE)
            assert rcpt.says("451"), rcpt
            assert lab.bounce(seen)[0].says("451 4.3.0")
        finally:
            os.kill(vault, signal.SIGCONT)


# ---- relay by itself ----

def sealed_route(key, srs_domain=""):
    """To good.example, as hop_route.h has it."""
    octets = struct.pack("!BQ", 1, int(time.time()) + 60) + b"".join(
        map(slice_of, ("x@one.example", "s1", "good.example"))) + bytes(
            [0, bool(srs_domain)]) + slice_of(srs_domain) + slice_of(ALICE)
    return octets + hmac.new(key, octets, "sha256").digest()


def asked_at(relay, route, sender):
    """HOP_RCPT: the code of its answer, or None: the channel was closed."""
    smtpd = relay.peer("smtpd", 0, 0)
    try:
        smtpd.ask(ASK["HOP_RCPT"], b"".join(map(slice_of, (
            "s1", "192.0.2.1", route, sender))) + bytes(8 + 4),
                  deadline_ms=4000)
        answer = smtpd.receive(10)
    except (BrokenPipeError, ConnectionResetError):
        return None
    return answer and int.from_bytes(answer[2][2:4], "big")


def test_under_the_seal_of_vault_nothing_but_bounces():
    """A taken-over smtpd with a bounce's way back sends no mail of its own
    choice; the same route by directory takes any."""
    hop, back = b"h" * 32, b"r" * 32
    with Compartment("relay", secrets={"hop": hop, "return": back}) as relay:
        relay.start()
        assert asked_at(relay, sealed_route(back), "") == 451
        assert asked_at(relay, sealed_route(back), "a@b.example") is None
        assert asked_at(relay, sealed_route(hop), "a@b.example") == 451
        assert asked_at(relay, sealed_route(b"x" * 32), "") is None
        # a forward, and nobody who could rewrite: not as it is
        assert asked_at(relay, sealed_route(hop, "example.org"),
                        "a@b.example") == 451
