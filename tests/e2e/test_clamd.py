# SPDX-License-Identifier: ISC
"""clamd before the 250: the real one with a signature of its own, and fake
ones that are slow or talk rubbish. Each time the reply, the trail and the
mailbox."""
import base64
import contextlib
import io
import json
import os
import re
import signal
import socket
import threading
import time
import zipfile

import pytest

from client import new_message, wire
from filters import EICAR, Clamd, Fake, Program, read_exactly, read_fildes
from postern import wait_until

CLEAN = "Nothing to see here.\n"


def section(clamd, keys="timeout = 10s", virus="refuse"):
    """A section of postern.conf."""
    return '%sclamd "%s" {{ %s }}\n' % (
        "" if virus is None else "virus = %s\n" % virus, clamd.endpoint,
        keys)


def mime(*parts):
    """A multipart message: (fields, body) each."""
    text = "This is MIME.\n"
    for fields, body in parts:
        text += "--=_b\n%s\n\n%s\n" % (fields, body)
    return new_message(fields="MIME-Version: 1.0\n"
                       "Content-Type: multipart/mixed; boundary=\"=_b\"\n",
                       body=text + "--=_b--\n")


def attachment(data, name="a.bin"):
    """base64, in lines of 76."""
    return ("Content-Type: application/octet-stream; name=\"%s\"\n"
            "Content-Transfer-Encoding: base64\n"
            "Content-Disposition: attachment; filename=\"%s\"" % (name, name),
            base64.encodebytes(data).decode().strip())


def zipped(data, name="eicar.com", times=1):
    """data in a zip, in a zip ..."""
    for _ in range(times):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr(name, data)
        data, name = out.getvalue(), "inner.zip"
    return data


@pytest.fixture(scope="module")
def clamd():
    daemon = Clamd(more="AlertEncrypted yes\nMaxFileSize 1M\n"
                   "MaxScanSize 1M\nAlertExceedsMax yes\n")
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def server(make_module_server, clamd):
    return make_module_server(checks=section(clamd))


def test_clean(server):
    before = len(server.mail("alice"))
    assert server.deliver("alice@example.org",
                          mime(("Content-Type: text/plain", CLEAN))).code \
        == 250
    assert len(server.mail("alice")) == before + 1


@pytest.mark.parametrize("message", [
    new_message(body=EICAR + "\n"),
    mime(("Content-Type: text/plain", CLEAN), attachment(EICAR.encode())),
    mime(attachment(zipped(EICAR.encode()))),
    mime(attachment(zipped(EICAR.encode(), times=3))),
], ids=["plain", "base64", "zip", "nested"])
def test_found(server, message):
    before = server.all_files()
    reply = server.deliver("alice@example.org", message)
    assert reply.code == 554, reply
    assert "5.7.1 virus found: Test.Eicar" in reply.text
    assert server.all_files() == before
    server.why(reply, "virus", "Test.Eicar")


def encrypted_zip():
    """A zip whose one file is encrypted (its flag says so)."""
    data = bytearray(zipped(b"x" * 100, "secret.txt"))
    data[6] |= 1                                 # local header
    data[data.index(b"PK\1\2") + 8] |= 1         # central directory
    return bytes(data)


def test_encrypted(server):
    before = server.all_files()
    reply = server.deliver("alice@example.org",
                           mime(attachment(encrypted_zip(), "a.zip")))
    assert reply.code == 554, reply
    assert "Heuristics.Encrypted" in reply.text
    assert server.all_files() == before


def test_larger_than_it_scans(server):
    """AlertExceedsMax: what it cannot look into is no OK."""
    before = server.all_files()
    big = attachment(zipped(bytes(4 << 20), "big.bin"), "big.zip")
    reply = server.deliver("alice@example.org", mime(big))
    assert reply.code == 554, reply
    assert "Heuristics.Limits.Exceeded" in reply.text
    assert server.all_files() == before


def test_chunks_and_nothing_between(server):
    """The next message of a session is scanned as well."""
    with server.connect() as c:
        c.ehlo()
        for body, code in ((CLEAN, 250), (EICAR + "\n", 554), (CLEAN, 250)):
            assert c.deliver("alice@example.org",
                             new_message(body=body)).code == code


def test_what_milters_made_of_it(make_server, clamd):
    """clamd sees what would be delivered."""
    milter = Program()
    try:
        server = make_server(checks=section(clamd) +
                             'milter "%s" {{ }}\n' % milter.endpoint)
        hidden = new_message(fields="X-Do: body %s\n" % "gone",
                             body=EICAR + "\n")
        assert server.deliver("alice@example.org", hidden).code == 250
        assert EICAR.encode() not in server.mail("alice")[0].raw
        made = new_message(fields="X-Do: join %s %s\n" % (
            EICAR[:30], EICAR[30:]))
        reply = server.deliver("alice@example.org", made)
        assert reply.code == 554, reply
        assert len(server.mail("alice")) == 1
    finally:
        milter.close()


