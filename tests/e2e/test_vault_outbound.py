# SPDX-License-Identifier: ISC
"""vault by itself: who gets tags, traces and DKIM signatures, and of what;
who has the reverse-paths of forwards made and checked."""
import fcntl
import hmac
import os
import re
import select
import struct
import subprocess
import time

import pytest

from compartment import ASK, ROLE, Compartment, slice_of

HEX = "00112233445566778899aabbccddeeff" * 2
MX, SUBMISSION, LOCAL = 0, 1, 2
GOOD = ("from:alice@example.org\r\ndkim-signature:v=1; a=%s; "
        "c=relaxed/relaxed; d=%s; s=%s; t=1; h=from; bh=x; b=")
RSA = GOOD % ("rsa-sha256", "example.org", "r1")
CONFIG = """
srs { lifetime = 10d }
domain "front.example.org" { next_hop = "smtp:[127.0.0.1]:26" }
dkim "example.org" { selector = "r1" key = "/k1" }
dkim "example.org" { selector = "e1" key = "/k2" }
"""


def sealed(octets):
    """A memfd as the supervisor makes it."""
    fd = os.memfd_create("secret", os.MFD_ALLOW_SEALING)
    os.write(fd, octets)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE |
                fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK |
                fcntl.F_SEAL_SEAL)
    return fd


def private_key(*words):
    """In PEM."""
    return subprocess.run(["openssl", "genpkey", *words], check=True,
                          capture_output=True).stdout


class Vault(Compartment):
    """With secrets and two keys."""

    def __init__(self, has_secrets=True):
        super().__init__("vault", CONFIG, secrets={"return": bytes(32)})
        self.start()
        if has_secrets:
            self.tell("SETUP_SECRETS", b"", (
                "batv 4 20000 %s\nbatv 3 1 %s\ntrace %s\nsrs %s\n" % (
                    HEX, HEX[::-1], HEX, HEX)).encode())
        self.pems = [private_key("-algorithm", "RSA", "-pkeyopt",
                                 "rsa_keygen_bits:2048"),
                     private_key("-algorithm", "Ed25519")]
        for index, pem in enumerate(self.pems):
            self.tell("SETUP_DKIM", struct.pack("!HH", 1, index), pem)

    def tell(self, kind, payload, octets):
        """With a sealed memfd."""
        fd = sealed(octets)
        self.supervisor.send(ASK[kind], payload, fd)
        os.close(fd)

    @staticmethod
    def ask(peer, kind, payload):
        """Type and payload of the answer; None: the channel was closed."""
        try:
            peer.ask(ASK[kind], payload)
            began = time.monotonic()
            answer = peer.receive(20)
            assert time.monotonic() - began < 15, "neither answer nor end"
        except (BrokenPipeError, ConnectionResetError):
            return None
        return answer and (answer[0], answer[2])


@pytest.fixture(name="vault", scope="module")
def fixture_vault():
    """One for all: a peer that is cut off is the test's own."""
    with Vault() as vault:
        yield vault


def dkim(domain, text):
    """A question."""
    return slice_of(domain) + slice_of(text)


def tag(address, day):
    """A question."""
    return b"\0" + slice_of(address) + struct.pack("!I", day)


def srs(sender, domain="example.org", is_authenticated=True):
    """A question."""
    return slice_of(sender) + slice_of(domain) + bytes([is_authenticated])


def today():
    """As vault counts."""
    return int(time.time()) // 86400


def test_queue_gets_tags(vault):
    queue = vault.peer("queue")
    kind, answer = vault.ask(queue, "VAULT_TAG",
                             tag("Alice@example.org", today()))
    assert kind == ASK["VAULT_TAGGED"]
    assert re.match(rb"prvs=4\d{3}[0-9a-f]{6}=Alice@example\.org$",
                    answer[2:]), answer
    # one address, one tag; another address, another
    again = vault.ask(queue, "VAULT_TAG", tag("Alice@example.org", today()))
    assert again[1] == answer
    other = vault.ask(queue, "VAULT_TAG", tag("bob@example.org", today()))
    assert other[1][6:16] != answer[6:16]
    # one that has a tag keeps it
    tagged = vault.ask(queue, "VAULT_TAG",
                       tag(answer[2:].decode(), today()))
    assert tagged[1] == answer


