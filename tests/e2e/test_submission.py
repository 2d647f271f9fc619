# SPDX-License-Identifier: ISC
"""Our own users' mail: who may send as whom, what is refused at once, what is
completed and signed, and how it leaves."""
import contextlib
import email
import email.utils
import os
import re
import smtplib
import stat
import subprocess
import time

import dkim
import pytest

from filters import EICAR, Clamd, Program
from nameserver import Nameserver
from postern import wait_until
from relay_lab import Sink
from test_auth import PASSWORD, Submission, hash_of, plain, user_lines
from test_tls import holds

ALICE = "alice@example.org"
ZONES = {
    "remote.example": """
@       MX 10 mail
mail    A 127.0.0.1
bare    A 127.0.0.1
null    MX 0 .
dead    TXT "neither MX nor address"
""",
    "example.org": "",
}


def make_keys(folder):
    """An RSA and an Ed25519 key; what DNS says of them."""
    texts = {}
    for name, words in (("rsa", ["-algorithm", "RSA", "-pkeyopt",
                                 "rsa_keygen_bits:2048"]),
                        ("ed", ["-algorithm", "Ed25519"])):
        path = os.path.join(folder, name + ".pem")
        subprocess.run(["openssl", "genpkey", *words, "-out", path],
                       check=True, capture_output=True)
        os.chmod(path, 0o600)
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout",
                              "-outform", "DER"], check=True,
                             capture_output=True).stdout
        if name == "ed":
            der = der[-32:]
        texts[name] = der
    return texts


class Lab:
    """A server, the names of the world, and a host that takes its mail."""

    def __init__(self, more="", users=None, replies=None, zones=None,
                 **options):
        self.names = Nameserver({**ZONES, **(zones or {})}, behaviours={})
        self.sink = Sink(replies)
        self.server = Submission(
            users or user_lines(alice=hash_of(PASSWORD),
                                bob=hash_of(PASSWORD),
                                carol=hash_of(PASSWORD)), **options)
        self.keys = make_keys(self.server.folder)
        self.server.write_config(more=self.server.pieces["more"] + """
dkim "example.org" {{ selector = "r1" key = "{folder}/rsa.pem" }}
dkim "example.org" {{ selector = "e1" key = "{folder}/ed.pem" }}
relay {{ port = %d }}
queue {{ retry_first = 1m }}
sender "bob" {{ may = {{ "team@example.org" }} }}
sender "bob@example.org" {{ may = {{ "team@example.org", "*@lists.example" }} }}
""" % self.sink.port + self.names.config() + more)

    def submit(self, user="alice"):
        """An smtplib client that has logged in."""
        client = self.server.submit()
        client.login(user, PASSWORD)
        return client

    def send(self, to, text, sender=ALICE, user="alice", **options):
        """One message; the reply to its end."""
        with self.submit(user) as client:
            client.mail(sender, options.get("mail", ()))
            for address in to if isinstance(to, list) else [to]:
                code, said = client.rcpt(address, options.get("rcpt", ()))
                assert code == 250, said
            return client.data(text)

    def taken(self, n=1):
        """The messages that have arrived at the other side."""
        wait_until(lambda: len(self.sink.messages) >= n, 20, "arrival")
        return self.sink.messages

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.close()
        self.sink.close()
        self.names.close()


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    """One for those that leave it as it was."""
    with Lab() as lab:
        yield lab


def message(sender=ALICE, more="", body="body\r\n"):
    """A plain one."""
    return ("From: %s\r\nTo: x@remote.example\r\nSubject: test\r\n%s\r\n%s"
            % (sender, more, body)).encode()


# ---- it leaves ----

