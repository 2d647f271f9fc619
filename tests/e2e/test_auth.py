# SPDX-License-Identifier: ISC
"""AUTH on submission: mechanisms, real clients, limits, what is never shown,
and Dovecot's socket."""
import base64
import concurrent.futures
import contextlib
import ctypes
import ctypes.util
import glob
import hashlib
import hmac
import os
import re
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest

from certificates import make_certificate
from postern import (DEFAULT_ALIASES, IS_ROOT, TOP, Server, free_port,
                     wait_until)

PASSWORD = "correct horse: battery"
NAMES = {"PLAIN", "LOGIN"}

libcrypt = ctypes.CDLL(ctypes.util.find_library("crypt"))
libcrypt.crypt_gensalt.restype = ctypes.c_char_p
libcrypt.crypt_gensalt.argtypes = [ctypes.c_char_p, ctypes.c_ulong,
                                   ctypes.c_char_p, ctypes.c_int]
libcrypt.crypt.restype = ctypes.c_char_p
libcrypt.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]


def hash_of(password, prefix="$6$", cost=0):
    """As mkpasswd(1) makes it."""
    salt = libcrypt.crypt_gensalt(prefix.encode(), cost, None, 0)
    return libcrypt.crypt(password.encode(), salt).decode()


def scram_key(password, iterations=4096):
    """As Dovecot writes it: no way back to the password."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt,
                                 iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    words = [base64.b64encode(w).decode() for w in (
        salt, hashlib.sha256(client).digest(),
        hmac.digest(salted, b"Server Key", "sha256"))]
    return "{SCRAM-SHA-256}%d,%s" % (iterations, ",".join(words))


def user_lines(**passwords):
    """A users table."""
    return "".join('%s password="%s"\n' % (name, word)
                   for name, word in passwords.items())


class Submission(Server):
    """A server with a port of each kind for our own users."""

    def __init__(self, users, more="", **options):
        self.starttls_port, self.tls_port = free_port(), free_port()
        super().__init__(users=users, aliases=DEFAULT_ALIASES, **options)
        tls = make_certificate(self.folder, "mx")
        self.write_config(more="""
listen "127.0.0.1:%d" {{ role = submission tls = required }}
listen "127.0.0.1:%d" {{ role = submission tls = implicit }}
""" % (self.starttls_port, self.tls_port) +
                          tls + more)

    def submit(self, port=None):
        """An smtplib client, under TLS."""
        context = ssl._create_unverified_context()
        if port is None:
            client = smtplib.SMTP_SSL("127.0.0.1", self.tls_port,
                                      context=context, timeout=30)
        else:
            client = smtplib.SMTP("127.0.0.1", port, timeout=30)
            client.ehlo("client.example")
            client.starttls(context=context)
        client.ehlo("client.example")
        return client

    def mechanisms(self):
        """What EHLO says."""
        with self.submit() as client:
            return set(client.esmtp_features.get("auth", "").split())

    def everything_said(self):
        """Log and trail, as one."""
        text = self.log_text().encode()
        for path in glob.glob(self.folder + "/state/store/**",
                              recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    text += f.read()
        return text


def plain(name, password):
    """PLAIN's response."""
    return base64.b64encode(
        ("\0%s\0%s" % (name, password)).encode()).decode()


def try_plain(client, name, password):
    """(code, text) of AUTH PLAIN."""
    code, text = client.docmd("AUTH", "PLAIN " + plain(name, password))
    return code, text.decode()


ALICE = "alice@example.org"


@pytest.fixture(scope="module", name="server")
def fixture_server():
    """Passwords of each kind; nobody is limited."""
    users = user_lines(
        alice=hash_of(PASSWORD), bob=hash_of(PASSWORD, "$2b$", 5),
        carol=hash_of(PASSWORD, "$y$", 1), dave=scram_key(PASSWORD),
        locked="!" + hash_of(PASSWORD), weak=hash_of(PASSWORD, "$1$"),
    ) + "nobody_here\n"
    server = Submission(users, more="auth {{ failures_per_client = 0\n"
                        "failures_per_account = 0 }}\n")
    with server:
        yield server


# ---- the dialogue ----

@pytest.mark.parametrize("name", ["alice", "bob", "carol", "dave",
                                  "Alice@Example.ORG", "dave@example.org"])
def test_each_kind_of_password(server, name):
    with server.submit() as client:
        assert try_plain(client, name, PASSWORD + "x")[0] == 535
        assert try_plain(client, name, PASSWORD)[0] == 235


@pytest.mark.parametrize("name", [
    "locked", "weak", "nobody_here", "mallory", "alice@example.net", "ali",
    "alice+tag", "Alice Smith", "root", "alice@@example.org", "postmaster"])
def test_who_has_no_password_is_refused_alike(server, name):
    with server.submit() as client:
        code, text = try_plain(client, name, PASSWORD)
        assert (code, text.split(" (")[0]) == (
            535, "5.7.8 name or password is wrong")


def test_login(server):
    with server.submit() as client:
        client.user, client.password = "alice", PASSWORD
        assert client.auth("LOGIN", client.auth_login,
                           initial_response_ok=False)[0] == 235
    with server.submit() as client:
        client.user, client.password = "alice", PASSWORD
        assert client.auth("LOGIN", client.auth_login)[0] == 235
    with server.submit() as client:
        assert client.docmd("AUTH LOGIN") == (334, b"VXNlcm5hbWU6")
        assert client.docmd(base64.b64encode(b"alice").decode()) == (
            334, b"UGFzc3dvcmQ6")
        assert client.docmd(base64.b64encode(b"wrong").decode())[0] == 535


