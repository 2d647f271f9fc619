# SPDX-License-Identifier: ISC
"""STARTTLS and TLS from the first octet: real clients, hostile ones,
certificates that are renewed, and a vault that is slow or dies."""
import contextlib
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import time

import pytest

from certificates import (context, fingerprint, make_certificate, section,
                          shown, starttls)
from client import Client, Closed, new_message, wire
from postern import IS_ROOT, make_folder, wait_until

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


FILES = (("mx.example.org", "ec", "ec"), ("mx.example.org", "rsa", "rsa"),
         ("other.example.net", "other", "ec"),
         ("*.wild.example", "wild", "ec"))


@pytest.fixture(scope="module")
def folder():
    """Certificates of three names, one with two types of keys."""
    path = make_folder()
    for name, stem, kind in FILES:
        make_certificate(path, stem, name=name, kind=kind)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def own_folder():
    """An empty one for one test."""
    path = make_folder()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def server(make_module_server, folder):
    return make_module_server(
        settings='listen "127.0.0.2:{port}" {{ role = mx  tls = implicit }}\n'
        'listen "127.0.0.3:{port}" {{ role = mx  tls = required }}\n'
        'listen "127.0.0.4:{port}" {{ role = mx  tls = off }}\n',
        more="".join(section(name, "%s/%s.pem" % (folder, stem),
                             "%s/%s.key" % (folder, stem))
                     for name, stem, _ in FILES))


@pytest.fixture
def client(server):
    with server.connect() as c:
        c.ehlo()
        yield c


def vault(server):
    """The pid of vault."""
    return server.children("vault")[0]


def run(words, text="", timeout=30):
    """A program's output, with text on its standard input."""
    result = subprocess.run(words, input=text, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True,
                            timeout=timeout, check=False)
    return result.stdout


def s_client(server, *options, text="QUIT\r\n", wait=0.5):
    """What openssl s_client says; text is typed after the handshake."""
    with subprocess.Popen(
            ["openssl", "s_client", "-starttls", "smtp", "-connect",
             "127.0.0.1:%d" % server.port, *options] +
            (["-ign_eof"] if text == "QUIT\r\n" else []),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True) as process:
        time.sleep(wait)
        try:
            return process.communicate(text, timeout=20)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0] + "\nTIMEOUT"


# ---- real clients ----

def test_ehlo_offers_it_once(client):
    words = client.ehlo()
    assert words["STARTTLS"] == ""
    starttls(client)
    assert "STARTTLS" not in client.ehlo()