def test_a_message_leaves_signed_tagged_and_traced(lab):
    n = len(lab.sink.messages)
    code, said = lab.send("x@remote.example", message())
    assert code == 250 and b"queued as" in said, said
    taken = lab.taken(n + 1)[-1]
    assert re.match(r"FROM:<prvs=\d{4}[0-9a-f]{6}=alice@example\.org>",
                    taken.sender), taken.sender
    text = taken.text if isinstance(taken.text, bytes) else \
        taken.text.encode("latin-1")
    mail = email.message_from_bytes(text)
    received = mail.get_all("Received")[0]
    assert "with ESMTPSA" in received
    assert re.search(r"id [a-z0-9]+-\d+-\d+-[a-z2-7]{10}\s", received)
    assert mail["Message-ID"].endswith("@mx.example.org>")
    assert abs(email.utils.parsedate_to_datetime(
        mail["Date"]).timestamp() - time.time()) < 100
    assert len(mail.get_all("DKIM-Signature")) == 2


def test_capitals_in_the_sender(lab):
    """As people write their own address: tagged and signed all the same."""
    n = len(lab.sink.messages)
    capitals = "Alice@Example.ORG"
    code, said = lab.send("x@remote.example", message(sender=capitals),
                          sender=capitals)
    assert code == 250, said
    taken = lab.taken(n + 1)[-1]
    assert re.match(r"FROM:<prvs=\d{4}[0-9a-f]{6}=Alice@example\.org>",
                    taken.sender), taken.sender
    assert taken.text.count(b"DKIM-Signature:") == 2


def public_keys(lab):
    """What a verifier would find in DNS."""
    import base64
    return {
        b"r1._domainkey.example.org.": b"v=DKIM1; k=rsa; p=" +
        base64.b64encode(lab.keys["rsa"]),
        b"e1._domainkey.example.org.": b"v=DKIM1; k=ed25519; p=" +
        base64.b64encode(lab.keys["ed"]),
    }


@pytest.mark.parametrize("body", [
    "plain\r\n", "", "\r\n\r\n", "two  spaces \t x \r\n\r\n\r\n",
    ".dot\r\n..two\r\n", " leading\r\n\tand tab\r\n", "x" * 900 + "\r\n",
    "no end"])
def test_signatures_hold(lab, body):
    n = len(lab.sink.messages)
    code, said = lab.send("x@remote.example", message(
        more="subject:  folded\r\n \t and   more \r\nX-Other: 1\r\n",
        body=body))
    assert code == 250, said
    text = lab.taken(n + 1)[-1].text
    if not isinstance(text, bytes):
        text = text.encode("latin-1")
    text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    keys = public_keys(lab)

    def find(name, timeout=5):
        return keys.get(name)
    for index in (0, 1):
        assert dkim.DKIM(text).verify(idx=index, dnsfunc=find), index
    broken = text.replace(b"Subject: test", b"Subject: other")
    assert not dkim.DKIM(broken).verify(idx=0, dnsfunc=find)
    # nobody may add what we have signed as missing
    added = b"Cc: y@remote.example\r\n" + text
    assert not dkim.DKIM(added).verify(idx=1, dnsfunc=find)


def test_local_and_remote_in_one_transaction(lab):
    n, before = len(lab.sink.messages), len(lab.server.mail("bob"))
    code, said = lab.send(["bob@example.org", "x@remote.example"], message())
    assert code == 250, said
    # delivered before the 250
    assert len(lab.server.mail("bob")) == before + 1
    lab.taken(n + 1)
    copy = lab.server.mail("bob")[-1]
    assert copy.get("Return-Path") == "<alice@example.org>"
    assert len(copy.get_all("Received")) == 1


def test_a_message_for_us_alone_does_not_touch_the_queue(lab):
    n = len(lab.sink.messages)
    before = len(lab.server.mail("bob"))
    code, said = lab.send("bob@example.org", message())
    assert code == 250 and b"queued" not in said
    assert len(lab.server.mail("bob")) == before + 1
    assert len(lab.sink.messages) == n


# ---- what milters want ----