def test_plain_with_and_without_initial_response(server):
    with server.submit(server.starttls_port) as client:
        assert client.docmd("AUTH PLAIN") == (334, b"")
        assert client.docmd(plain("alice", PASSWORD))[0] == 235
        assert client.docmd("AUTH PLAIN " + plain("alice", PASSWORD))[
            0] == 503
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 250


def test_authorization_identity(server):
    def response(whom):
        return base64.b64encode(("%s\0alice\0%s" % (
            whom, PASSWORD)).encode()).decode()
    with server.submit() as client:
        assert client.docmd("AUTH PLAIN " + response("bob"))[0] == 535
        assert client.docmd("AUTH PLAIN " + response("alice"))[0] == 235


def test_syntax(server):
    with server.submit() as client:
        for line, code in (
                ("AUTH", 501), ("AUTH NONSENSE", 504), ("AUTH CRAM-MD5", 504),
                ("AUTH PLAIN =", 535), ("AUTH PLAIN !!!!", 501),
                ("AUTH PLAIN AGFsaWNl", 535), ("AUTH PLAIN a b", 501),
                ("AUTH PLAIN AGFsaWNlAHNlY3JldA=", 501)):
            got = client.docmd(line)
            assert got[0] == code, (line, got)
        assert client.docmd("AUTH PLAIN")[0] == 334
        got = client.docmd("*")
        assert got[0] == 501 and got[1].startswith(b"5.7.0")
        # and it goes on
        assert try_plain(client, "alice", PASSWORD)[0] == 235


def test_long_lines(server):
    with server.submit() as client:
        assert client.docmd("AUTH PLAIN")[0] == 334
        assert client.docmd("A" * 12288)[0] in (500, 535)
        assert client.docmd("AUTH PLAIN")[0] == 334
        got = client.docmd("A" * 12300)
        assert got[0] == 500 and got[1].startswith(b"5.5.6"), got
        assert client.docmd("AUTH PLAIN " + "A" * 12000)[0] == 535
        assert client.docmd("NOOP " + "A" * 3000)[0] == 500
        assert try_plain(client, "alice", PASSWORD)[0] == 235
        assert client.docmd("NOOP " + "A" * 3000)[0] == 500


def test_order(server):
    """Before EHLO, in a transaction, after HELO."""
    context = ssl._create_unverified_context()
    with smtplib.SMTP_SSL("127.0.0.1", server.tls_port,
                          context=context) as client:
        assert client.docmd("AUTH PLAIN " + plain("alice", PASSWORD))[
            0] == 503
        client.helo("client.example")
        assert client.docmd("AUTH PLAIN " + plain("alice", PASSWORD))[
            0] == 503
        client.ehlo("client.example")
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 530
        assert try_plain(client, "alice", PASSWORD)[0] == 235
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 250
        assert client.docmd("AUTH PLAIN " + plain("alice", PASSWORD))[
            0] == 503
        assert client.docmd("RSET")[0] == 250
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 250
        client.ehlo("client.example")
        assert "auth" not in client.esmtp_features
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 250


def test_nothing_without_tls(server):
    with smtplib.SMTP("127.0.0.1", server.starttls_port) as client:
        client.ehlo("client.example")
        assert "auth" not in client.esmtp_features
        code, text = client.docmd("AUTH PLAIN " + plain("alice", PASSWORD))
        assert code == 538 and text.startswith(b"5.7.11")
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 530


def test_no_auth_on_port_25(server):
    context = ssl._create_unverified_context()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH PLAIN " + plain("alice", PASSWORD))[
            0] == 500
        client.starttls(context=context)
        client.ehlo("client.example")
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH LOGIN")[0] == 500
        assert client.docmd(base64.b64encode(b"alice").decode())[0] == 500


def test_an_mx_has_no_way_to_auth(server):
    """P8: no channel leads there, so only submission's smtpd have one."""
    status = subprocess.run(server.command(
        "posternctl", "-f", server.config_path, "status"),
        capture_output=True, text=True, check=True).stdout
    assert "auth" in status


def test_passwords_stand_nowhere(server):
    secret = "hunter2-as-a-password"
    told = base64.b64encode(secret.encode())
    with server.submit() as client:
        try_plain(client, "alice", secret)
        try_plain(client, secret, secret)          # as a name, by mistake
        client.docmd("AUTH LOGIN")
        client.docmd("*")
        client.docmd(told.decode())                # after it was cancelled
        client.docmd("AUTH LOGIN " + told.decode())
        client.docmd("*")
        client.docmd("MAIL FROM:<%s>" % ALICE)
        client.send("AUTH PLAIN " + plain("alice", secret) + "\n\r\n")
        assert client.getreply()[0] == 500
        client.docmd("AUTH\tPLAIN\t" + plain("alice", secret))
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.ehlo("client.example")
        client.docmd("AUTH PLAIN " + plain("alice", secret))
        client.docmd("AUTH\tPLAIN\t" + plain("alice", secret))
        client.docmd("AUTH LOGIN")
        client.docmd(told.decode())
        client.send(told.decode() + "\n\r\n")
        assert client.getreply()[0] == 500
    server.wait_event("auth_refused")
    wait_until(lambda: server.figure("sessions_now") == 0, what="the end")
    time.sleep(1)       # and the last lines
    said = server.everything_said()
    for word in (secret.encode(), told, told[:16],
                 plain("alice", secret)[:24].encode()):
        assert word not in said