@pytest.mark.parametrize("address, day", [
    ("alice@example.org", 1), ("alice@example.org", 2**32 - 1),
    ("no address at all", None), ("a@b@c", None)])
def test_nonsense_of_queue_is_cut_off(vault, address, day):
    queue = vault.peer("queue")
    assert vault.ask(queue, "VAULT_TAG", tag(
        address, today() if day is None else day)) is None


@pytest.mark.parametrize("kind, payload", [
    ("VAULT_TRACE", slice_of("text")),
    ("VAULT_DKIM", dkim("example.org", "")),
    ("VAULT_DKIM", dkim("example.org", RSA)),
    ("VAULT_TAG", tag("alice@example.org", 20000)),
    ("VAULT_SRS", srs("alice@example.net")),
])
def test_who_serves_strangers_gets_nothing_of_it(vault, kind, payload):
    assert vault.ask(vault.peer("smtpd", 0, MX), kind, payload) is None


def test_only_queue_tags(vault):
    for role in (SUBMISSION, LOCAL):
        assert vault.ask(vault.peer("smtpd", 1, role), "VAULT_TAG",
                         tag("alice@example.org", today())) is None


@pytest.mark.parametrize("role", [MX, SUBMISSION, LOCAL])
def test_any_smtpd_has_tags_checked(vault, role):
    _, answer = vault.ask(vault.peer("queue"), "VAULT_TAG",
                          tag("alice@example.org", today()))
    tagged = answer[2:].decode()
    smtpd = vault.peer("smtpd", 6, role)
    kind, answer = vault.ask(smtpd, "VAULT_TAG_CHECK", slice_of(tagged))
    assert kind == ASK["VAULT_TAG_CHECKED"]
    assert answer == b"\1" + slice_of("alice")
    for address, want in (
            (tagged.replace("alice", "carol"), b"\3" + slice_of("carol")),
            ("prvs=9" + tagged[6:], b"\4" + slice_of("")),
            ("alice@example.org", b"\0" + slice_of(""))):
        assert vault.ask(smtpd, "VAULT_TAG_CHECK",
                         slice_of(address))[1] == want
    assert vault.ask(smtpd, "VAULT_TAG_CHECK", slice_of("a b c")) is None


@pytest.mark.parametrize("role", [MX, SUBMISSION, LOCAL])
def test_any_smtpd_has_traces_checked(vault, role):
    def made(days, sender="alice@example.org"):
        text = "k3f9q2m7t-1-%d" % (today() - days)
        _, mac = vault.ask(vault.peer("smtpd", 7, SUBMISSION), "VAULT_TRACE",
                           slice_of("%s\n%s" % (text, sender)))
        return text + "-" + mac[2:].decode()

    def check(trace, sender="alice@example.org"):
        kind, answer = vault.ask(smtpd, "VAULT_TRACE_CHECK",
                                 slice_of(trace) + slice_of(sender))
        assert kind == ASK["VAULT_TRACE_CHECKED"]
        return answer

    smtpd = vault.peer("smtpd", 8, role)
    good = made(0)
    assert check(good) == check(made(35)) == b"\1"
    assert check(good, "carol@example.org") == b"\0"
    assert check(good[:-1] + ("b" if good[-1] == "a" else "a")) == b"\0"
    assert check(made(36)) == check(made(-2)) == b"\0"
    for nonsense in ("x", "-", "-" * 11, "a-b-c-" + "d" * 10, "x" * 79):
        assert check(nonsense) == b"\0"
    assert vault.ask(smtpd, "VAULT_TRACE_CHECK",
                     slice_of("x" * 80) + slice_of("a@b")) is None


def test_queue_has_none_checked(vault):
    assert vault.ask(vault.peer("queue"), "VAULT_TAG_CHECK",
                     slice_of("alice@example.org")) is None


def test_queue_signs_nothing(vault):
    assert vault.ask(vault.peer("queue"), "VAULT_DKIM",
                     dkim("example.org", RSA)) is None


