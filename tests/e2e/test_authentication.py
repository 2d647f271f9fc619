# SPDX-License-Identifier: ISC
"""DKIM, DMARC and Authentication-Results, end to end: messages that another
program (dkimpy) signs, keys and policies from nsd, and that program's
verdict on what lies in the mailbox."""
import base64
import re
import subprocess

import dkim
import nacl.signing
import pytest

from client import new_message, wire
from nameserver import Nameserver, silent
from postern import maildir_mail, wait_until

RSA = subprocess.run(["openssl", "genrsa", "-traditional", "2048"],
                     capture_output=True, check=True).stdout
ED25519 = nacl.signing.SigningKey.generate()


def rsa_record(pem=RSA):
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"],
                         input=pem, capture_output=True, check=True).stdout
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


KEYS = {"rsa": rsa_record(),
        "ed": "v=DKIM1; k=ed25519; p=" + base64.b64encode(
            bytes(ED25519.verify_key)).decode()}


def txt(name, text):
    """A TXT record of strings that fit."""
    parts = [text[i:i + 200] for i in range(0, len(text), 200)]
    return "%s TXT %s" % (name, " ".join('"%s"' % p for p in parts))


def zone(policy, sub=""):
    """A domain that signs, with this at _dmarc."""
    lines = [txt(name + "._domainkey", key) for name, key in KEYS.items()]
    if policy:
        lines.append(txt("_dmarc", policy))
    return "\n".join(lines + ["@ MX 10 mx", "mx A 192.0.2.1"]) + sub


ZONES = {
    "reject.example": zone("v=DMARC1; p=reject; sp=quarantine"),
    "junk.example": zone("v=DMARC1; p=quarantine"),
    "pct.example": zone("v=DMARC1; p=reject; pct=0"),
    "lax.example": zone("v=DMARC1; p=none"),
    "strict.example": zone("v=DMARC1; p=reject; adkim=s"),
    "plain.example": zone(""),
    "spf.example": zone("v=DMARC1; p=reject", '\n@ TXT "v=spf1 '
                        'ip4:127.0.0.1 -all"'),
    "dead.example": "@ A 192.0.2.1",
}


@pytest.fixture(scope="module")
def nameserver():
    with Nameserver(ZONES, {"dead.example": silent}) as ns:
        yield ns


@pytest.fixture(scope="module")
def server(make_module_server, nameserver):
    return make_module_server(checks="dkim = mark\ndmarc = refuse",
                              more=nameserver.config("timeout = 1s"))


def message(domain, fields="", body="Hello.\n", subject="test"):
    """From somebody there, CRLF."""
    text = new_message(subject=subject, fields=fields, body=body)
    text = text.replace("sender@elsewhere.example>", "a@%s>" % domain, 1)
    return text.replace("\n", "\r\n").encode()


def signed(text, domain, selector="rsa", canonicalize=(b"relaxed", b"simple"),
           **more):
    key = RSA if selector == "rsa" else base64.b64encode(bytes(ED25519))
    algorithm = b"rsa-sha256" if selector == "rsa" else b"ed25519-sha256"
    return dkim.sign(text, selector.encode(), domain.encode(), key,
                     canonicalize=canonicalize,
                     signature_algorithm=algorithm, **more) + text


def verifies(raw):
    """What dkimpy says of a message in a mailbox, below our own fields."""
    raw = raw.replace(b"\n", b"\r\n")
    return dkim.verify(raw, dnsfunc=lambda name, timeout=5: KEYS[
        name.decode().split(".")[0]].encode())


def arrived(server, user, before):
    mail = wait_until(lambda: server.mail(user)[before:], 10, "the mail")
    return mail[0]


def results(mail):
    """Our Authentication-Results, unfolded."""
    value = mail.fields and mail.get("Authentication-Results")
    assert value, mail.raw
    assert value.startswith("mx.example.org;"), value
    return re.sub(r"\s+", " ", value)


@pytest.mark.parametrize("selector", ["rsa", "ed"])
@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("text", [
    "Hello.\n", "", "\n\n\n", "two  spaces \t\n \n\n\n",
    "Gr\u00fc\u00dfe \u20ac\n", ".\n..dots\n"])