@pytest.mark.skipif(not IS_ROOT, reason="needs the uids")
def test_who_can_read_the_hashes(server):
    folder = server.folder + "/state/passwords"
    path = folder + "/passwords"
    st = os.stat(path)
    assert stat.S_IMODE(st.st_mode) == 0o640
    assert not os.stat(folder).st_mode & 0o007
    for user, reads in (("postern-auth", True), ("postern-directory", False),
                        ("postern-smtpd", False), ("nobody", False)):
        got = subprocess.run(["setpriv", "--reuid", user, "--regid", user if
                              user != "nobody" else "nogroup",
                              "--init-groups", "cat", path],
                             capture_output=True, check=False) if \
            user != "postern-directory" else subprocess.run(
                ["setpriv", "--reuid", user, "--regid", "postern",
                 "--init-groups", "cat", path], capture_output=True,
                check=False)
        assert (got.returncode == 0) == reads, (user, got.stderr)
    with open(path, "rb") as f:
        assert b"$6$" in f.read()
    tables = glob.glob(server.folder + "/state/tables/*")
    assert tables
    for table in tables:
        with open(table, "rb") as f:
            text = f.read()
        assert b"$6$" not in text and b"SCRAM" not in text


# ---- real clients ----

def deliveries(server):
    """How many bob has."""
    return len(server.mail("bob"))


MESSAGE = "From: <alice@example.org>\nTo: <bob@example.org>\n" \
    "Subject: hello\n\nhello\n"


def check_delivered(server, before, run):
    """One more, marked as sent by somebody who has logged in."""
    assert run.returncode == 0, run.stdout + run.stderr
    wait_until(lambda: deliveries(server) == before + 1, what="delivery")
    assert "ESMTPSA" in server.mail("bob")[-1].get("Received")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_swaks(server, mechanism, mode):
    before = deliveries(server)
    where = ["--tls", "--port", str(server.starttls_port)] if \
        mode == "starttls" else \
        ["--tls-on-connect", "--port", str(server.tls_port)]
    run = subprocess.run(
        ["swaks", "--server", "127.0.0.1", *where, "--auth", mechanism,
         "--auth-user", "alice", "--auth-password", PASSWORD, "--from",
         ALICE, "--to", "bob@example.org", "--data", MESSAGE.replace(
             "\n", "\\n")], capture_output=True, text=True, timeout=60,
        check=False)
    check_delivered(server, before, run)


def curl(server, password, *more):
    """Its exit status is 67 where the login was refused."""
    path = server.write("message", MESSAGE.replace("\n", "\r\n"))
    return subprocess.run(
        ["curl", "-sSk", "smtps://127.0.0.1:%d" % server.tls_port,
         "--mail-from", ALICE, "--mail-rcpt", "bob@example.org", "-T", path,
         "-u", "alice:" + password, *more],
        capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("options", [
    [], ["--login-options", "AUTH=PLAIN"], ["--login-options", "AUTH=LOGIN"],
    ["--mail-auth", ALICE], ["--sasl-ir"]])
def test_curl(server, options):
    before = deliveries(server)
    check_delivered(server, before, curl(server, PASSWORD, *options))


def test_curl_wrong_password(server):
    assert curl(server, "wrong").returncode == 67


def msmtp(server, mechanism, user="alice", port=None):
    """With gsasl inside, it knows SCRAM."""
    return subprocess.run(
        ["msmtp", "--host=127.0.0.1", "--port=%d" % (
            port or server.tls_port), "--tls=on", "--tls-starttls=off",
         "--tls-certcheck=off", "--auth=" + mechanism, "--user=" + user,
         "--passwordeval=echo '%s'" % PASSWORD, "--from=%s@example.org" %
         user, "bob@example.org"],
        input=MESSAGE.replace("alice@", user + "@"), capture_output=True,
        text=True, timeout=60, check=False)


@pytest.mark.parametrize("mechanism", ["plain", "login", "on"])
def test_msmtp(server, mechanism):
    before = deliveries(server)
    check_delivered(server, before, msmtp(server, mechanism))


# ---- SCRAM ----

def scram_login(client, name, password, change=None):
    """A client of RFC 7677; the last reply."""
    nonce = base64.b64encode(os.urandom(12)).decode()
    bare = "n=%s,r=%s" % (name, nonce)
    code, text = client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(
        ("n,," + bare).encode()).decode())
    if code != 334:
        return code, text
    first = base64.b64decode(text).decode()
    fields = dict(f.split("=", 1) for f in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(),
                                 base64.b64decode(fields["s"]),
                                 int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = "c=biws,r=" + fields["r"]
    auth = ",".join((bare, first, final)).encode()
    sign = hmac.digest(hashlib.sha256(key).digest(), auth, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, sign))
    if change:
        proof = change(proof)
    code, text = client.docmd(base64.b64encode((final + ",p=" +
        base64.b64encode(proof).decode()).encode()).decode())
    if code != 334:
        return code, text
    want = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth,
                       "sha256")
    assert base64.b64decode(text) == b"v=" + base64.b64encode(want)
    return client.docmd("")