def test_tcp(make_server):
    daemon = Clamd(tcp=True, more="StreamMaxLength 200K\n")
    try:
        server = make_server(checks=section(daemon))
        assert server.deliver("alice@example.org",
                              new_message(body=CLEAN * 5000)).code == 250
        reply = server.deliver("alice@example.org",
                               mime(attachment(EICAR.encode())))
        assert reply.code == 554 and "Test.Eicar" in reply.text
        before = server.all_files()
        reply = server.deliver("alice@example.org",
                               new_message(body=CLEAN * 50000))
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
        assert server.all_files() == before
        daemon.kill()
        reply = server.deliver("alice@example.org", new_message(body=CLEAN))
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
    finally:
        daemon.close()


def test_gone_and_back(make_server):
    daemon = Clamd()
    try:
        server = make_server(checks=section(daemon)).await_trail()
        daemon.kill()
        reply = server.deliver("alice@example.org", new_message(body=CLEAN))
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
        text = server.why(reply)
        assert "virus" in text and "temporary" in text, text
        assert server.all_files() == []
        daemon.start()
        assert server.deliver("alice@example.org",
                              new_message(body=CLEAN)).code == 250
    finally:
        daemon.close()


def test_killed_in_mid_scan(make_server):
    """A signature that takes long to look for; kill -9 while it looks."""
    daemon = Clamd()
    try:
        server = make_server(checks=section(daemon))
        os.kill(daemon.process.pid, signal.SIGSTOP)
        with server.connect() as c:
            c.ehlo()
            c.envelope("alice@example.org")
            c.expect("DATA", "354")
            c.send(wire(new_message(body=CLEAN)))
            assert c.is_silent(1)
            daemon.process.kill()
            reply = c.reply()
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
        assert server.all_files() == []
    finally:
        daemon.close()


def says(answer):
    """A fake that reads the message and answers this."""
    def talk(connection):
        read_fildes(connection)
        connection.sendall(answer)
    return talk


def scans(wait=0, got=None):
    """A fake that does its work: it finds what the self-test sends."""
    def talk(connection):
        message = read_fildes(connection)
        if b"\nSubject: self-test\n" in b"\n" + message:
            connection.sendall(b"fd[10]: Eicar FOUND\0")
            return
        if got is not None:
            got.append(message)
        time.sleep(wait)
        connection.sendall(b"fd[10]: OK\0")
    return talk


def never(connection):
    read_fildes(connection)
    while connection.recv(100):
        pass


RUBBISH = {
    "slow": never,
    "closes": says(b""),
    "half": says(b"fd[10]: Eicar FOU"),
    "half-ok": says(b"fd[10]: OK"),
    "rubbish": says(b"HTTP/1.1 200 OK\r\n\r\n\0"),
    "ok-twice": says(b"fd[10]: OK\0fd[10]: OK\0"),
    "bare-ok": says(b"OK\0"),
    "pong": says(b"PONG\0"),
    "error": says(b"fd[10]: Can't allocate memory ERROR\0"),
    "endless": says(b"x" * 100000),
    "empty": says(b"\0"),
}


@pytest.mark.parametrize("closes", [False, True])
def test_ok_before_it_has_seen_all(make_server, closes):
    """As a balancer in front of nobody: over TCP that is no answer."""
    def talk(connection):
        read_exactly(connection, 100000)
        connection.sendall(b"stream: OK\0")
        if closes:
            # what comes now breaks the connection behind the answer
            connection.shutdown(socket.SHUT_RD)
        else:
            time.sleep(20)
    fake = Fake(talk, tcp=True)
    fake.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    try:
        server = make_server(checks=section(fake, "timeout = 10s"))
        reply = server.deliver("alice@example.org",
                               new_message(body=CLEAN * 500000))
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
        assert server.all_files() == []
        problems = [e["problem"] for e in server.events("clamd_failed")]
        assert "what it said is no answer" in problems or closes
    finally:
        fake.close()


@pytest.mark.parametrize("name", sorted(RUBBISH))
def test_no_answer(make_server, name):
    fake = Fake(RUBBISH[name])
    try:
        server = make_server(checks=section(fake, "timeout = 1s"))
        reply = server.deliver("alice@example.org", new_message(body=CLEAN))
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
        assert server.all_files() == []
        assert server.wait_event("clamd_failed")
    finally:
        fake.close()


def ctime(days):
    """As clamd writes the date of a database that is so old."""
    return time.asctime(time.gmtime(time.time() - days * 86400))


def says_version(version, got=None):
    """As scans(), and VERSION is answered so; None: it is not."""
    def talk(connection):
        message = read_fildes(connection, version)
        if got is not None:
            got.append(message)
        found = b"\nSubject: self-test\n" in b"\n" + message
        connection.sendall(b"fd[10]: Eicar FOUND\0" if found else
                           b"fd[10]: OK\0")
    return talk