def test_signed(server, selector, header, body, text):
    before = len(server.mail("alice"))
    raw = signed(message("reject.example", body=text,
                         fields="X-Fold:  a\n\tb \n"),
                 "reject.example", selector, (header, body))
    reply = server.deliver("alice@example.org", raw)
    assert reply.code == 250, reply
    mail = arrived(server, "alice", before)
    assert "dkim=pass" in results(mail), results(mail)
    assert "header.d=reject.example" in results(mail)
    assert "dmarc=pass (p=reject) header.from=reject.example" in \
        results(mail)
    assert mail.raw.endswith(raw.replace(b"\r\n", b"\n"))
    assert verifies(mail.raw)


def refused(server, raw, code):
    """Refused so, with a trail that names dmarc, and not delivered."""
    before = len(server.mail("alice"))
    reply = server.deliver("alice@example.org", raw)
    assert reply.says(code), reply
    assert len(server.mail("alice")) == before
    server.why(reply, "dmarc")
    return reply


def test_unsigned_is_refused(server):
    reply = refused(server, message("reject.example"), "550 5.7.26")
    assert "reject.example" in str(reply.lines)


def test_organisation_is_named_as_who_asks(server):
    reply = refused(server, message("sub.spf.example"), "550 5.7.26")
    assert "spf.example asks to refuse mail in the name of " \
        "sub.spf.example that" in reply.text, reply


def test_changed_is_refused(server):
    raw = signed(message("reject.example"), "reject.example")
    refused(server, raw.replace(b"Hello", b"Hallo"), "550 5.7.26")


def test_signed_by_another(server):
    raw = signed(message("reject.example"), "plain.example")
    refused(server, raw, "550 5.7.26")


def test_expired(server):
    text = message("reject.example")
    signer = dkim.DKIM(text)
    field = signer.sign(b"rsa", b"reject.example", RSA)
    assert b"x=" not in field
    # the times are signed too, so they are put in while signing
    real, dkim.time.time = dkim.time.time, lambda: 1600000000
    try:
        field = dkim.DKIM(text).sign(b"rsa", b"reject.example", RSA)
    finally:
        dkim.time.time = real
    assert server.deliver("alice@example.org", field + text).code == 250
    refused(server, field.replace(b"t=1600000000", b"t=1600000000; "
                                  b"x=1600003600") + text, "550 5.7.26")


def test_part_of_the_body_is_not_enough(server):
    raw = signed(message("reject.example"), "reject.example", length=True)
    assert server.deliver("alice@example.org", raw).code == 250
    refused(server, raw + b"and buy this\r\n", "550 5.7.26")


def test_length_of_one_is_not_that_of_another(server):
    """What libopendkim would believe: an l= that is somebody else's."""
    raw = signed(message("reject.example"), "reject.example")
    field = (b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; "
             b"d=reject.example; s=rsa; h=From; l=8; bh=AA==; b=AA==\r\n")
    assert server.deliver("alice@example.org", field + raw).code == 250
    refused(server, field + raw + b"and buy this\r\n", "550 5.7.26")


def test_signature_over_signatures(server):
    raw = signed(message("reject.example"), "reject.example", "ed")
    signer = dkim.DKIM(raw)
    signer.should_not_sign = set()
    field = signer.sign(b"rsa", b"plain.example", RSA, include_headers=[
        b"from", b"dkim-signature"])
    before = len(server.mail("alice"))
    assert server.deliver("alice@example.org", field + raw).code == 250
    found = results(arrived(server, "alice", before))
    assert found.count("dkim=pass") == 2, found


def test_spf_vouches_too(server):
    """Unsigned, but from an address that the domain names; RFC 7489 4.2."""
    before = len(server.mail("alice"))
    reply = server.deliver("alice@example.org", message("spf.example"),
                           sender="bounce@spf.example")
    assert reply.code == 250, reply
    found = results(arrived(server, "alice", before))
    assert "spf=pass smtp.mailfrom=bounce@spf.example" in found, found
    assert "dmarc=pass (p=reject) header.from=spf.example" in found
    refused(server, message("spf.example"), "550 5.7.26")


def test_strict(server):
    raw = signed(message("strict.example"), "strict.example")
    assert server.deliver("alice@example.org", raw).code == 250
    raw = signed(message("sub.strict.example"), "strict.example")
    refused(server, raw, "550 5.7.26")