@pytest.fixture(scope="module", name="scram_server")
def fixture_scram_server():
    """Everybody has keys, so that it is offered."""
    users = user_lines(alice=scram_key(PASSWORD),
                       bob=scram_key(PASSWORD, 5000), carol="!")
    with Submission(users, more="auth {{ failures_per_client = 0\n"
                    "failures_per_account = 0 }}\n") as server:
        yield server


def test_scram_is_offered_where_all_can_use_it(server, scram_server):
    assert server.mechanisms() == {"PLAIN", "LOGIN"}
    assert scram_server.mechanisms() == {"PLAIN", "LOGIN", "SCRAM-SHA-256"}
    with server.submit() as client:
        assert scram_login(client, "dave", PASSWORD)[0] == 504


def test_scram(scram_server):
    with scram_server.submit() as client:
        assert scram_login(client, "alice", PASSWORD + "x")[0] == 535
        assert scram_login(client, "alice", PASSWORD, lambda p:
                           bytes([p[0] ^ 1]) + p[1:])[0] == 535
        assert scram_login(client, "bob", PASSWORD)[0] == 235
        assert client.docmd("MAIL FROM:<bob@example.org>")[0] == 250
        assert client.docmd("RSET")[0] == 250


def test_scram_refuses_its_last_word_answered_otherwise(scram_server):
    with scram_server.submit() as client:
        client.real = client.docmd
        seen = []

        def docmd(cmd, args=""):
            if cmd == "":
                seen.append(1)
                return client.real("eA==")
            return client.real(cmd, args)
        client.docmd = docmd
        assert scram_login(client, "alice", PASSWORD)[0] == 501
        assert seen and client.real("MAIL FROM:<%s>" % ALICE)[0] == 530


def test_scram_does_not_tell_who_exists(scram_server):
    """Salt and iterations of a name that nobody has, or that is locked,
    are the same each time."""
    def first_of(name):
        with scram_server.submit() as client:
            code, text = client.docmd(
                "AUTH", "SCRAM-SHA-256 " + base64.b64encode(
                    b"n,,n=%s,r=abcdefghijkl" % name.encode()).decode())
            assert code == 334
            fields = base64.b64decode(text).decode().split(",")[1:]
            assert client.docmd("*")[0] == 501
            return fields
    for name in ("mallory", "carol", "alice@example.net"):
        got = first_of(name)
        assert got == first_of(name)
        assert len(base64.b64decode(got[0][2:])) == 16
        assert got[1] in ("i=4096", "i=5000")
    assert first_of("mallory") != first_of("mallory2")
    with scram_server.submit() as client:
        assert scram_login(client, "mallory", PASSWORD)[0] == 535


@pytest.mark.parametrize("message", [
    b"", b"n", b"n,,", b"n,,n=,r=x", b"p=tls-unique,,n=alice,r=abc",
    b"n,a=bob,n=alice,r=abc", b"n,,m=x,n=alice,r=abc",
    b"n,,n=alice,r=abc\0", b"x" * 9000])
def test_scram_malformed(scram_server, message):
    with scram_server.submit() as client:
        code, _ = client.docmd("AUTH", "SCRAM-SHA-256 " + (base64.b64encode(
            message).decode() or "="))
        assert code in (500, 535)
        assert try_plain(client, "alice", PASSWORD)[0] == 235


def test_scram_of_real_clients(scram_server):
    before = deliveries(scram_server)
    check_delivered(scram_server, before,
                    msmtp(scram_server, "scram-sha-256"))
    # Debian's curl does not know it, and takes another
    check_delivered(scram_server, before + 1, curl(scram_server, PASSWORD))
    assert curl(scram_server, "wrong").returncode == 67


# ---- guesses ----

def test_failures_of_a_client(request):
    users = user_lines(alice=hash_of(PASSWORD), bob=hash_of(PASSWORD))
    server = Submission(users, more="auth {{ failures_per_client = 4\n"
                        "failures_per_account = 0 }}\n")
    with server:
        with server.submit() as client:
            assert try_plain(client, "alice", PASSWORD)[0] == 235
        with server.submit() as client:
            for n in range(4):
                assert try_plain(client, "x%d" % n, "guess")[0] == 535
            code, text = try_plain(client, "x9", "guess")
            assert code == 454 and text.startswith("4.7.0 too many")
        with server.submit() as client:
            # the right one does not count as a guess, but is not heard
            assert try_plain(client, "alice", PASSWORD)[0] == 454
        # neither a restart nor a reload forgets
        for pid in server.children("auth"):
            server.may_crash = True
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(server.children("auth")) >= 1,
                   what="new auth")
        time.sleep(0.5)
        with server.submit() as client:
            assert try_plain(client, "x1", "guess")[0] == 454
        server.reload()
        with server.submit() as client:
            assert try_plain(client, "x1", "guess")[0] == 454
        server.wait_event("auth_limited")


