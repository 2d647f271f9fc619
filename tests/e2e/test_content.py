# SPDX-License-Identifier: ISC
"""Attachments and the limits of header and MIME, and what the greylist
keeps: real messages, made as mail programs make them."""
import email.message
import email.policy
import email.utils
import os
import signal
import time

import pytest

from client import new_message
from postern import wait_until

CHECKS = "content = refuse  attachments = %s\n"


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(
        limits="header_size = 16K  mime_depth = 5\nmime_parts = 20\n"
        "header_fields = 100",
        checks=CHECKS % "refuse")


def with_attachment(name, content=b"hello", maintype="application",
                    subtype="octet-stream"):
    """As Python's own mail package writes it."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = "a@elsewhere.example"
    message["To"] = "alice@example.org"
    message["Subject"] = "see there"
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = email.utils.make_msgid()
    message.set_content("see there\n")
    message.add_attachment(content, maintype=maintype, subtype=subtype,
                           filename=name)
    return message.as_string().replace("\r\n", "\n")


def refused(server, message, *words):
    """Sent and refused; the reply, after a look at trail and mailbox."""
    before = len(server.mail("alice"))
    reply = server.deliver("alice@example.org", message)
    for word in words:
        assert word in repr(reply), reply
    assert len(server.mail("alice")) == before
    return reply


@pytest.mark.parametrize("name", [
    "setup.exe", "INVOICE.PDF.SCR", "Überweisung.vbs",
    "a" * 150 + ".js", "two words.cmd"])
def test_attachments_by_name(server, name):
    reply = refused(server, with_attachment(name), "part 2")
    assert reply.says("554 5.7.1"), reply
    shown = name.encode("ascii", "replace").decode()[-10:]
    assert shown in reply.text, reply
    why = server.ctl("why", reply.id)
    assert "attachments" in why and "part 2" in why


def test_attachments_by_type_and_content(server):
    reply = refused(server, with_attachment("x.bin", subtype="hta"))
    assert reply.says("554 5.7.1"), reply
    program = bytearray(200)
    program[:2] = b"MZ"
    program[60] = 128
    program[128:132] = b"PE\0\0"
    reply = refused(server, with_attachment(
        "photo.jpg", bytes(program), "image", "jpeg"))
    assert reply.says("554 5.7.1") and "x-dosexec" in reply.text, reply


def test_attachments_in_a_forwarded_message(server):
    inner = email.message_from_string(with_attachment("evil.bat"),
                                      policy=email.policy.SMTP)
    outer = email.message.EmailMessage(policy=email.policy.SMTP)
    outer["From"] = "a@elsewhere.example"
    outer["Date"] = email.utils.localtime()
    outer.set_content("fwd")
    outer.add_attachment(inner)
    reply = refused(server, outer.as_string().replace("\r\n", "\n"),
                    "part 2.2")
    assert reply.says("554 5.7.1"), reply


def test_harmless_attachments_arrive_whole(server):
    content = os.urandom(3000)
    assert server.deliver("alice@example.org", with_attachment(
        "report.pdf", content, "application", "pdf")).code == 250
    mail = server.mail("alice")[-1]
    message = email.message_from_bytes(mail.raw)
    assert message.get_payload()[1].get_payload(decode=True) == content


def test_attachments_can_be_marked_only(make_server):
    server = make_server(checks=CHECKS % "mark")
    assert server.deliver("alice@example.org",
                          with_attachment("setup.exe")).code == 250
    assert len(server.mail("alice")) == 1


def test_ones_own_list(make_server):
    server = make_server(checks=CHECKS % "refuse" +
                         'attachment_names = {{ "*.pdf", "secret*" }}')
    assert server.deliver("alice@example.org",
                          with_attachment("setup.exe")).code == 250
    assert server.deliver("alice@example.org",
                          with_attachment("Secret plan.txt")).code == 554


# ---- limits ----

def nested(depth):
    """Messages in messages."""
    return "".join("Content-Type: message/rfc822\n\n"
                   for _ in range(depth)) + "Subject: x\n\nx\n"


def many_parts(n):
    """One multipart with so many parts."""
    return ("From: a@elsewhere.example\n"
            "Content-Type: multipart/mixed; boundary=b\n\n" +
            "--b\n\nx\n" * n + "--b--\n")


@pytest.mark.parametrize("message, code", [
    (new_message(fields="X-Long: %s\n" % ("x" * 500) * 40), "552 5.3.4"),
    (new_message(fields="X-A: b\n" * 101), "554 5.6.0"),
    (nested(6), "554 5.6.0"),
    (many_parts(20), "554 5.6.0")])
def test_content_over_its_limits(server, message, code):
    reply = refused(server, message)
    assert reply.says(code), reply
    assert "content" in server.ctl("why", reply.id)


@pytest.mark.parametrize("message", [
    new_message(fields="X-Long: %s\n" % ("x" * 500) * 20),
    new_message(fields="X-A: b\n" * 80), nested(5), many_parts(19)])
def test_content_within_its_limits(server, message):
    assert server.deliver("alice@example.org", message).code == 250


def test_content_that_costs(server):
    """Deep, wide and without end: answered soon, by limits alone."""
    deep = "".join("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
                   % (i, i) for i in range(20000))
    for message in (deep, many_parts(100000),
                    "Content-Type: multipart/mixed; boundary=b\n\n" +
                    "--b" * 300 + "\n" + "--c\n" * 200000):
        began = time.monotonic()
        reply = server.deliver("alice@example.org", message)
        assert reply.code in (250, 554), reply
        assert time.monotonic() - began < 10


# ---- what the greylist keeps ----

def counts(server):
    """What store counts, from posternctl status."""
    return {words[0]: int(words[1]) for words in
            (line.split() for line in server.ctl("status").splitlines())
            if len(words) == 2 and words[1].isdigit()}


def test_the_greylist_outlives_store(make_server):
    server = make_server(checks="greylist = refuse  greylist_delay = 1s")
    assert server.rcpt("alice@example.org").says("451 4.7.1")
    assert server.rcpt("bob@example.org").says("451 4.7.1")
    assert counts(server)["greylist"] == 2
    time.sleep(1.1)
    server.may_crash = True
    store = server.children("store")[0]
    os.kill(store, signal.SIGKILL)
    wait_until(lambda: server.children("store") not in ([], [store]),
               what="another store")
    wait_until(lambda: server.rcpt("alice@example.org").code == 250,
               what="a store that remembers")
    server.restart()
    assert server.rcpt("bob@example.org").code == 250
    assert server.rcpt("carol@example.org").says("451 4.7.1")
    assert counts(server)["greylist"] == 3