@pytest.mark.parametrize("version, ciphers", [
    (V13, None), (V12, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (V12, "ECDHE-RSA-AES128-GCM-SHA256"), (V12, "ECDHE-RSA-AES128-SHA"),
    (V12, "ECDHE-ECDSA-CHACHA20-POLY1305")])
def test_versions_and_keys(server, folder, version, ciphers):
    with server.connect() as c:
        c.ehlo()
        starttls(c, version=version, ciphers=ciphers)
        want = "rsa" if ciphers and "RSA-A" in ciphers and \
            "ECDSA" not in ciphers else "ec"
        assert shown(c) == fingerprint("%s/%s.pem" % (folder, want))
        c.ehlo()
        message = new_message()
        assert c.deliver("alice@example.org", message).code == 250
        c.quit()
    mail = server.mail("alice")[-1]
    assert mail.body == b"Hello.\n"
    received = re.sub(r"\s+", " ", mail.get("Received"))
    name, _, protocol = c_cipher(version, ciphers)
    assert "with ESMTPS (%s %s) id " % (protocol, name) in received, received


def c_cipher(version, ciphers):
    """Name, -, version as the server must say them."""
    if version == V13:
        return "TLS_AES_256_GCM_SHA384", None, "TLSv1.3"
    return ciphers, None, "TLSv1.2"


@pytest.mark.parametrize("options, want", [
    (["-tls1_3"], ["TLSv1.3", "signature type: ECDSA"]),
    (["-tls1_2"], ["TLSv1.2", "signature type: ECDSA"]),
    (["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], ["type: RSA-PSS"]),
    (["-tls1_3", "-sigalgs", "RSA-PSS+SHA512"], ["digest: SHA512"]),
    (["-tls1_2", "-sigalgs", "RSA+SHA256"], ["signature type: RSA\n"]),
    (["-tls1_2", "-sigalgs", "RSA+SHA512"], ["digest: SHA512"]),
    (["-tls1_3", "-curves", "P-384"], ["secp384r1"]),
    (["-tls1_2", "-curves", "P-256"], ["prime256v1"]),
    (["-tls1_3"], ["X25519"])])
def test_openssl(server, options, want):
    said = s_client(server, *options)
    assert "221 2.0.0" in said, said
    for text in want:
        assert text in said, said
    assert "No ALPN negotiated" in said
    assert "Compression: NONE" in said


@pytest.mark.parametrize("options, alert", [
    (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "protocol version"),
    (["-tls1_2", "-cipher", "AES128-SHA"], "handshake failure"),
    (["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "handshake")])
def test_what_is_too_old_is_refused_and_logged(server, options, alert):
    before = len(server.events("tls_failed"))
    said = s_client(server, *options)
    assert "alert" in said and alert in said, said
    wait_until(lambda: len(server.events("tls_failed")) > before,
               what="tls_failed")
    why = server.events("tls_failed")[-1]["why"]
    assert "protocol" in why or "no shared cipher" in why, why


def test_no_tickets_and_no_compression(server):
    said = s_client(server, "-tls1_2")
    assert "TLS session ticket:" not in said
    said = s_client(server, "-tls1_3")
    assert "Post-Handshake New Session Ticket" not in said


def test_renegotiation_is_refused(server):
    said = s_client(server, "-tls1_2", text="R\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said, said
    assert said.count("BEGIN CERTIFICATE") == 1


def test_swaks(server):
    before = len(server.mail("alice"))
    said = run(["swaks", "--server", "127.0.0.1:%d" % server.port, "--tls",
                "--to", "alice@example.org", "--from", "x@y.example"])
    assert "TLS started with cipher TLSv1.3" in said, said
    assert "250 2.0.0 delivered" in said
    assert len(server.mail("alice")) == before + 1


def test_curl(server, tmp_path):
    before = len(server.mail("bob"))
    path = tmp_path / "message"
    path.write_bytes(new_message().replace("\n", "\r\n").encode())
    said = run(["curl", "-sS", "-k", "--ssl-reqd", "--url",
                "smtp://127.0.0.1:%d" % server.port, "--mail-from",
                "x@y.example", "--mail-rcpt", "bob@example.org",
                "--upload-file", str(path)])
    assert said == ""
    assert len(server.mail("bob")) == before + 1


def test_smtplib(server):
    with smtplib.SMTP("127.0.0.1", server.port) as c:
        c.starttls(context=context())
        c.sendmail("x@y.example", ["carol@example.org"], new_message())
    assert len(server.mail("carol")) == 1


def test_smtplib_from_the_first_octet(server):
    with smtplib.SMTP_SSL("127.0.0.2", server.port,
                          context=context()) as c:
        c.ehlo()
        assert not c.has_extn("starttls")
        c.sendmail("x@y.example", ["carol@example.org"], new_message())


# ---- modes ----

def test_required(server):
    with Client(("127.0.0.3", server.port)) as c:
        assert "STARTTLS" in c.ehlo()
        c.expect("NOOP", "250")
        c.expect("MAIL FROM:<a@b.example>", "530 5.7.0")
        starttls(c)
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")


def test_off(server):
    with Client(("127.0.0.4", server.port)) as c:
        assert "STARTTLS" not in c.ehlo()
        c.expect("STARTTLS", "502 5.5.1")
        c.expect("MAIL FROM:<a@b.example>", "250")


def test_without_certificate(make_server):
    plain = make_server()
    with plain.connect() as c:
        assert "STARTTLS" not in c.ehlo()
        c.expect("STARTTLS", "502 5.5.1")


def test_implicit_says_nothing_in_the_clear(server):
    with Client(("127.0.0.2", server.port), greet=False) as c:
        c.send("EHLO x\r\n")
        with pytest.raises((Closed, AssertionError)):
            while True:
                line = c.read_line()
                assert not line[:1].isdigit(), line
                raise AssertionError("an alert")
    wait_until(lambda: "wrong version number" in str(
        server.events("tls_failed")) or "http request" in str(
            server.events("tls_failed")), what="tls_failed")


def test_turned_away_before_tls(make_server, folder):
    """Too many sessions: where TLS comes first nothing is said without."""
    s = make_server(limits="sessions_per_client = 1",
                    settings='listen "127.0.0.2:{port}" '
                    '{{ role = mx  tls = implicit }}\n',
                    more=section("mx.example.org", folder + "/ec.pem",
                                 folder + "/ec.key"))
    with s.connect() as first:
        first.ehlo()
        assert b"421" in s.connect(greet=False).read_line()
        with Client(("127.0.0.2", s.port), greet=False) as second:
            assert second.sock.recv(100) == b""
        assert len(wait_until(lambda: len(s.events("refused")) == 2 and
                              s.events("refused"))) == 2
        assert "vault" in s.ctl("status")


def test_early_talk_inside_tls(server):
    """Who speaks before the greeting is as early in TLS."""
    sock = socket.create_connection(("127.0.0.2", server.port), timeout=10)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(V13).wrap_bio(incoming, outgoing)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))
    tls.write(b"EHLO early.example\r\n")
    sock.sendall(outgoing.read())       # the Finished, and EHLO behind it
    said = b""
    while b"\r\n" not in said:
        try:
            said += tls.read(1000)
        except ssl.SSLWantReadError:
            incoming.write(sock.recv(65536))
    sock.close()
    assert said.startswith(b"554 5.5.1 "), said


# ---- the command ----

def test_arguments_and_order(server, client):
    client.expect("STARTTLS now", "501 5.5.4")
    with server.connect() as c:
        c.expect("STARTTLS", "503 5.5.1")       # before EHLO
    starttls(client)
    client.expect("STARTTLS", "503 5.5.1")
    client.expect("MAIL FROM:<a@b.example>", "503")     # EHLO is forgotten
    client.ehlo()
    client.expect("STARTTLS", "503 5.5.1")


def test_transaction_ends(client):
    client.envelope("alice@example.org")
    starttls(client)
    client.expect("RCPT TO:<bob@example.org>", "503")
    client.ehlo()
    client.expect("DATA", "503")
    client.expect("RCPT TO:<bob@example.org>", "503")
    client.envelope("alice@example.org")


def test_helo_style_is_forgotten(server):
    with server.connect() as c:
        c.expect("HELO x", "250")
        assert c.command("RSET").enhanced is None
        starttls(c)
        c.ehlo()
        assert c.command("RSET").enhanced == "2.0.0"


INJECTED = b"STARTTLS\r\nRSET\r\nMAIL FROM:<evil@x.example>\r\n" \
    b"RCPT TO:<bob@example.org>\r\n"


@pytest.mark.parametrize("size", range(10, len(INJECTED)))
def test_injection(server, size):
    """Octets behind STARTTLS, in one packet: refused, none executed."""
    with server.connect() as c:
        c.ehlo()
        c.send(INJECTED[:size + 1])
        reply = c.reply()
        assert reply.says("554 5.5.1"), reply
        assert c.is_closed()
    session = server.wait_event("refused", id=reply.id)["session"]
    closed = server.wait_event("session_closed", session=session)
    assert closed["tls"] == "" and not server.events("tls", session=session)


def test_injection_while_the_server_looks_away(server):
    """In another packet, but before STARTTLS is read."""
    with server.connect() as c:
        c.ehlo()
        pids = server.children("smtpd")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            c.send("STARTTLS\r\n")
            time.sleep(0.05)
            c.send("RSET\r\n")
            time.sleep(0.05)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        assert c.reply().says("554 5.5.1")
        assert c.is_closed()


def test_plain_text_behind_the_220(server):
    """It is the handshake's, and breaks it."""
    before = len(server.events("tls_failed"))
    with server.connect() as c:
        c.ehlo()
        c.expect("STARTTLS", "220")
        c.send("MAIL FROM:<evil@x.example>\r\nRCPT TO:<bob@example.org>\r\n")
        rest = b""
        with contextlib.suppress(OSError):
            while True:
                more = c.sock.recv(1000)
                if not more:
                    break
                rest += more
        assert b"250" not in rest and b"503" not in rest
    wait_until(lambda: len(server.events("tls_failed")) > before,
               what="tls_failed")


# ---- names ----

@pytest.mark.parametrize("name, stem", [
    ("mx.example.org", "ec"), ("other.example.net", "other"),
    ("OTHER.example.NET", "other"), ("a.wild.example", "wild"),
    ("a.b.wild.example", "ec"), ("wild.example", "ec"),
    ("unknown.example", "ec"), (None, "ec")])
def test_names(server, folder, client, name, stem):
    starttls(client, name=name)
    assert shown(client) == fingerprint("%s/%s.pem" % (folder, stem))
    session = client.command("NOOP \0").id[:9]
    event = server.wait_event("tls", session=session)
    assert event["name"] == (name or "").lower(), event


def test_more_kinds_of_keys(make_server, folder):
    s = make_server(more=make_certificate(folder, "k384", kind="ec384") +
                    make_certificate(folder, "ked", kind="ed25519"))
    assert "signature type: ed25519" in s_client(
        s, "-tls1_3", "-sigalgs", "ed25519").lower()
    assert "digest: SHA384" in s_client(s, "-tls1_3", "-sigalgs",
                                        "ECDSA+SHA384")
    assert "221" in s_client(s, "-tls1_2", "-sigalgs", "ECDSA+SHA256")


def test_chain(make_server, own_folder):
    """What stands behind the certificate is sent, and is enough for one who
    knows the root alone."""
    folder = own_folder
    make_chain(folder)
    s = make_server(more=section("mx.example.org", folder + "/chain.pem",
                                 folder + "/leaf.key"))
    for version in ("-tls1_2", "-tls1_3"):
        said = s_client(s, version, "-CAfile", folder + "/root.pem")
        assert "Verify return code: 0 (ok)" in said, said


def make_chain(folder):
    """root.pem, and chain.pem with a leaf and what is between them."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, cwd=folder,
                       capture_output=True)
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes"]
    openssl(*new, "-x509", "-keyout", "root.key", "-out", "root.pem",
            "-subj", "/CN=root")
    for name, issuer, text in (
            ("middle", "root", "basicConstraints=critical,CA:TRUE"),
            ("leaf", "middle", "subjectAltName=DNS:mx.example.org")):
        with open(folder + "/extension", "w", encoding="ascii") as f:
            f.write(text + "\n")
        openssl(*new, "-keyout", name + ".key", "-out", name + ".csr",
                "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", issuer + ".pem",
                "-CAkey", issuer + ".key", "-CAcreateserial", "-out",
                name + ".pem", "-extfile", "extension")
    with open(folder + "/chain.pem", "w", encoding="ascii") as out:
        for name in ("leaf", "middle"):
            with open("%s/%s.pem" % (folder, name), encoding="ascii") as f:
                out.write(f.read())


# ---- octets ----

def test_odd_records(server, client):
    """A message in records of 1, 2, 3 ... octets, with empty pauses."""
    starttls(client)
    client.ehlo()
    client.envelope("alice@example.org")
    client.expect("DATA", "354")
    body = b"".join(b"line %d with some text\r\n" % i for i in range(300))
    data = wire(new_message().replace("\n", "\r\n").encode() + body)
    at, size = 0, 1
    while at < len(data):
        client.send(data[at:at + size])
        at, size = at + size, size % 97 + 1
    assert client.reply().code == 250
    assert server.mail("alice")[-1].body.endswith(
        body.replace(b"\r\n", b"\n"))


def test_records_cut_by_packets(server):
    """Each octet of a whole encrypted session in a packet of its own."""
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    file = sock.makefile("rb", buffering=0)
    file.readline()
    sock.sendall(b"EHLO x\r\n")
    while sock.recv(4096)[-10:-4] != b"250 HE"[:6]:
        break
    sock.sendall(b"STARTTLS\r\n")
    assert sock.recv(1000).startswith(b"220")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing)

    def drip():
        for octet in outgoing.read():
            sock.sendall(bytes([octet]))
            time.sleep(0.0002)

    def until(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                drip()
                incoming.write(sock.recv(65536))
    until(tls.do_handshake)
    for line, want in ((b"EHLO x", b"250"), (b"NOOP", b"250"),
                       (b"QUIT", b"221")):
        tls.write(line + b"\r\n")
        drip()
        assert until(lambda: tls.read(5000)).startswith(want)
    sock.close()


def test_large_message(server, client):
    starttls(client)
    client.ehlo()
    message = new_message(size=20 << 20)
    assert client.deliver("alice@example.org", message).code == 250
    mail = server.mail("alice")[-1]
    assert mail.body == message.partition("\n\n")[2].encode()
    os.unlink(mail.path)


def test_pipelined_inside(client):
    starttls(client)
    client.send("EHLO x\r\nMAIL FROM:<a@b.example>\r\n"
                "RCPT TO:<alice@example.org>\r\nRSET\r\nNOOP\r\n")
    assert [r.code for r in client.replies(5)] == [250] * 5


def test_quit_behind_the_dot(server, client):
    """QUIT and the goodbye of TLS are there before the message is checked:
    the client is not gone."""
    starttls(client)
    client.ehlo()
    client.envelope("alice@example.org")
    client.expect("DATA", "354")
    before = len(server.mail("alice"))
    client.send(wire(new_message()) + b"QUIT\r\n")
    assert [r.code for r in client.replies(2)] == [250, 221]
    assert len(server.mail("alice")) == before + 1
    assert client.sock.recv(1) == b""


def test_quit_behind_the_dot_confirms(server):
    """Who has read all of it and then closed has the 250: the same message
    again is another one. Who has not is not sent a second copy."""
    for reads, want in ((True, 2), (False, 1)):
        before = len(server.mail("carol"))
        message = new_message()
        for _ in range(2):
            with server.connect() as c:
                c.ehlo()
                starttls(c)
                c.ehlo()
                c.envelope("carol@example.org")
                c.expect("DATA", "354")
                c.send(wire(message) + (b"QUIT\r\n" if reads else b""))
                c.sock.settimeout(10)
                reply = c.reply()
                assert reply.code == 250
                if reads:
                    assert c.reply().code == 221
                    assert c.sock.recv(1) == b""
            server.wait_event("session_closed", session=reply.id)
            server.wait_confirmed()
        assert len(server.mail("carol")) - before == want


# ---- clients that vanish ----

@pytest.mark.parametrize("how", ["close", "reset", "half a hello"])
def test_gone_in_the_handshake(server, how):
    before = len(server.events("session_closed"))
    with server.connect() as c:
        c.ehlo()
        c.expect("STARTTLS", "220")
        if how == "half a hello":
            c.send(b"\x16\x03\x01\x02\x00\x01\x00\x01")
            time.sleep(0.1)
        if how == "reset":
            c.reset()
    wait_until(lambda: len(server.events("session_closed")) > before,
               what="session_closed")
    assert server.ctl("status")


def test_closed_inside_tls_without_goodbye(server, client):
    before = len(server.events("session_closed"))
    starttls(client)
    client.ehlo()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
    client.sock.close()
    wait_until(lambda: len(server.events("session_closed")) > before,
               what="session_closed")


def test_message_is_not_accepted_from_one_who_said_goodbye(make_server,
                                                           folder):
    """RFC 1047, and TLS: close_notify comes while the checks run.
    Two recipients: a single copy is prepared and committed in one step."""
    s = make_server(faults=True, more=section(
        "mx.example.org", folder + "/ec.pem", folder + "/ec.key"))
    with s.connect() as c:
        c.ehlo()
        starttls(c)
        c.ehlo()
        c.envelope(["alice@example.org", "bob@example.org"])
        c.expect("DATA", "354")
        s.faults.set("maildir.fdatasync", "sleep", value=1500)
        c.send(wire(new_message()))
        time.sleep(0.3)
        c.sock.settimeout(0.2)
        with contextlib.suppress(OSError, ssl.SSLError):
            c.sock.unwrap()
        c.close()
    wait_until(lambda: s.events("session_closed"), what="session_closed")
    for owner in ("alice", "bob"):
        wait_until(lambda: not s.tmp_files(owner), what="an empty tmp/")
        assert not s.mail(owner)


# ---- trail and log ----

def test_facts_are_in_the_log_and_the_trail(server, client):
    starttls(client, name="other.example.net")
    client.ehlo()
    reply = client.command("RCPT TO:<x@y.example>")
    assert reply.says("503")
    server.why(reply, "TLS_AES_256_GCM_SHA384", "TLSv1.3",
               "other.example.net")
    client.quit()
    closed = server.wait_event("session_closed", session=reply.id[:9])
    assert closed["tls"] == "TLSv1.3 TLS_AES_256_GCM_SHA384"


# ---- what is in the files ----

def check_says(server, *wanted, status=1):
    """postern -n ends so, and says each of these."""
    got, said = server.check()
    for text in wanted:
        assert text in said, said
    assert got == status, said
    return said


@pytest.fixture
def unstarted(make_server, own_folder):
    """A server that does not run, and a folder for its certificates."""
    return make_server(start=False), own_folder


def problems(server):
    """What it did not start for."""
    assert server.events("not_started")
    return "\n".join(e["problem"] for e in server.events("config_error"))


def test_missing_files(unstarted):
    s, folder = unstarted
    s.write_config(more=section("mx.example.org", folder + "/no.pem",
                                folder + "/no.key"))
    said = check_says(s, "no.pem\": No such file", "no.key\": No such file")
    assert re.search(r"postern\.conf:\d+: certificate", said), said
    s.launch()
    assert s.process.wait(20) == 1
    assert 'no.key": No such file' in problems(s)


@pytest.mark.parametrize("case", [
    "mismatch", "no key", "no certificate", "passphrase", "wrong name",
    "same type", "directory", "short rsa", "empty", "swapped", "cut chain",
    "damaged chain", "ed448", "secp256k1"])
def test_bad_files(unstarted, case):
    s, folder = unstarted
    more = make_certificate(folder, "a")
    make_certificate(folder, "b")
    pem, key = folder + "/a.pem", folder + "/a.key"
    name, want = "mx.example.org", None
    if case == "mismatch":
        key, want = folder + "/b.key", "is not that of certificate"
    elif case == "no key":
        key, want = pem, "there is no private key in PEM"
    elif case == "no certificate":
        pem, want = key, "there is no certificate in PEM"
    elif case == "swapped":
        pem, key, want = key, pem, "there is no certificate in PEM"
    elif case == "passphrase":
        run(["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:x",
             "-out", folder + "/p.key"])
        key, want = folder + "/p.key", "has a passphrase"
    elif case == "wrong name":
        name, want = "mail.example.org", 'is not for the name "mail.'
    elif case == "same type":
        want = "stands twice with the same type of key"
    elif case == "directory":
        key, want = folder, "not a regular file"
    elif case == "empty":
        open(folder + "/e.key", "wb").close()
        key, want = folder + "/e.key", "empty"
    elif case in ("cut chain", "damaged chain"):
        want = "bad end line" if case == "cut chain" else "bad base64"
        with open(folder + "/b.pem", encoding="ascii") as f:
            other = f.read()
        with open(pem, "a", encoding="ascii") as f:
            f.write(other[:-100] if case == "cut chain" else
                    other.replace("\nMII", "\nM%I"))
    elif case in ("ed448", "secp256k1"):
        make_certificate(folder, "a", kind=case)
        want = "is of a type that cannot be used"
    elif case == "short rsa":
        run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes",
             "-keyout", key, "-out", pem, "-days", "9", "-subj", "/CN=" +
             name, "-addext", "subjectAltName=DNS:" + name])
        want = "too small"
    tls = section(name, pem, key)
    s.write_config(more=more + section(name, folder + "/b.pem",
                                       folder + "/b.key")
                   if case == "same type" else tls)
    check_says(s, want)
    s.launch()
    assert s.process.wait(20) == 1
    assert want in problems(s)


def test_doubtful_files(unstarted):
    s, folder = unstarted
    s.write_config(more=make_certificate(folder, "old", days=-1))
    os.chmod(folder + "/old.key", 0o644)
    check_says(s, "warning: ", "has expired", "can be read or changed by "
               "everybody", status=0)
    s.start()
    with s.connect() as c:
        c.ehlo()
        starttls(c)


@pytest.mark.skipif(not IS_ROOT, reason="needs root: owners")
def test_keys_that_only_root_can_read(make_server, own_folder):
    tls = make_certificate(own_folder, "a")
    os.chmod(own_folder, 0o700)
    s = make_server(more=tls)
    with s.connect() as c:
        c.ehlo()
        starttls(c)


# ---- renewal ----

def test_renewal(make_server, own_folder):
    folder = own_folder
    s = make_server(more=make_certificate(folder, "a"))
    first = fingerprint(folder + "/a.pem")
    with s.connect() as old, s.connect() as plain:
        old.ehlo()
        plain.ehlo()
        starttls(old)
        old.ehlo()
        old.envelope("alice@example.org")
        make_certificate(folder, "a")
        s.reload()
        wait_until(lambda: new_shown(s) != first, what="new certificate")
        assert new_shown(s) == fingerprint(folder + "/a.pem")
        # the session under way goes on, and so does one that begins TLS
        # with a process of before
        assert old.data(new_message()).code == 250
        starttls(plain)
        assert shown(plain) == first
        plain.ehlo()
        plain.quit()
        old.quit()
    wait_until(lambda: s.events("drained"), what="drained")
    assert new_shown(s) == fingerprint(folder + "/a.pem")


def new_shown(s):
    """The certificate that a new session is shown."""
    with s.connect() as c:
        c.ehlo()
        starttls(c)
        return shown(c)


def test_bad_renewal_keeps_the_old(make_server, own_folder):
    folder = own_folder
    s = make_server(more=make_certificate(folder, "a"))
    first = fingerprint(folder + "/a.pem")
    with open(folder + "/a.pem", "w", encoding="ascii") as f:
        f.write("rubbish\n")
    s.reload()
    assert s.events("certificate_kept")[0]["name"] == "mx.example.org"
    assert "there is no certificate" in s.events("certificate")[0]["problem"]
    wait_until(lambda: s.events("drained"), what="drained")
    assert new_shown(s) == first
    os.unlink(folder + "/a.key")
    s.reload()
    wait_until(lambda: len(s.events("drained")) == 2, what="drained")
    assert new_shown(s) == first
    # and vault can still be started again with it
    os.kill(vault(s), signal.SIGKILL)
    s.may_crash = True
    wait_until(lambda: can_handshake(s), what="handshake")


def test_bad_new_certificate_stops_the_reload(make_server, own_folder):
    folder = own_folder
    good = make_certificate(folder, "a")
    s = make_server(more=good)
    s.write_config(more=good + section("b.example.org", folder + "/b.pem",
                                       folder + "/b.key"))
    s.process.send_signal(signal.SIGHUP)
    wait_until(lambda: s.events("reload_failed"), what="reload_failed")
    assert new_shown(s) == fingerprint(folder + "/a.pem")


def test_certificates_come_and_go(make_server, own_folder):
    folder = own_folder
    s = make_server()
    s.write_config(more=make_certificate(folder, "a"))
    s.reload()
    wait_until(lambda: s.events("drained"), what="drained")
    assert new_shown(s) == fingerprint(folder + "/a.pem")
    s.write_config(more="")
    s.reload()
    wait_until(lambda: len(s.events("drained")) == 2, what="drained")
    with s.connect() as c:
        assert "STARTTLS" not in c.ehlo()


# ---- vault ----

def can_handshake(s):
    """Whether one works now."""
    try:
        return bool(new_shown(s))
    except (OSError, ssl.SSLError, AssertionError, Closed):
        return False


@pytest.fixture
def slow(make_server, folder):
    """A server of one smtpd whose vault can be told to fail."""
    return make_server(faults=True, more=section(
        "mx.example.org", folder + "/ec.pem", folder + "/ec.key") +
        "processes {{ smtpd = 1 }}\n")


def begin(s):
    """A client whose hello is sent, and who waits for the answer."""
    c = s.connect()
    c.ehlo()
    c.expect("STARTTLS", "220")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    c.send(outgoing.read())
    c.tls, c.incoming = tls, incoming
    return c


def fails(c):
    """The server ends that handshake with an alert, and the connection."""
    while True:
        more = c.sock.recv(65536)
        if not more:
            return False
        c.incoming.write(more)
        try:
            c.tls.do_handshake()
            return False
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return "alert" in str(error).lower() and c.is_closed()


def test_slow_vault_stops_nobody_else(slow):
    hit = slow.faults.set("vault.sign", "sleep", value=3000)
    with begin(slow) as waiting:
        wait_until(lambda: slow.faults.hits(hit), what="the delay")
        start = time.monotonic()
        for _ in range(5):
            assert slow.deliver("alice@example.org",
                                new_message()).code == 250
        assert time.monotonic() - start < 2.5
        waiting.sock.settimeout(0.1)
        with pytest.raises(socket.timeout):
            waiting.sock.recv(1)
        waiting.sock.settimeout(10)
        assert waiting.sock.recv(1) == b"\x16"      # the server's hello
    wait_until(lambda: can_handshake(slow), what="handshake")


def test_vault_refuses(slow):
    slow.faults.set("vault.sign", "errno", value=5)
    with begin(slow) as c:
        assert fails(c)
    assert "no signature" in slow.wait_event("tls_failed")["why"]
    assert can_handshake(slow)


def test_vault_killed_in_handshakes(slow):
    hit = slow.faults.set("vault.sign", "sleep", value=20000)
    clients = [begin(slow) for _ in range(5)]
    wait_until(lambda: slow.faults.hits(hit), what="the delay")
    with slow.connect() as plain:
        plain.ehlo()
        os.kill(vault(slow), signal.SIGKILL)
        for c in clients:
            assert fails(c)
            c.close()
        wait_until(lambda: can_handshake(slow), what="handshake")
        assert plain.deliver("alice@example.org", new_message()).code == 250
    wait_until(lambda: len(slow.events("tls_failed")) >= 5,
               what="five failures")


def refused_for_now(server):
    """STARTTLS is answered 454, and the session goes on in the clear."""
    with server.connect() as c:
        c.ehlo()
        reply = c.command("STARTTLS")
        if not reply.says("454 4.7.0"):
            return False
        c.expect("RSET", "250")
        assert c.deliver("alice@example.org", new_message()).code == 250
        return True


def test_vault_is_away(slow):
    """No 220 where a handshake is known to fail (RFC 3207 4)."""
    slow.process.send_signal(signal.SIGSTOP)    # nobody starts it again
    try:
        os.kill(vault(slow), signal.SIGKILL)
        wait_until(lambda: slow.events("peer_gone", peer="vault"),
                   what="the news")
        assert refused_for_now(slow)
    finally:
        slow.process.send_signal(signal.SIGCONT)
    wait_until(lambda: can_handshake(slow), what="handshake")


def test_vault_stands_still(slow):
    """One handshake finds out; a late word is enough to be back."""
    pid = vault(slow)
    os.kill(pid, signal.SIGSTOP)
    with begin(slow) as c:
        c.sock.settimeout(40)
        assert fails(c)
        # the first one now is a trial
        with begin(slow) as trial:
            assert fails(trial)
        began = time.monotonic()
        assert refused_for_now(slow)
        assert time.monotonic() - began < 3
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: can_handshake(slow), what="handshake")


def test_client_leaves_while_vault_signs(slow):
    """The job that waits is ended, and its late answer finds nobody."""
    hit = slow.faults.set("vault.sign", "sleep", value=1500)
    clients = [begin(slow) for _ in range(4)]
    wait_until(lambda: slow.faults.hits(hit), what="the delay")
    for c in clients[:2]:
        c.reset()
    for c in clients[2:]:
        c.close()
    wait_until(lambda: can_handshake(slow), what="handshake", timeout=20)
    wait_until(lambda: len(slow.events("session_closed")) >= 5,
               what="five ends")


@pytest.mark.parametrize("liar, channel", [("smtpd", "vault"),
                                           ("vault", "smtpd")])
def test_lies_about_signatures(slow, liar, channel):
    """A malformed question, a malformed answer: the liar is cut off, who
    was lied to lives on, and handshakes work again."""
    liars = slow.children(liar)
    others = {"smtpd", "vault"} - {liar}
    lived = [slow.children(role) for role in others]
    hit = slow.faults.set("garble." + channel, "errno", value=1, role=liar)
    assert not can_handshake(slow)
    assert slow.faults.hits(hit) == 1
    wait_until(lambda: can_handshake(slow), what="handshake")
    assert [slow.children(role) for role in others] == lived
    if liar == "smtpd":     # it asks, and is killed for it
        wait_until(lambda: slow.children(liar) != liars, what="another")
        slow.wait_event("suspected_break_in")
    else:
        wait_until(lambda: slow.events("peer_misbehaved") or
                   slow.events("malformed_answer"), what="word of it")


def test_stop_while_vault_signs(slow):
    hit = slow.faults.set("vault.sign", "sleep", value=2000)
    with begin(slow) as c:
        wait_until(lambda: slow.faults.hits(hit), what="the delay")
        assert slow.stop() == 0
        assert b"421" not in c.sock.recv(1000)
    assert not slow.events("stop_forced")


def test_key_is_nowhere_else(server, folder):
    """Of all compartments, only vault's memory holds the private number."""
    if not IS_ROOT:
        pytest.skip("needs root: memory of others")
    said = run(["openssl", "ec", "-in", folder + "/ec.key", "-noout",
                "-text"])
    octets = re.search(r"priv:\s*([0-9a-f:\s]+?)pub:", said).group(1)
    number = bytes.fromhex(re.sub(r"[:\s]", "", octets))[-32:]
    with server.connect() as c:
        c.ehlo()
        starttls(c)
    found = {server.role_of(pid)
             for pid in [server.process.pid, *server.children()] if holds(pid, number) or holds(pid, number[::-1])}
    assert found == {"vault"}


def holds(pid, octets):
    """Whether a process has these octets in its memory."""
    with open("/proc/%d/maps" % pid, encoding="ascii") as maps, \
            open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not m:
                continue
            start, end = (int(x, 16) for x in m.groups())
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(start)
                if octets in memory.read(end - start):
                    return True
    return False


# ---- how much it holds ----

def resident(pid):
    """Kibibytes of a process's own memory."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return int(re.search(r"Private_Dirty:\s+(\d+)", f.read()).group(1))


def test_idle_sessions(slow, record_property):
    """200 sessions that wait in TLS: at most 40 KiB for each."""
    pid = slow.children("smtpd")[0]
    with contextlib.ExitStack() as stack:
        clients = []
        for i in range(201):
            c = stack.enter_context(slow.connect(
                source="127.0.0.%d" % (10 + i)))
            c.ehlo()
            starttls(c)
            c.ehlo()
            clients.append(c)
            if i == 0:
                before = resident(pid)
        each = (resident(pid) - before) / 200
        record_property("kib_for_each", each)
        print("%.1f KiB for an idle session in TLS" % each)
        assert each < 40
        for c in clients:
            c.expect("NOOP", "250")