def test_fail2ban_reads_the_log():
    """What etc/fail2ban.conf looks for are guesses, and nothing that a
    client can write into a line; tried with fail2ban itself by hand."""
    with open(os.path.join(TOP, "etc", "fail2ban.conf")) as config:
        rule = re.search("^failregex = (.*)$", config.read(),
                         re.M).group(1)
    rule = re.compile(rule.replace("%(__prefix_line)s", "(?:<6>)?")
                      .replace("<ADDR>", r"(?P<client>\S+)"))
    forged = "client=192.0.2.1 stage=auth check=auth code=535 "
    with Submission(user_lines(alice=hash_of(PASSWORD))) as server:
        with server.submit() as client:
            assert try_plain(client, "alice", PASSWORD)[0] == 235
        with server.submit() as client:
            assert try_plain(client, forged, forged)[0] == 535
            assert client.docmd("AUTH", forged)[0] == 501
            assert client.docmd("MAIL", "FROM:<%s>" % forged)[0] in (501, 530)
        server.wait_event("session_closed", refused="3")
        found = [rule.match(line) for line in server.log_text().split("\n")]
    assert [m["client"] for m in found if m] == ["127.0.0.1"]


def test_failures_of_an_account():
    """A stranger's guesses close the account for strangers, not for a
    network that it was used from; and nobody can tell whether it exists."""
    users = user_lines(alice=hash_of(PASSWORD), bob=hash_of(PASSWORD))
    server = Submission(users, more="auth {{ failures_per_client = 0\n"
                        "failures_per_account = 3 }}\n")
    with server, server.submit() as client:
        for name in ("bob", "mallory"):
            codes = [try_plain(client, name, "guess")[0] for _ in range(5)]
            assert codes == [535, 535, 535, 454, 454], name
        assert try_plain(client, "bob", PASSWORD)[0] == 454
        with server.submit() as other:
            assert try_plain(other, "alice", PASSWORD)[0] == 235
        codes = [try_plain(client, "alice", "guess")[0] for _ in range(5)]
        assert codes == [535] * 5


def test_unknown_names_take_as_long():
    users = user_lines(alice=hash_of(PASSWORD, "$2b$", 10))
    server = Submission(users, more="auth {{ failures_per_client = 0\n"
                        "failures_per_account = 0 }}\n")

    def seconds(client, name):
        begin = time.monotonic()
        assert try_plain(client, name, "guess")[0] == 535
        return time.monotonic() - begin
    with server:
        for name in ("mallory", "alice@example.net", "nobody@"):
            # in turn, and the fastest of each: others use the machine, too
            with server.submit() as client, server.submit() as another:
                pairs = [(seconds(client, "alice"), seconds(another, name))
                         for _ in range(9)]
            known, unknown = (min(p[i] for p in pairs) for i in range(2))
            assert known / 2 < unknown < known * 2, (name, known, unknown)


def test_guesses_do_not_delay_others():
    """While somebody guesses, sessions go on: hashing is auth's alone."""
    users = user_lines(alice=hash_of(PASSWORD, "$2b$", 12))
    server = Submission(users, more="auth {{ failures_per_client = 0\n"
                        "failures_per_account = 0 }}\n")
    ended = threading.Event()

    def guess():
        with contextlib.suppress(smtplib.SMTPException, OSError):
            with server.submit() as client:
                while not ended.is_set():
                    if try_plain(client, "alice", "guess")[0] == 421:
                        return
    with server:
        nice = [os.getpriority(os.PRIO_PROCESS, pid)
                for pid in server.children("auth")]
        assert nice and min(nice) == 10
        threads = [threading.Thread(target=guess) for _ in range(4)]
        for thread in threads:
            thread.start()
        slowest = 0
        for _ in range(20):
            begin = time.monotonic()
            with server.submit() as client:
                assert client.noop()[0] == 250
            slowest = max(slowest, time.monotonic() - begin)
        ended.set()
        for thread in threads:
            thread.join()
        assert slowest < 1


# ---- the tables ----

def test_a_changed_password_is_taken_over():
    server = Submission(user_lines(alice=hash_of(PASSWORD), bob="*"))
    with server:
        with server.submit() as client:
            assert try_plain(client, "alice", PASSWORD)[0] == 235
        server.write("users", user_lines(alice=hash_of("new one"), bob="*"))

        def is_new():
            with server.submit() as client:
                return try_plain(client, "alice", "new one")[0] == 235
        wait_until(is_new, 30, "the new password", every=1)
        with server.submit() as client:
            assert try_plain(client, "alice", PASSWORD)[0] == 535
        # a text with an error leaves the old ones
        server.write("users", user_lines(alice=hash_of("third")) + "bob x\n")
        server.wait_event("passwords_kept", timeout=30)
        with server.submit() as client:
            assert try_plain(client, "alice", "new one")[0] == 235


def test_a_file_of_its_own():
    """Names with and without a domain; it is watched, too."""
    server = Submission(user_lines(alice=hash_of("not this"), bob="*"),
                        more='auth {{ users = "{folder}/passwords" }}\n')
    server.write("passwords", user_lines(alice=hash_of(PASSWORD)) +
                 'bob@example.org password="%s"\n' % hash_of(PASSWORD))
    with server:
        with server.submit() as client:
            assert try_plain(client, "alice", "not this")[0] == 535
            assert try_plain(client, "alice", PASSWORD)[0] == 235
        with server.submit() as client:
            assert try_plain(client, "bob", PASSWORD)[0] == 235
        server.write("passwords", user_lines(alice=hash_of("new one")))

        def is_new():
            with server.submit() as client:
                return try_plain(client, "alice", "new one")[0] == 235
        wait_until(is_new, 30, "the new password", every=1)
        with server.submit() as client:
            assert try_plain(client, "bob", PASSWORD)[0] == 535