@pytest.mark.parametrize("role", [SUBMISSION, LOCAL])
def test_keys_and_signatures(vault, role, tmp_path):
    smtpd = vault.peer("smtpd", 2, role)
    kind, answer = vault.ask(smtpd, "VAULT_DKIM", dkim("example.org", ""))
    assert kind == ASK["VAULT_DKIM_SIGNED"]
    assert answer == b"\2" + b"\0" + slice_of("r1") + slice_of("") + \
        b"\1" + slice_of("e1") + slice_of("")
    kind, answer = vault.ask(smtpd, "VAULT_DKIM", dkim("example.org", RSA))
    assert answer[:6] == b"\1\0" + slice_of("r1")
    (tmp_path / "key").write_bytes(vault.pems[0])
    (tmp_path / "text").write_bytes(RSA.encode())
    (tmp_path / "signature").write_bytes(answer[8:])
    assert subprocess.run([
        "openssl", "dgst", "-sha256", "-prverify", str(tmp_path / "key"),
        "-signature", str(tmp_path / "signature"), str(tmp_path / "text")],
        capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("domain, text", [
    ("example.org", "from:alice@example.org\r\n"),
    ("example.org", RSA + "x"),
    ("example.org", RSA + "\r\n"),
    ("example.net", RSA),
    ("example.org", RSA.replace("h=from", "h=to")),
    ("example.org", RSA.replace("t=1", "l=0")),
    # what the handshake of a TLS server signs
    ("example.org", " " * 64 + "TLS 1.3, server CertificateVerify\0" +
     "x" * 32),
])
def test_only_what_a_signer_signs(vault, domain, text):
    assert vault.ask(vault.peer("smtpd", 3, SUBMISSION), "VAULT_DKIM",
                     dkim(domain, text)) is None


@pytest.mark.parametrize("words", [
    ("rsa-sha256", "example.net", "r1"), ("rsa-sha256", "example.org", "e1"),
    ("ed25519-sha256", "example.org", "r1"), ("rsa-sha1", "example.org",
                                              "r1")])
def test_a_key_that_is_not_there_signs_nothing(vault, words):
    _, answer = vault.ask(vault.peer("smtpd", 4, SUBMISSION), "VAULT_DKIM",
                          dkim(words[1], GOOD % words))
    assert answer == b"\0"


def test_traces(vault):
    smtpd = vault.peer("smtpd", 5, SUBMISSION)
    kind, one = vault.ask(smtpd, "VAULT_TRACE", slice_of("one"))
    assert kind == ASK["VAULT_TRACED"]
    assert re.match(rb"[a-z2-7]{10}$", one[2:])
    assert vault.ask(smtpd, "VAULT_TRACE", slice_of("two"))[1] != one
    assert vault.ask(smtpd, "VAULT_TRACE", slice_of("one"))[1] == one


# ---- forwards ----

def made_by(vault, *question):
    """The address that relay is given."""
    kind, answer = vault.ask(vault.peer("relay"), "VAULT_SRS",
                             srs(*question))
    assert kind == ASK["VAULT_SRS_MADE"]
    return answer[2:].decode()


def checked_by(smtpd, vault, address):
    """(result, original)"""
    kind, answer = vault.ask(smtpd, "VAULT_SRS_CHECK",
                             slice_of("s1") + slice_of(address))
    assert kind == ASK["VAULT_SRS_CHECKED"]
    size = int.from_bytes(answer[1:3], "big")
    return answer[0], answer[3:3 + size].decode()


@pytest.mark.parametrize("role", [MX, SUBMISSION, LOCAL])
def test_relay_has_them_made_and_smtpd_checked(vault, role):
    smtpd = vault.peer("smtpd", 9, role)
    good = made_by(vault, "Alice@Example.NET")
    assert re.match(r"SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=example\.net="
                    r"Alice@example\.org$", good), good
    assert checked_by(smtpd, vault, good) == (1, "Alice@example.net")
    assert checked_by(smtpd, vault, good.lower()) == (1, "alice@example.net")
    stranger = made_by(vault, "Alice@example.net", "example.org", False)
    assert stranger != good
    assert checked_by(smtpd, vault, stranger) == (2, "Alice@example.net")
    for forged in (good.replace("Alice", "carol"), "SRS0=ABCDEF" + good[11:],
                   good.replace("example.net", "example.com")):
        assert checked_by(smtpd, vault, forged) == (4, "")
    assert checked_by(smtpd, vault, "alice@example.org") == (0, "")
    assert vault.ask(smtpd, "VAULT_SRS_CHECK",
                     slice_of("s1") + slice_of("a b")) is None


def test_a_chain_goes_back_to_the_first_forwarder(vault):
    made = made_by(vault, "SRS0=4DaB=2D=example.com=bob@example.net")
    assert re.match(r"SRS1=[A-Z2-7]{8}=example\.net==4DaB=2D=example\.com="
                    r"bob@example\.org$", made), made
    assert checked_by(vault.peer("smtpd", 10, MX), vault, made) == (
        1, "SRS0=4DaB=2D=example.com=bob@example.net")


@pytest.mark.parametrize("sender", [
    "Carol@Example.ORG", "prvs=4123abcdef=alice@example.org",
    "alice@front.example.org"])
def test_ours_stay(vault, sender):
    assert made_by(vault, sender) == sender


@pytest.mark.parametrize("question", [
    ("x" * 250 + "@example.net",), ("no address at all",),
    ("alice@example.net", "example.net"),
    ("alice@example.net", "front.example.org")])
def test_what_has_no_such_address(vault, question):
    """Only into domains of ours."""
    assert made_by(vault, *question) == ""


@pytest.mark.parametrize("question", [
    ("",), ("alice@example.net", ""), ("a\r\n@example.net",)])
def test_nonsense_of_relay_is_cut_off(vault, question):
    assert vault.ask(vault.peer("relay"), "VAULT_SRS",
                     srs(*question)) is None


def test_the_way_back_is_sealed(vault):
    """It leads to the sender's domain."""
    smtpd = vault.peer("smtpd", 12, MX)
    sender = "alice@example.net"
    _, answer = vault.ask(smtpd, "VAULT_SRS_CHECK", slice_of("s1") +
                          slice_of(made_by(vault, sender)))
    sealed = answer[1 + 2 + len(sender) + 2:]
    mac = hmac.new(bytes(32), sealed[:-32], "sha256").digest()
    assert sealed[-32:] == mac and slice_of("example.net") in sealed
    _, answer = vault.ask(smtpd, "VAULT_SRS_CHECK", slice_of("s1") + slice_of(
        made_by(vault, "alice@example.net", "example.org", False)))
    assert answer == b"\2" + slice_of("alice@example.net") + slice_of("")


def forward_of(domain, local, days):
    """An address as it was made so many days ago, with the secret above."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    number = (today() - days) // 5 * 5 % 1024
    day = letters[number >> 5] + letters[number & 31]
    mac = hmac.new(bytes.fromhex(HEX), ("SRS0\nauthenticated\n%s\n%s\n%s" % (
        day, domain, local)).lower().encode(), "sha256").digest()
    bits = int.from_bytes(mac[:4], "big")
    return "SRS0=%s=%s=%s=%s@example.org" % ("".join(
        letters[bits >> (27 - 5 * n) & 31] for n in range(6)), day, domain,
        local)


def test_a_forward_lives_as_long_as_is_configured(vault):
    """srs { lifetime }, here 10 days; then it is ours, and too old."""
    smtpd = vault.peer("smtpd", 15, MX)
    for days, want in ((0, 1), (10, 1), (15, 3), (35, 3)):
        assert checked_by(smtpd, vault, forward_of(
            "example.net", "alice", days)) == (want, "alice@example.net")


def test_who_is_here_meanwhile_is_not_looked_for_elsewhere(vault):
    """The way back leads to relay: not for a domain that has become ours."""
    _, answer = vault.ask(vault.peer("smtpd", 16, MX), "VAULT_SRS_CHECK",
                          slice_of("s1") + slice_of(forward_of(
                              "example.org", "alice", 0)))
    assert answer == b"\1" + slice_of("alice@example.org") + slice_of("")


# ---- who may ask what ----

SMTPD = {"VAULT_SIGN", "VAULT_TAG_CHECK", "VAULT_TRACE_CHECK",
         "VAULT_SRS_CHECK"}
MAY = {("smtpd", MX): SMTPD,
       ("smtpd", SUBMISSION): SMTPD | {"VAULT_TRACE", "VAULT_DKIM"},
       ("smtpd", LOCAL): SMTPD | {"VAULT_TRACE", "VAULT_DKIM"},
       ("queue", 0): {"VAULT_TRACE", "VAULT_TAG"},
       ("relay", 0): {"VAULT_SRS"}, ("control", 0): {"VAULT_TRACE_CHECK"}}


def questions():
    """A good one of each kind."""
    return {"VAULT_SIGN": struct.pack("!HHH", 9, 9, 0x0403) + slice_of(
                " " * 64 + "TLS 1.3, server CertificateVerify\0" + "x" * 32),
            "VAULT_TRACE": slice_of("text"),
            "VAULT_DKIM": dkim("example.org", RSA),
            "VAULT_TAG": tag("alice@example.org", today()),
            "VAULT_TAG_CHECK": slice_of("alice@example.org"),
            "VAULT_TRACE_CHECK": slice_of("x") + slice_of("a@b.example"),
            "VAULT_SRS": srs("alice@example.net"),
            "VAULT_SRS_CHECK": slice_of("s1") + slice_of("a@example.org")}


@pytest.mark.parametrize("role, kind", MAY)
def test_each_gets_its_own_and_no_more(vault, role, kind):
    for name, question in questions().items():
        answer = vault.ask(vault.peer(role, 13, kind), name, question)
        assert (answer is not None) == (name in MAY[role, kind]), name


def test_who_has_signed_what_no_server_signs_is_cut_off(vault):
    """With a key that is there, of a certificate."""
    vault.tell("SETUP_KEY", struct.pack("!HH", 7, 0), private_key(
        "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))
    good = " " * 64 + "TLS 1.3, server CertificateVerify\0" + "x" * 32
    for text, is_signed in ((good, True), ("rubbish", False)):
        answer = vault.ask(vault.peer("smtpd", 17, MX), "VAULT_SIGN",
                           struct.pack("!HHH", 7, 0, 0x0403) + slice_of(text))
        assert (answer is not None and len(answer[1]) > 2) == is_signed
        assert is_signed or answer is None


@pytest.mark.parametrize("role", sorted(
    set(ROLE) - {r for r, _ in MAY} - {"count"}))
def test_to_others_it_does_not_speak(vault, role):
    assert vault.ask(vault.peer(role), "VAULT_TRACE_CHECK",
                     questions()["VAULT_TRACE_CHECK"]) is None


def test_without_secrets_it_says_nothing():
    """Whoever asks waits in vain, and says 451 to his client; no answer is
    made with a key of zeros, and nobody is accused of a break-in."""
    names = ("VAULT_TAG", "VAULT_TAG_CHECK", "VAULT_TRACE_CHECK",
             "VAULT_SRS", "VAULT_SRS_CHECK")
    with Vault(has_secrets=False) as vault:
        peers = []
        for name in names:
            peers.append(vault.peer({"VAULT_TAG": "queue", "VAULT_SRS":
                                     "relay"}.get(name, "smtpd")))
            peers[-1].ask(ASK[name], questions()[name])
        # of this one it knows without them
        assert vault.ask(vault.peer("smtpd", 14, SUBMISSION), "VAULT_DKIM",
                         dkim("example.org", ""))
        readable = select.select([p.socket for p in peers], [], [], 0.1)[0]
        assert not readable
        assert not vault.events("suspected_break_in")


def test_nobody_else_has_them_made_or_checked(vault):
    for peer in (vault.peer("queue"), vault.peer("smtpd", 11, SUBMISSION)):
        assert vault.ask(peer, "VAULT_SRS",
                         srs("alice@example.net")) is None
    for role in ("queue", "relay"):
        assert vault.ask(vault.peer(role), "VAULT_SRS_CHECK",
                         slice_of("s1") + slice_of("a@b")) is None