@pytest.fixture(name="filtered", scope="module")
def fixture_filtered():
    """One with a milter that discards and holds, for a word each."""
    with contextlib.closing(Program()) as milter, \
            Lab(checks='milter "%s" {{ }}' % milter.endpoint) as junk, \
            Lab(checks='milter "%s" {{ discard = drop }}' %
                milter.endpoint) as drop:
        yield {"junk": junk, "drop": drop}


@pytest.mark.parametrize("what", ["X-End: discard", "X-Do: hold odd",
                                  "X-Do: unrcpt x@remote.example"])
@pytest.mark.parametrize("to", [["x@remote.example"],
                                ["x@remote.example", "bob@example.org"]])
def test_what_a_milter_keeps_back_does_not_leave(filtered, what, to):
    lab = filtered["junk"]
    before, n = lab.server.all_files(), len(lab.sink.messages)
    if "unrcpt" in what and len(to) == 2:
        assert lab.send(to, message(more=what + "\r\n"))[0] == 250
        assert len(lab.server.all_files()) == len(before) + 1
    else:
        code, said = lab.send(to, message(more=what + "\r\n"))
        assert code == 550 and said.startswith(
            b"5.7.1 a filter keeps it back"), said
        assert lab.server.all_files() == before
    # the next message is the first that arrives
    assert lab.send("y@remote.example", message())[0] == 250
    assert "y@remote.example" in str(lab.taken(n + 1)[n].recipients)


def test_what_a_milter_drops_goes_nowhere(filtered):
    lab = filtered["drop"]
    before = lab.server.all_files()
    code, said = lab.send(["x@remote.example", "bob@example.org"],
                          message(more="X-End: discard\r\n"))
    assert code == 250 and b"queued" not in said, said
    assert lab.server.all_files() == before
    assert lab.server.wait_event("delivered", discarded="2", copies="0",
                                 queued="0")
    assert lab.send("y@remote.example", message())[0] == 250
    assert "y@remote.example" in str(lab.taken()[0].recipients)


def test_a_virus_does_not_leave():
    """Nor anything that cannot be scanned."""
    scanner = Clamd()
    with contextlib.closing(scanner), Lab(
            checks='virus = refuse\nclamd "%s" {{ }}\n' %
            scanner.endpoint) as lab:
        to = ["x@remote.example", "bob@example.org"]
        before = lab.server.all_files()
        code, said = lab.send(to, message(body=EICAR + "\r\n"))
        assert (code, said[:6]) == (554, b"5.7.1 "), said
        scanner.kill()
        code, said = lab.send(to, message())
        assert (code, said[:6]) == (451, b"4.3.0 "), said
        assert lab.server.all_files() == before
        scanner.start()
        assert lab.send("y@remote.example", message())[0] == 250
        assert "y@remote.example" in str(lab.taken()[0].recipients)


# ---- who may ----

def test_nobody_sends_without_login(lab):
    with lab.server.submit() as client:
        assert client.mail(ALICE)[0] == 530
        assert client.docmd("AUTH", "PLAIN " + plain(
            "alice", PASSWORD))[0] == 235
        assert client.mail(ALICE)[0] == 250


@pytest.mark.parametrize("user, sender, code", [
    ("alice", "alice@example.org", 250),
    ("alice", "ALICE@Example.ORG", 250),
    ("alice", "alice+tag@example.org", 250),
    ("alice", "postmaster@example.org", 250),    # an alias of hers alone
    ("alice", "alice", 250),
    ("alice", "", 250),
    ("alice", "bob@example.org", 553),
    ("alice", "nobody@example.org", 553),
    ("alice", "alice@remote.example", 553),
    ("alice", "team@example.org", 553),
    ("bob", "team@example.org", 250),
    ("bob", "any@lists.example", 250),
    ("bob", "alice@example.org", 553),
])
def test_reverse_path_is_the_users(lab, user, sender, code):
    with lab.submit(user) as client:
        said = client.docmd("MAIL", "FROM:<%s>" % sender)
        assert said[0] == code, said
        if code == 553:
            assert said[1].startswith(b"5.7.1")