def test_check_of_the_configuration():
    """postern -n reads passwords as the compiler does, and shows none."""
    server = Submission(user_lines(alice=hash_of(PASSWORD, "$1$")) + "bob\n")
    try:
        code, said = server.check()
        assert code == 0 and "users:1: password of \"alice\": nobody" in said
        for kind in ("$y$", "$2b$", "$6$"):
            good = hash_of(PASSWORD, kind)
            server.write("users", user_lines(alice=good, bob=good[:-1]))
            code, said = server.check()
            assert code == 0 and "users:2: password of \"bob\": nobody can " \
                "log in, as the hash is damaged" in said
            assert "of \"alice\"" not in said and good[-12:-1] not in said
        server.write("users", "alice\nbob\n")
        code, said = server.check()
        assert code == 0 and "no account has a password" in said
        server.write("users", 'alice password="secret"\n')
        code, said = server.check()
        assert code == 1 and "users:1: password of \"alice\"" in said
        assert "secret" not in said
        server.write("users", user_lines(alice="!"))
        assert server.check()[0] == 0
    finally:
        server.close()
    server = Submission("alice\n",
                        more='auth {{ users = "{folder}/passwords" }}\n')
    try:
        code, said = server.check()
        assert code == 1 and "/passwords: passwords cannot be read" in said
        server.write("passwords", 'alice quota=1G\nbob\n')
        code, said = server.check()
        assert code == 1 and "passwords:1: unknown field \"quota\"" in said
        server.write("passwords", user_lines(alice=scram_key(PASSWORD)) +
                     'x@elsewhere.example password="!"\n')
        code, said = server.check()
        assert code == 0 and "\"x@elsewhere.example\" is nobody's" in said
        server.write("passwords", user_lines(alice="!", bob="!") +
                     'Alice@Example.ORG password="!"\n')
        code, said = server.check()
        assert code == 1 and "passwords:3: the password of \"alice@" \
            "example.org\" stands on line 1 already" in said
    finally:
        server.close()


def test_a_damaged_table_is_no_refusal():
    """P3: nobody is told that his password is wrong when nobody knows."""
    server = Submission(user_lines(alice=hash_of(PASSWORD)))
    with server:
        with server.submit() as client:
            assert try_plain(client, "alice", PASSWORD)[0] == 235
        server.stop()
        path = server.folder + "/state/passwords/passwords"
        with open(path, "r+b") as f:
            f.seek(60)
            f.write(b"\xff\xff")
        server.write("users", 'alice password="broken\n')
        server.start()
        with server.submit() as client:
            code, text = try_plain(client, "alice", PASSWORD)
            assert code == 454 and text.startswith("4.7.0 cannot check")
        assert server.events("alarm")


# ---- devices that cannot AUTH ----

def test_submitters():
    """Who is in the network is that user, and may say AUTH all the same."""
    server = Submission(user_lines(alice=hash_of(PASSWORD)) + "scanner\n",
                        more='submitter "127.0.0.0/8" {{ as = '
                        '"scanner@example.org" }}\n')
    with server:
        with server.submit() as client:
            assert "auth" in client.esmtp_features
            assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 553
            assert client.docmd("MAIL FROM:<scanner@example.org>")[0] == 250
            assert client.docmd("RSET")[0] == 250
            assert try_plain(client, "alice", PASSWORD)[0] == 235
            assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 250
        # not over an mx listener, and not without the TLS that is asked for
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.ehlo("client.example")
            assert client.docmd("MAIL FROM:<scanner@example.org>")[0] == 250
            assert client.docmd("RCPT TO:<x@elsewhere.example>")[0] == 550
        with smtplib.SMTP("127.0.0.1", server.starttls_port) as client:
            client.ehlo("client.example")
            assert client.docmd("MAIL FROM:<scanner@example.org>")[0] == 530


# ---- auth dies ----

def test_auth_dies_in_the_middle():
    server = Submission(user_lines(alice=hash_of(PASSWORD)))
    server.may_crash = True
    with server, server.submit() as client:
        assert client.docmd("AUTH LOGIN")[0] == 334
        for pid in server.children("auth"):
            os.kill(pid, signal.SIGKILL)
        code, _ = client.docmd(base64.b64encode(b"alice").decode())
        assert code == 454
        wait_until(lambda: try_plain(client, "alice", PASSWORD)[0] == 235,
                   what="auth again")


def stop_auth(server):
    """It stands still, so that a question to it is out when it is killed."""
    stopped = server.children("auth")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    return lambda: [os.kill(pid, signal.SIGKILL) for pid in stopped]


def test_auth_is_killed_while_it_checks():
    """454 4.7.0, and the session is as good as before. Who has logged in
    goes on."""
    server = Submission(user_lines(alice=hash_of(PASSWORD)))
    server.may_crash = True
    with server, server.submit() as before, server.submit() as client:
        assert try_plain(before, "alice", PASSWORD)[0] == 235
        kill = stop_auth(server)
        client.putcmd("AUTH", "PLAIN " + plain("alice", PASSWORD))
        time.sleep(0.5)
        kill()
        code, text = client.getreply()
        assert code == 454 and text.startswith(b"4.7.0"), text
        assert client.noop()[0] == 250
        assert client.docmd("MAIL", "FROM:<%s>" % ALICE)[0] == 530
        assert before.docmd("MAIL", "FROM:<%s>" % ALICE)[0] == 250
        wait_until(lambda: try_plain(client, "alice", PASSWORD)[0] == 235,
                   30, "auth again")
        assert client.docmd("MAIL", "FROM:<%s>" % ALICE)[0] == 250
        assert not server.events("auth_limited")


