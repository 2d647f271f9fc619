# SPDX-License-Identifier: ISC
"""SPF end to end: a client, policies in a real nsd, the reply, the trail,
and what stands on top of a delivered message."""
import pytest

from client import new_message
from nameserver import Nameserver, silent

ZONES = {
    "pass.example": '@ TXT "v=spf1 ip4:127.0.0.1 -all"',
    "fail.example": '@ TXT "v=spf1 ip4:192.0.2.1 -all exp=why.%{d}"\n'
    'why TXT "%{i} is not ours; ask postmaster at %{o}"',
    "aligned.example": '@ TXT "v=spf1 ip4:127.0.0.1 -all"\n'
    '_dmarc TXT "v=DMARC1; p=reject"',
    "soft.example": '@ TXT "v=spf1 ~all"',
    "broken.example": '@ TXT "v=spf1 ip4:127.0.0.1/33 +all"',
    # crashes libspf2, CVE-2023-42118
    "crash.example": '@ TXT "v=spf1 a:%{d99999999999r!}.%{d"',
    "many.example": '@ TXT "v=spf1 include:many.example +all"',
    "hop.example": '@ TXT "v=spf1 include:_spf.hop.example -all"\n'
    '_spf TXT "v=spf1 a:mx.hop.example/8 -all"\nmx A 127.1.2.3',
    "toserver.example": '@ TXT "v=spf1 include:dead.example +all"',
    "dead.example": "@ A 192.0.2.1",
    "none.example": "@ TXT nothing",
    "example": "x TXT x",
    "127.in-addr.arpa": "1.0.0 PTR client.pass.example.",
}


@pytest.fixture(scope="module")
def nameserver():
    with Nameserver(ZONES, {"dead.example": silent}) as ns:
        yield ns


@pytest.fixture(scope="module")
def refusing(make_module_server, nameserver):
    return make_module_server(checks="spf = refuse",
                              more=nameserver.config("timeout = 1s"))


@pytest.fixture(scope="module")
def marking(make_module_server, nameserver):
    return make_module_server(checks="spf = mark",
                              more=nameserver.config("timeout = 1s"))


def mail(server, sender, helo="client.none.example"):
    with server.connect() as c:
        c.ehlo(helo)
        reply = c.command("MAIL FROM:<%s>" % sender)
        c.quit()
        return reply


@pytest.mark.parametrize("sender, helo, wanted, said", [
    ("a@pass.example", None, "250", ""),
    ("a@hop.example", None, "250", ""),
    ("a@soft.example", None, "250", ""),
    ("a@none.example", None, "250", ""),
    ("a@nosuch.example", None, "250", ""),
    ("a@fail.example", None, "550 5.7.23",
     "127.0.0.1 is not ours; ask postmaster at fail.example"),
    ("a@broken.example", None, "550 5.7.24", "wrong prefix length"),
    ("a@crash.example", None, "550 5.7.24", "not a domain-spec"),
    ("a@many.example", None, "550 5.7.24", "more than 10 look-ups"),
    ("a@dead.example", None, "451 4.7.24", "no answer"),
    ("a@toserver.example", None, "451 4.7.24", "no answer"),
    # what may prove itself is refused at the end (test_bounce_checks.py)
    ("", "fail.example", "250", ""),
    ("", "pass.example", "250", ""),
    ("a@pass.example", "fail.example", "550 5.7.23", "use its name"),
])
def test_refuse(refusing, sender, helo, wanted, said):
    reply = mail(refusing, sender, helo or "client.none.example")
    assert reply.says(wanted), reply
    assert said in str(reply), reply
    if reply.code != 250:
        refusing.why(reply, "spf")
    assert refusing.mail("alice") == []


def test_null_reverse_path_is_refused_at_the_end(refusing):
    """By then it could have proven that it is a bounce to us."""
    before = len(refusing.mail("alice"))
    with refusing.connect() as c:
        c.ehlo("fail.example")
        c.expect("MAIL FROM:<>", "250")
        c.expect("RCPT TO:<alice@example.org>", "250")
        c.expect("DATA", "354")
        c.send(b"From: a@none.example\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        reply = c.reply()
    assert reply.says("550 5.7.23") and "use its name" in reply.text, reply
    assert len(refusing.mail("alice")) == before


@pytest.mark.parametrize("domain, result", [
    ("pass.example", "pass"), ("fail.example", "fail"),
    ("dead.example", "temperror"), ("crash.example", "permerror"),
])
def test_mark(marking, domain, result):
    """Everything is delivered, with what was found."""
    with marking.connect() as c:
        c.ehlo("client.none.example")
        reply = c.deliver(["alice@example.org"], new_message(domain),
                          sender="a@" + domain)
        assert reply.code == 250, reply
        c.quit()
    delivered = [m for m in marking.mail("alice")
                 if m.get("Subject") == domain]
    assert len(delivered) == 1
    field = delivered[0].get("Received-SPF")
    assert field is not None
    assert field.startswith("%s\n\t(%s " % (result, domain)), field
    assert "identity=mailfrom" in field and "client-ip=127.0.0.1" in field
    assert delivered[0].get_all("Received-SPF") == [field]


def test_dmarc_aligns(make_server, nameserver):
    """DMARC believes SPF's pass of the author's domain, and only that."""
    server = make_server(checks="spf = mark\ndmarc = refuse",
                         more=nameserver.config("timeout = 1s"))

    def send(sender, source):
        message = new_message("aligned").replace(
            "From: ", "From: a@aligned.example\nX-Old: ", 1)
        with server.connect(source=source) as c:
            c.ehlo("client.none.example")
            reply = c.deliver(["alice@example.org"], message, sender=sender)
            c.quit()
            return reply

    assert send("b@aligned.example", "127.0.0.1").code == 250
    assert send("b@aligned.example", "127.0.0.2").says("550 5.7.26")
    assert send("b@pass.example", "127.0.0.1").says("550 5.7.26")
    copies = server.mail("alice")
    assert len(copies) == 1
    results = copies[0].get("Authentication-Results")
    assert "spf=pass" in results and "dmarc=pass" in results, results