def test_quarantine_goes_into_junk(server):
    before = len(server.mail("bob"))
    reply = server.deliver("bob@example.org", message("junk.example"))
    assert reply.code == 250, reply
    junk = wait_until(lambda: maildir_mail(
        server.maildir("bob") + "/.Junk"), 10, "the mail in .Junk")
    assert "dmarc=fail (p=quarantine)" in results(junk[0])
    assert len(server.mail("bob")) == before


def test_percentage(server):
    """pct=0 of reject is quarantine (RFC 7489 6.6.4); sp= for what is below
    a domain."""
    def in_junk():
        return len(maildir_mail(server.maildir("carol") + "/.Junk"))
    for n, domain in enumerate(("pct.example", "sub.reject.example"), 1):
        reply = server.deliver("carol@example.org", message(domain))
        assert reply.code == 250, reply
        assert server.mail("carol") == [] and in_junk() == n
    refused(server, message("reject.example"), "550 5.7.26")


def test_none(server):
    before = len(server.mail("alice"))
    assert server.deliver("alice@example.org",
                          message("lax.example")).code == 250
    found = results(arrived(server, "alice", before))
    assert "dkim=none" in found and "dmarc=fail (p=none)" in found


def test_no_record(server):
    before = len(server.mail("alice"))
    assert server.deliver("alice@example.org",
                          message("plain.example")).code == 250
    found = results(arrived(server, "alice", before))
    assert "dmarc=none header.from=plain.example" in found


def test_silence_is_no_accept(server):
    refused(server, message("dead.example"), "451 4.7.26")


@pytest.mark.parametrize("fields", [
    "From: <b@plain.example>\n", "fROM : <b@plain.example>\n"])
def test_two_authors(server, fields):
    refused(server, message("plain.example", fields=fields), "550 5.7.1")


FORGED = [
    b"Authentication-Results: mx.example.org; dmarc=pass forged\r\n",
    b"authentication-results : MX.EXAMPLE.ORG 1 ; spf=pass forged\r\n",
    b"Authentication-Results: (a (b)) \"mx.example.org\"; forged\r\n",
    b"Authentication-Results:\r\n\tmx.example.org;\r\n\tforged\r\n",
    b"Received-SPF: pass (forged) receiver=mx.example.org; x=y\r\n",
]


def test_forged_fields_are_cut(server):
    before = len(server.mail("alice"))
    theirs = b"Authentication-Results: mx.example.net; dkim=fail theirs\r\n"
    raw = signed(message("reject.example"), "reject.example")
    raw = theirs.join(FORGED) + raw
    assert server.deliver("alice@example.org", raw).code == 250
    mail = arrived(server, "alice", before)
    assert b"forged" not in mail.raw, mail.raw
    assert mail.raw.count(b"theirs") == len(FORGED) - 1
    assert len(mail.get_all("Authentication-Results")) == len(FORGED)
    assert "dmarc=pass" in results(mail)
    assert verifies(mail.raw)


def test_forged_fields_are_cut_with_every_check_off(make_server):
    server = make_server(checks="default = off")
    for n in (1, 2):
        with server.connect() as c:
            c.ehlo()
            for _ in range(n):
                c.envelope("alice@example.org")
                c.expect("DATA", "354")
                c.send(wire(b"".join(FORGED) + message("plain.example")))
                assert c.reply().code == 250
            c.quit()
    mails = server.mail("alice")
    assert len(mails) == 3
    for mail in mails:
        assert b"forged" not in mail.raw, mail.raw
        assert mail.raw.count(b"plain.example")


def test_too_many_forged_fields(server):
    raw = b"".join(b"X-%d: x\r\n" % i + FORGED[0] for i in range(40))
    before = len(server.mail("alice"))
    reply = server.deliver("alice@example.org", raw + message(
        "plain.example"))
    assert reply.says("550 5.7.7"), reply
    assert len(server.mail("alice")) == before


def test_many_signatures(server):
    """The first five are evaluated; the others are named."""
    before = len(server.mail("alice"))
    raw = signed(message("reject.example"), "reject.example")
    field = raw[:raw.index(b"\r\nFrom:") + 2]
    reply = server.deliver("alice@example.org", field * 200 + raw)
    assert reply.code == 250, reply
    found = results(arrived(server, "alice", before))
    assert found.count("dkim=pass") == 5, found
    assert "dkim=policy (196 more are not evaluated)" in found