def test_auth_is_killed_while_a_program_calls():
    """It is told to come again, with a 4yz for a greeting."""
    server = Submission(user_lines(alice=hash_of(PASSWORD)), more=
                        'listen "unix:{folder}/submit" {{ role = local }}\n')
    server.may_crash = True
    with server:
        def greeting():
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(30)
                s.connect(server.folder + "/submit")
                return s.recv(1000).decode()
        assert greeting().startswith("220 ")
        kill = stop_auth(server)
        threading.Timer(0.5, kill).start()
        assert greeting().startswith("421 4.")
        wait_until(lambda: greeting().startswith("220 "), 30, "auth again")


# ---- Dovecot ----

DOVECOT = """
base_dir = {folder}/run
log_path = {folder}/dovecot.log
auth_debug = yes
ssl = no
protocols =
passdb {{
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u {folder}/dovecot.passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
auth_mechanisms = plain login{scram}
auth_failure_delay = 0
service auth {{
  unix_listener {folder}/auth.sock {{
    mode = 0666
  }}
}}
service stats {{
  chroot =
}}
"""


def real_dovecot(passwords, scram=""):
    """A real Dovecot and a server that asks it: a generator."""
    if not IS_ROOT:
        pytest.skip("Dovecot needs root")
    server = Submission("alice\nbob\n", more="auth {{ dovecot = "
                        '"unix:{folder}/auth.sock"\n'
                        "failures_per_client = 5 }}\n")
    os.mkdir(server.folder + "/run")
    server.write("dovecot.passwd", "alice:%s\nbob@example.org:%s\n"
                 "stranger@example.net:%s\n" % passwords)
    config = server.write("dovecot.conf", DOVECOT.format(
        folder=server.folder, scram=scram))
    with contextlib.ExitStack() as stack:
        stack.callback(server.close)
        server.dovecots = []

        def run():
            process = subprocess.Popen(["dovecot", "-F", "-c", config])
            server.dovecots.append(process)
            wait_until(lambda: os.path.exists(server.folder + "/auth.sock"),
                       what="Dovecot's socket")

        def stop():
            while server.dovecots:
                process = server.dovecots.pop()
                # its auth goes on for whom it serves, unless it is killed
                with open("/proc/%d/task/%d/children" % (
                        process.pid, process.pid), encoding="ascii") as f:
                    children = [int(pid) for pid in f.read().split()]
                process.terminate()
                process.wait(20)
                for pid in children:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        server.run_dovecot, server.stop_dovecot = run, stop
        stack.callback(stop)
        run()
        server.start()
        yield server


@pytest.fixture(name="dovecot")
def fixture_dovecot():
    """One with hashes of crypt."""
    yield from real_dovecot((hash_of(PASSWORD),) * 3)


@pytest.fixture(name="scram_dovecot")
def fixture_scram_dovecot():
    """One with keys of SCRAM, as doveadm makes them, which offers that."""
    yield from real_dovecot(tuple(subprocess.run(
        ["doveadm", "pw", "-s", "SCRAM-SHA-256", "-p", PASSWORD], check=True,
        capture_output=True, text=True).stdout.strip()
        for _ in range(3)), " scram-sha-256")


def scram_challenge(client, name):
    """The fields of the answer to a client's first message."""
    code, text = client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(
        ("n,,n=%s,r=abcdef" % name).encode()).decode())
    assert code == 334
    return dict(f.split("=", 1)
                for f in base64.b64decode(text).decode().split(","))


def at_once(server, names, log_in):
    """What log_in(client, name) gives for each, side by side: a refusal
    takes seconds."""
    def submit(name):
        with server.submit() as client:
            return log_in(client, name)

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(submit, names))


def test_dovecot_scram(scram_dovecot):
    """Dovecot's own exchange, through us."""
    server = scram_dovecot
    assert wait_until(lambda: server.mechanisms() == {
        "PLAIN", "LOGIN", "SCRAM-SHA-256"}, 20, "SCRAM")
    for name, address in (("alice", ALICE), ("bob@example.org",
                                             "bob@example.org")):
        with server.submit() as client:
            assert scram_login(client, name, PASSWORD)[0] == 235
            assert client.docmd("MAIL FROM:<%s>" % address)[0] == 250
    with server.submit() as client:
        assert scram_login(client, "alice", "wrong")[0] == 535
        assert scram_login(client, "stranger@example.net",
                           PASSWORD)[0] == 535
        # without an initial response, then left, then once more
        assert client.docmd("AUTH SCRAM-SHA-256") == (334, b"")
        assert client.docmd("*")[0] == 501
        scram_challenge(client, "alice")
        assert client.docmd("*")[0] == 501
        assert scram_login(client, "alice", PASSWORD)[0] == 235
    with server.submit() as client:
        for first in (b"", b"n,,n=alice", b"p=tls-unique,,n=alice,r=x",
                      b"n,a=bob,n=alice,r=x", b"n,,n=al=ice,r=x",
                      b"n,,n=,r=x", b"n,,n=alice,r="):
            code, _ = client.docmd("AUTH", "SCRAM-SHA-256 " + (
                base64.b64encode(first).decode() or "="))
            assert code in (535, 454), first