def ages(server):
    """What the status says of it: as text, in JSON, for Prometheus."""
    word, = re.findall(r"(?m)^signatures_age_s +(\w+)$",
                       server.ctl("status"))
    return (word, json.loads(server.ctl("status", "json"))["counters"]
            .get("signatures_age_s"),
            [int(n) for n in re.findall(
                r"(?m)^postern_signatures_age_seconds (\d+)$",
                server.ctl("status", "prometheus"))])


def check_text(server):
    """What postern -n says of clamd."""
    status, text = server.check()
    assert status == 0, text
    return [line for line in text.splitlines() if "clamd" in line]


@pytest.mark.parametrize("days, keys, is_old", [
    (21, "", True), (21, "signatures_age = 30d", False),
    (5, "", False), (5, "signatures_age = 4d", True)])
def test_how_old_its_signatures_are(make_server, days, keys, is_old):
    """Too old is an alarm, and mail goes on; the age is in the status."""
    version = "ClamAV 1.4.3/27500/" + ctime(days)
    with contextlib.closing(Fake(says_version(version))) as fake:
        server = make_server(checks=section(fake, keys))
        assert server.deliver("alice@example.org",
                              new_message(body=CLEAN)).code == 250
        word, number, samples = ages(server)
        assert [int(word)] == samples == [number]
        assert days * 86400 <= number < days * 86400 + 60
        alarms = [e for e in server.events("alarm")
                  if "signatures" in e["problem"]]
        warnings = check_text(server)
        if not is_old:
            assert not alarms and not warnings
            return
        assert len(alarms) == len(server.children("smtpd"))
        assert "freshclam" in alarms[0]["problem"]
        assert alarms[0]["age_days"] == str(days)
        assert alarms[0]["clamd"] == fake.endpoint
        assert "warning" in warnings[0] and "freshclam" in warnings[0]
        assert "%d days old" % days in warnings[0] and len(warnings) == 1


NO_DATE = {
    "silent": None, "closes": "", "other": "UNKNOWN COMMAND",
    "no-date": "ClamAV 1.4.3/27500/", "odd": "ClamAV 1/1/" + 24 * "%",
    "long": "ClamAV " + 5000 * "x", "future": "ClamAV 1/1/" + ctime(-400),
}


@pytest.mark.parametrize("name", sorted(NO_DATE))
def test_version_that_tells_nothing(make_server, name):
    """The age is not known, and that is all."""
    with contextlib.closing(Fake(says_version(NO_DATE[name]))) as fake:
        server = make_server(checks=section(fake, "timeout = 1s"))
        assert server.deliver("alice@example.org",
                              new_message(body=CLEAN)).code == 250
        assert server.wait_event("clamd_failed")["clamd"] == fake.endpoint
        assert ages(server) == ("unknown", None, [])
        assert not server.events("alarm")
        warnings = check_text(server)
        assert name == "future" or "does not say how old" in warnings[0]


def test_signatures_of_its_own_have_no_age(server):
    """The real one, with no daily database."""
    assert server.rcpt("alice@example.org").code == 250
    assert ages(server) == ("unknown", None, [])
    assert not server.events("alarm") and not server.events("clamd_failed")
    assert not check_text(server)


@pytest.mark.parametrize("virus", ["refuse", "mark"])
def test_old_signatures_are_as_good_as_none(make_server, virus):
    """Their OK is, from the first session on; what they find is not."""
    with contextlib.closing(Clamd(made=time.time() - 8 * 86400)) as daemon:
        server = make_server(checks=section(
            daemon, "on_old_signatures = tempfail", virus)).await_trail()
        reply = server.deliver("alice@example.org", new_message(body=CLEAN))
        if virus == "mark":
            assert reply.code == 250, reply
        else:
            assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
            assert server.all_files() == []
            assert server.deliver("alice@example.org", new_message(
                body=EICAR + "\n")).code == 554
        server.why(reply, "its signatures are too old")
        assert "as if it were silent" in server.wait_event("alarm")["effect"]


def test_nobody_is_served_before_it_is_known(make_server):
    """The first session waits for it, as for the self-test."""
    def talk(connection):
        if connection.recv(9, socket.MSG_PEEK).startswith(b"zVERSION"):
            time.sleep(1)
        says_version("ClamAV 1/1/" + ctime(30))(connection)
    with contextlib.closing(Fake(talk)) as fake:
        server = make_server(checks=section(
            fake, "on_old_signatures = tempfail"))
        assert server.deliver("alice@example.org",
                              new_message(body=CLEAN)).code == 451