@pytest.mark.parametrize("sender, code", [
    ("Alice <alice@example.org>", 250),
    ("bob@example.org", 553),
    ("alice@example.org, bob@example.org", 553),
    ("\"alice@example.org\" <bob@example.org>", 553),
    ("alice@example.org (bob@example.org)", 250),
    ("<alice@example.org", 550),
    ("alice@example.org\r\nFrom: bob@example.org", 550),
])
def test_from_field_is_the_users(lab, sender, code):
    answer = lab.send("bob@example.org", message(sender))
    assert answer[0] == code, answer


# ---- recipients ----

@pytest.mark.parametrize("address, want", [
    ("x@remote.example", b"250 2.1.5"),
    ("x@bare.remote.example", b"250 2.1.5"),
    ("x@missing.remote.example", b"550 5.1.2"),
    ("x@dead.remote.example", b"550 5.1.2"),
    ("x@null.remote.example", b"556 5.1.10"),
    ("nobody@example.org", b"550 5.1.1"),
    ("bob@example.org", b"250 2.1.5"),
    ("bob", b"250 2.1.5"),
    ("x@[127.0.0.2]", b"250 2.1.5"),
    ("x@[127.0.0.1]", b"550 5.1.1"),
    ("bob@[127.0.0.1]", b"250 2.1.5"),
])
def test_recipients_are_looked_up_now(lab, address, want):
    with lab.submit() as client:
        client.mail(ALICE)
        code, said = client.rcpt(address)
        assert b"%d %s" % (code, said[:len(want) - 4]) == want, said


def test_a_silent_dns_is_no_refusal(lab):
    from nameserver import servfail
    lab.names.behave("silent.example", servfail)
    with lab.submit() as client:
        client.mail(ALICE)
        assert client.rcpt("x@silent.example")[0] == 250


@pytest.mark.parametrize("name, in_received", [
    ("my phone", "my?phone"), ("Jörgs-PC", "J??rgs-PC"),
    ("phone (old)", "phone??old?")])
def test_a_device_is_called_as_its_owner_likes(lab, name, in_received):
    with lab.submit() as client:
        client.sock.sendall(("EHLO %s\r\n" % name).encode())
        assert client.getreply()[0] == 250
        assert client.sendmail(ALICE, ["bob@example.org"], message()) == {}
    received = lab.server.mail("bob")[-1].get("Received")
    assert received.strip().startswith("from %s " % in_received), received
    with lab.server.connect() as stranger:
        stranger.send(b"EHLO " + name.encode() + b"\r\n")
        assert stranger.reply().code == 501


# ---- DSN ----

def test_dsn_is_offered_here_and_passed_on(lab):
    n = len(lab.sink.messages)
    with lab.submit() as client:
        assert client.has_extn("dsn") and not client.has_extn("prdr")
    code, said = lab.send("x@remote.example", message(), mail=[
        "RET=HDRS", "ENVID=QQ+2B1"], rcpt=[
        "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;orig@remote.example"])
    assert code == 250, said
    lab.taken(n + 1)
    said = " ".join(str(c) for c in lab.sink.commands)
    assert "RET=HDRS" in said and "ENVID=QQ+2B1" in said
    assert "NOTIFY=SUCCESS,FAILURE" in said
    assert "ORCPT=rfc822;orig@remote.example" in said
    # strangers are not offered it
    with lab.server.connect() as stranger:
        assert "DSN" not in stranger.command("EHLO c.example").lines
        assert stranger.command("MAIL FROM:<a@b.example> RET=FULL"
                                ).code == 555


@pytest.mark.parametrize("what", [
    "RET=ALL", "ENVID=", "ENVID=a+zz", "ENVID=" + "x" * 101, "RET"])
def test_bad_dsn_parameters_of_mail(lab, what):
    with lab.submit() as client:
        assert client.mail(ALICE, [what])[0] == 501