def test_dovecot_scram_tells_no_names(scram_dovecot):
    """A name that Dovecot does not know has a challenge like any other."""
    server = scram_dovecot
    wait_until(lambda: "SCRAM-SHA-256" in server.mechanisms(), 20, "SCRAM")

    def challenge(client, name):
        fields = scram_challenge(client, name)
        assert client.docmd(base64.b64encode(
            b"c=biws,r=%s,p=AAAA" % fields["r"].encode()).decode())[0] == 535
        return fields

    real, decoy, again = at_once(server, ("alice", "nobody", "nobody"),
                                 challenge)
    assert list(real) == list(decoy)
    for key in real:
        assert len(real[key]) == len(decoy[key]), key
    assert real["i"] == decoy["i"] and decoy["s"] == again["s"]
    assert decoy["s"] != real["s"] and decoy["r"] != again["r"]
    # each was one guess
    at_once(server, ["nobody1", "nobody2"],
            lambda client, name: scram_login(client, name, "x"))
    with server.submit() as client:
        assert scram_login(client, "nobody", "x")[0] == 454


def test_dovecot_goes_in_the_middle(scram_dovecot):
    """Nobody has said anything about the password."""
    server = scram_dovecot
    wait_until(lambda: "SCRAM-SHA-256" in server.mechanisms(), 20, "SCRAM")
    with server.submit() as client:
        fields = scram_challenge(client, "alice")
        server.stop_dovecot()
        assert client.docmd(base64.b64encode(
            b"c=biws,r=%s,p=AAAA" % fields["r"].encode()
            ).decode())[0] == 454


def test_dovecot(dovecot):
    assert dovecot.mechanisms() == {"PLAIN", "LOGIN"}
    with dovecot.submit() as client:
        assert try_plain(client, "alice", "wrong")[0] == 535
        assert try_plain(client, "alice", PASSWORD)[0] == 235
        assert client.docmd("MAIL FROM:<%s>" % ALICE)[0] == 250
    with dovecot.submit() as client:
        client.user, client.password = "bob@example.org", PASSWORD
        assert client.auth("LOGIN", client.auth_login)[0] == 235
        assert client.docmd("MAIL FROM:<bob@example.org>")[0] == 250
    with dovecot.submit() as client:
        # right, but nobody whom we know
        assert try_plain(client, "stranger@example.net", PASSWORD)[0] == 535
    # it goes, and comes back
    dovecot.stop_dovecot()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(dovecot.folder + "/auth.sock")
    with dovecot.submit() as client:
        assert try_plain(client, "alice", PASSWORD)[0] == 454
    dovecot.run_dovecot()

    def is_back():
        with dovecot.submit() as client:
            return try_plain(client, "alice", PASSWORD)[0] == 235
    wait_until(is_back, 30, "Dovecot again", every=0.5)
    with dovecot.submit() as client:
        assert try_plain(client, "bob", "guess")[0] == 535
    at_once(dovecot, ["bob%d" % n for n in range(4)],
            lambda client, name: try_plain(client, name, "guess"))
    with dovecot.submit() as client:
        assert try_plain(client, "bob", "guess")[0] == 454


def test_dovecot_whose_database_is_down(dovecot):
    """That is no word about the password: 454, and no guess."""
    path = dovecot.folder + "/dovecot.passwd"
    with open(path, "r+", encoding="utf-8") as f:
        passwords = f.read()
        os.chmod(path, 0)
        f.write("\n")       # it has changed, and cannot be read
    # failures_per_client is 5
    assert at_once(dovecot, ["alice"] * 7, lambda client, name: try_plain(
        client, name, PASSWORD)[0]) == [454] * 7
    dovecot.write("dovecot.passwd", passwords)

    def looks():
        with dovecot.submit() as client:
            code = try_plain(client, "alice", "wrong")[0]
        assert code in (454, 535), code
        return code == 535
    # within one second Dovecot does not look at the file again
    wait_until(looks, 10, "the passwords", every=1.1)
    with dovecot.submit() as client:
        assert try_plain(client, "alice", PASSWORD)[0] == 235


@pytest.mark.parametrize("words", [
    b"", b"\n\n\n", b"DONE\n", b"VERSION\t2\t0\n", b"x" * 100000,
    b"VERSION\t1\t2\nMECH\tPLAIN\nDONE\nOK\t7\tuser=alice\n",
    b"VERSION\t1\t2\nMECH\tCRAM-MD5\nDONE\n", b"OK\t99999999999\n"])
def test_dovecot_that_breaks_its_rules(words):
    """Nobody gets in, and auth lives on."""
    server = Submission("alice\n", more='auth {{ dovecot = '
                        '"unix:{folder}/auth.sock" }}\n')
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(server.folder + "/auth.sock")
        os.chmod(server.folder + "/auth.sock", 0o666)
        listener.listen()
        listener.settimeout(30)

        def talk():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with contextlib.suppress(OSError):
                        peer.sendall(words)
                    peer.close()
        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        with server, server.submit() as client:
            for _ in range(3):
                assert try_plain(client, "alice", PASSWORD)[0] == 454
            server.wait_event("alarm")
        assert not server.problems()