def test_old_signatures_that_do_not_even_find_eicar(make_server):
    """The self-test hears the OK itself."""
    def talk(connection):
        read_fildes(connection, "ClamAV 1/1/" + ctime(30))
        connection.sendall(b"fd[10]: OK\0")
    with contextlib.closing(Fake(talk)) as fake:
        server = make_server(checks=section(
            fake, "on_old_signatures = tempfail"))
        wait_until(lambda: [e for e in server.events("alarm")
                            if "EICAR" in e["problem"]], what="the alarm")


@pytest.mark.parametrize("days", [3, 21])
def test_how_old_the_real_one_is(make_server, days):
    """With a daily database of that age."""
    daemon = Clamd(made=time.time() - days * 86400)
    with contextlib.closing(daemon):
        server = make_server(checks=section(daemon))
        assert server.deliver("alice@example.org",
                              new_message(body=CLEAN)).code == 250
        assert int(ages(server)[0]) // 86400 == days
        assert not server.events("clamd_failed")
        told = [e["age_days"] for e in server.events("alarm")]
        assert set(told) == ({"21"} if days == 21 else set())
        assert [days == 21] == ["21 days old" in line for line in
                                check_text(server) or [""]]


def test_nobody_asks_how_old(make_server):
    version = "ClamAV 1.4.3/27500/" + ctime(100)
    for keys, virus in (("signatures_age = 0s", "refuse"), ("", "off")):
        with contextlib.closing(Fake(says_version(version))) as fake:
            server = make_server(checks=section(fake, keys, virus=virus))
            assert server.deliver("alice@example.org",
                                  new_message(body=CLEAN)).code == 250
            assert ages(server) == ("unknown", None, [])
            assert not server.events("alarm")
            assert "days old" not in "".join(check_text(server))


def test_how_old_over_tcp(make_server):
    def talk(connection):
        if read_exactly(connection, 9) != b"zVERSION\0":
            return          # the self-test's message
        connection.sendall(b"ClamAV 1.4.3/")
        time.sleep(0.2)
        connection.sendall(b"1/%s\0" % ctime(50).encode())
    with contextlib.closing(Fake(talk, tcp=True)) as fake:
        server = make_server(checks=section(fake))
        assert server.wait_event("alarm")["age_days"] == "50"
        assert "50 days old" in check_text(server)[0]


def test_a_scanner_that_finds_nothing(make_server):
    """As one whose signatures are gone: the self-test notices."""
    def talk(connection):
        read_fildes(connection)
        connection.sendall(b"fd[10]: OK\0")
    fake = Fake(talk)
    try:
        server = make_server(checks=section(fake))
        alarm = server.wait_event("alarm")
        assert "EICAR" in alarm["problem"]
        with server.connect() as c:
            c.ehlo()
            c.envelope("alice@example.org")
            c.expect("DATA", "451 4.3.0")
        assert server.all_files() == []
    finally:
        fake.close()


def test_octets_that_it_gets(make_server):
    """The sealed message itself, with LF lines."""
    got = []

    fake = Fake(scans(got=got))
    try:
        server = make_server(checks=section(fake))
        message = new_message(body="one\n.two\nthree\n")
        assert server.deliver("alice@example.org", message).code == 250
        assert got == [message.encode()]
        raw = server.mail("alice")[0].raw
        assert raw.endswith(message.encode())
    finally:
        fake.close()


def test_name_is_cleaned(make_server):
    fake = Fake(says(b"fd[1]: \xc3\xa4\xff FOUND\0"))
    try:
        server = make_server(checks=section(fake))
        reply = server.deliver("alice@example.org", new_message(body=CLEAN))
        assert reply.code == 554 and "virus found: ??" in reply.text, reply
    finally:
        fake.close()


def test_mark_and_off(make_server, clamd):
    virus = new_message(body=EICAR + "\n")
    server = make_server(checks=section(clamd, virus="mark")).await_trail()
    reply = server.deliver("alice@example.org", virus)
    assert reply.code == 250, reply
    server.why(reply, "Test.Eicar")
    fake = Fake(RUBBISH["rubbish"])
    try:
        server = make_server(checks=section(fake, virus="mark"))
        assert server.deliver("alice@example.org", virus).code == 250
        server = make_server(checks=section(fake, virus="off"))
        before = fake.n
        assert server.deliver("alice@example.org", virus).code == 250
        assert fake.n == before
    finally:
        fake.close()


def test_many_at_once(make_server, clamd):
    """Sessions that wait for clamd do not wait for one another."""
    fake = Fake(scans(wait=1))
    try:
        server = make_server(checks=section(fake))
        replies = []

        def deliver():
            replies.append(server.deliver(
                "alice@example.org", new_message(body=CLEAN)).code)
        threads = [threading.Thread(target=deliver) for _ in range(20)]
        start = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert replies == [250] * 20
        assert time.monotonic() - start < 8
    finally:
        fake.close()