@pytest.mark.parametrize("what", [
    "NOTIFY=", "NOTIFY=NEVER,SUCCESS", "NOTIFY=PERHAPS", "NOTIFY=DELAY,",
    "ORCPT=x@y", "ORCPT=rfc822;", "ORCPT=rfc822;a=b", "ORCPT=;x"])
def test_bad_dsn_parameters_of_rcpt(lab, what):
    with lab.submit() as client:
        client.mail(ALICE)
        assert client.rcpt("x@remote.example", [what])[0] == 501


# ---- completion ----

def test_blind_copies_stay_blind(lab):
    n, before = len(lab.sink.messages), len(lab.server.mail("bob"))
    code, said = lab.send(["bob@example.org", "x@remote.example"], (
        "To: carol, x@remote.example\r\nBcc: bob@example.org,\r\n"
        " y@remote.example\r\n\r\nx\r\n").encode())
    assert code == 250, said
    text = lab.taken(n + 1)[-1].text
    text = text if isinstance(text, str) else text.decode("latin-1")
    copy = lab.server.mail("bob")
    assert len(copy) == before + 1
    for mail in (email.message_from_string(text), copy[-1]):
        names = [n for n in ("Bcc", "bcc") if mail.get(n)]
        assert not names
        assert mail.get("To") == "carol@example.org, x@remote.example"
        assert mail.get("From") == "<alice@example.org>"
    assert "y@remote.example" not in text


# ---- limits ----

def test_limits_are_the_users_wherever_he_comes_from():
    with Lab(limits="messages_per_user = 3\nrecipients_per_user = 5") as lab:
        with lab.submit() as client:
            for _ in range(3):
                assert client.mail(ALICE)[0] == 250
                client.rset()
            code, said = client.mail(ALICE)
            assert (code, said[:5]) == (450, b"4.7.1")
        with lab.submit() as client:
            assert client.mail(ALICE)[0] == 450
        with lab.submit("bob") as client:
            assert client.mail("bob@example.org")[0] == 250
            for i in range(5):
                assert client.rcpt("x%d@remote.example" % i)[0] == 250
            code, said = client.rcpt("y@remote.example")
            assert (code, said[:5]) == (452, b"4.7.1")


# ---- secrets ----

def test_secrets_are_made_once_and_nobodys_to_read(lab):
    path = lab.server.folder + "/state/secrets"
    status = os.stat(path)
    assert stat.S_IMODE(status.st_mode) == 0o600
    with open(path, encoding="ascii") as f:
        text = f.read()
    words = [line.split()[0] for line in text.splitlines()
             if not line.startswith("#")]
    assert words == ["batv", "trace", "srs"]
    hexes = re.findall(r"\b[0-9a-f]{64}\b", text)
    assert len(set(hexes)) == 3
    # and nobody has them in memory but who signs with them
    assert {lab.server.role_of(pid) for pid in lab.server.children()
            if any(holds(pid, bytes.fromhex(x)) for x in hexes)} == {"vault"}


def test_whom_nobody_may_be_told_to_be_is_not_quoted(lab):
    """REQUIRETLS fails before the host was told anything: the words are
    ours, and it is not he who does not want the message."""
    n = len(lab.server.mail("carol"))
    code, said = lab.send("x@remote.example", message("carol@example.org"),
                          "carol@example.org", "carol", mail=["REQUIRETLS"])
    assert code == 250, said
    wait_until(lambda: len(lab.server.mail("carol")) > n, 20, "a bounce")
    said = re.sub(r"\s+", " ", lab.server.mail("carol")[-1].raw.decode())
    assert "could not be sent. The reason: mail.remote.example[127.0.0.1]: " \
        "the sender requires TLS" in said
    assert "What to do: The way there is not known to be protected" in said
    assert "Status: 5.7.30 Diagnostic-Code: x-postern; mail." in said
