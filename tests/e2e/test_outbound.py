# SPDX-License-Identifier: ISC
"""Our own users' mail through the whole server: from a program on this host
or a mail program with a password, through queue and relay, to a server that
answers as a test wants; and home again, when it does not take it."""
import email
import os
import re
import signal
import threading

import pytest

from client import Client
from postern import wait_until
from relay_lab import Sink
from test_auth import ALICE, PASSWORD, Submission, hash_of, user_lines

REMOTE = "bob@remote.example"
LISTEN = 'listen "unix:{folder}/submit" {{ role = local }}\n'
SOON = "queue {{ retry_first = 1s  retry_longest = 1s }}\n" \
    "resolver {{ servers = {{ \"127.0.0.1@9\" }}  dnssec = off  timeout = 1s }}\n"


class Outbound(Submission):
    """A server with all listeners; its mail leaves for sink."""

    def __init__(self, sink, more="", **options):
        super().__init__(user_lines(alice=hash_of(PASSWORD),
                                    carol=hash_of(PASSWORD)), more=LISTEN +
                         "relay {{ smart_host = \"smtp:[127.0.0.1]:%d\" }}\n"
                         % sink.port + SOON + more, **options)
        self.serial = 0

    def text(self, body="Hello.\n", sender=ALICE, recipient=REMOTE):
        """A message, and its Message-ID."""
        self.serial += 1
        name = "<%d.%d@client.example>" % (self.serial, os.getpid())
        return ("From: %s\nTo: %s\nSubject: test\nMessage-ID: %s\nDate: "
                "Sat, 21 Nov 2026 12:00:00 +0000\n\n%s" % (
                    sender, recipient, name, body)).replace(
                        "\n", "\r\n"), name

    def send(self, recipients, text, sender=ALICE):
        """By a mail program that has given its password."""
        with self.submit() as client:
            client.login("alice@example.org", PASSWORD)
            return client.sendmail(sender, recipients, text)

    def send_asking(self, asked, text, mail=()):
        """{recipient: words of RCPT}; the reply to the dot."""
        with self.submit() as client:
            client.login("alice@example.org", PASSWORD)
            client.mail(ALICE, list(mail))
            for address, words in asked.items():
                code, said = client.rcpt(address, words.split())
                assert code == 250, said
            return client.data(text)[0]

    def send_local(self, recipients, text, sender="root@example.org"):
        """By a program on this host; the reply to the dot."""
        with Client(self.folder + "/submit") as client:
            client.ehlo()
            reply = client.deliver(recipients, text, sender=sender)
            client.quit()
            return reply

    def spooled(self):
        """Files of messages that one walk through the spool meets. A folder
        that cannot be read is an error, and not empty."""
        spool = self.folder + "/state/spool"
        return [os.path.join(spool, folder, name)
                for folder in os.listdir(spool) if folder != "spare"
                for name in os.listdir(os.path.join(spool, folder))]

    def waiting(self):
        """Files of messages in the spool. A walk misses what is renamed
        meanwhile from a folder that comes later to one that it has seen, so
        one walk that meets nothing does not prove that nothing is there."""
        return self.spooled() or self.spooled()

    def wait_sent(self):
        """Until nothing is left to send: in no folder, nor in the list of
        queue, which may be about to write it."""
        wait_until(lambda: not self.waiting() and "queue is empty" in
                   self.ctl("queue", check=False)[1], 30, lambda:
                   "empty queue: %s" % (self.waiting() or self.ctl(
                       "queue", check=False)[1]))


@pytest.fixture(name="start")
def fixture_start():
    """start(replies of the sink, **options) -> (server, sink)."""
    made = []

    def factory(replies=None, **options):
        sink = Sink(replies)
        server = Outbound(sink, **options)
        made.extend((sink, server))
        server.start()
        return server, sink
    yield factory
    problems = []
    for thing in reversed(made):
        if isinstance(thing, Outbound):
            thing.stop()
            problems += thing.problems()
        thing.close()
    assert not problems


def id_of(message):
    return re.search(rb"(?mi)^Message-ID: (\S+)", message.text).group(1)


def count(sink, name):
    """How often the sink has taken this message."""
    return sum(id_of(m) == name.encode() for m in sink.messages)


# ---- it leaves ----

def test_from_a_program_on_this_host(start):
    server, sink = start()
    text, name = server.text(sender="root@example.org")
    assert server.send_local(REMOTE, text).code == 250
    server.wait_sent()
    assert count(sink, name) == 1
    [message] = sink.messages
    assert re.match(r"FROM:<prvs=[0-9][0-9]{3}[0-9a-f]{6}=root@example\.org>",
                    message.sender)
    assert [r.split()[0] for r in message.recipients] == ["TO:<%s>" % REMOTE]
    assert message.text.endswith(b"\r\n\r\nHello.\r\n")


def test_what_became_of_tls(start):
    """By domain and host; and what store keeps is read."""
    server, sink = start()
    server.wait_event("mta_sts_read")
    assert server.ctl("tls").strip() == ""
    text, _ = server.text(sender="root@example.org")
    assert server.send_local(REMOTE, text).code == 250
    server.wait_sent()
    lines = server.ctl("tls").splitlines()
    assert len(lines) == 1 and re.fullmatch(
        r'day=\d{4}-\d\d-\d\d policy=none domain="?smtp:\[127\.0\.0\.1\]:%d"?'
        r" mx=127\.0\.0\.1 successful=0 failed=1 starttls-not-supported=1" %
        sink.port, lines[0]), lines
    assert server.ctl("tls", "yesterday").strip() == ""
    assert server.ctl("tls", "tomorrow", check=False)[0] == 2


def test_with_a_password(start):
    server, sink = start()
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    server.wait_sent()
    assert count(sink, name) == 1


def test_some_here_some_elsewhere(start):
    server, sink = start()
    text, name = server.text()
    assert server.send([REMOTE, "carol@example.org", "x@far.example"],
                       text) == {}
    # what is here was delivered before the 250
    [mail] = server.mail("carol")
    assert mail.get("Message-ID") == name
    server.wait_sent()
    taken = sorted(r.split()[0] for m in sink.messages for r in m.recipients)
    assert taken == ["TO:<%s>" % REMOTE, "TO:<x@far.example>"]


def test_strangers_leave_nothing_here(start):
    server, sink = start()
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<alice@example.org>", "250")
        c.expect("RCPT TO:<%s>" % REMOTE, "550 5.7.1")
        c.command("AUTH PLAIN")
        assert "AUTH" not in c.ehlo()
    assert server.waiting() == [] and sink.sessions == []


def test_nobody_without_a_password(start):
    server, _ = start()
    with server.submit() as client:
        assert client.docmd("MAIL", "FROM:<alice@example.org>")[0] == 530


# ---- it waits ----

def test_refused_for_now(start):
    tries = []

    def rcpt(_, arg):
        tries.append(arg)
        return "450 4.2.1 later" if len(tries) < 3 else "250 2.1.5 ok"
    server, sink = start({"rcpt": rcpt})
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    server.wait_sent()
    assert len(tries) == 3 and count(sink, name) == 1
    assert server.mail("alice") == []


@pytest.mark.parametrize("role", ["queue", "relay"])
def test_one_is_killed(start, role):
    allowed = []
    server, sink = start({"rcpt": lambda *_: "250 2.1.5 ok" if allowed else
                          "450 4.2.1 later"})
    server.may_crash = True
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    wait_until(lambda: sink.sessions, 15, "a first try")
    for pid in server.children(role):
        os.kill(pid, signal.SIGKILL)
    allowed.append(True)
    server.wait_sent()
    assert count(sink, name) == 1


def test_all_are_killed(start):
    server, sink = start({"rcpt": "450 4.2.1 later"})
    server.may_crash = True
    names = []
    for _ in range(5):
        text, name = server.text()
        assert server.send([REMOTE], text) == {}
        names.append(name)
    server.kill_tree()
    sink.replies.clear()
    server.start()
    server.wait_sent()
    assert [count(sink, name) for name in names] == [1] * 5


def test_a_stop_loses_nothing(start):
    server, sink = start({"rcpt": "450 4.2.1 later"})
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    assert server.stop() == 0
    assert server.waiting()
    sink.replies.clear()
    server.start()
    server.wait_sent()
    assert count(sink, name) == 1


def test_a_reload_loses_nothing(start):
    server, sink = start({"rcpt": "450 4.2.1 later"})
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    server.reload()
    server.wait_event("drained")
    sink.replies.clear()
    server.wait_sent()
    assert count(sink, name) == 1
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    server.wait_sent()
    assert count(sink, name) == 1


# ---- it comes home ----

def test_refused_for_good(start):
    server, sink = start({"rcpt": "550 5.1.1 nobody of this name"})
    text, name = server.text(body="The secret body.\n")
    assert server.send([REMOTE], text) == {}
    wait_until(lambda: server.mail("alice"), 30, "a bounce")
    [mail] = server.mail("alice")
    assert mail.get("Return-Path") == "<>"
    assert mail.get("Auto-Submitted") == "auto-replied"
    assert mail.get("Content-Type").startswith("multipart/report")
    said = mail.raw.decode()
    for want in (REMOTE, "nobody of this name", name, "5.1.1",
                 "Action: failed"):
        assert want in said, want
    assert "The secret body" not in said
    server.wait_sent()
    assert sink.messages == []


@pytest.mark.parametrize("body, features, mail, reason, status, advice", [
    ("x" * 70 + "\n", ("SIZE 100",), [], "the next host takes 100", "5.3.4",
     "too large"),
    ("grüße\n", ("SIZE",), ["SMTPUTF8"], "does not take UTF-8 in headers",
     "5.6.9", "of this form")])
def test_what_the_host_has_not_said_is_not_quoted(start, body, features, mail,
                                                  reason, status, advice):
    """It was told nothing of the message: the words are ours about it."""
    server, sink = start()
    sink.features = features
    text = server.text(body=body)[0].replace(
        "Subject: test", "Subject: ö" if "SMTPUTF8" in mail else "Subject: t")
    server.send_asking({REMOTE: ""}, text.encode(), mail)
    wait_until(lambda: server.mail("alice"), 30, "a bounce")
    said = re.sub(r"\s+", " ", server.mail("alice")[0].raw.decode())
    host = r"(127\.0\.0\.1)?\[127\.0\.0\.1\]: "
    assert re.search("It could not be sent. The reason: " + host + ".*" +
                     reason, said), said
    assert "own words" not in said and "refused it" not in said
    assert "Status: " + status in said and "Remote-MTA" not in said
    assert re.search("Diagnostic-Code: x-postern; " + host, said), said
    assert advice in said
    server.wait_sent()
    assert sink.messages == []


def test_comes_back_whole(start):
    """RET=FULL (RFC 3461 4.3)."""
    server, _ = start({"rcpt": "550 5.1.1 nobody of this name"})
    text, name = server.text(body="The secret body.\n")
    assert server.send_asking({REMOTE: ""}, text, ["RET=FULL"]) == 250
    wait_until(lambda: server.mail("alice"), 30, "a bounce")
    [mail] = server.mail("alice")
    assert mail.get("Return-Path") == "<>"
    whole = mail.raw.decode().split("Content-Type: message/rfc822\n")[1]
    assert name in whole and "\n\nThe secret body.\n" in whole
    server.wait_sent()


def test_comes_back_under_a_smaller_limit(start):
    """What was taken before memory_messages was lowered, and what posternctl
    explain is given, is no broken rule of who hands it on."""
    server, sink = start({"rcpt": "451 4.3.0 later"}, settings=
                         "memory_messages = 64M\n")
    text, name = server.text(body="The secret body.\n" + 70000 * (
        72 * "x" + "\n"))
    server.write("large", text)
    server.write("postern.conf", re.sub(
        r"queue \{(.*)\}", r"queue {\1 return_full = 32M }", open(
            server.config_path, encoding="utf-8").read()))
    assert server.send_asking({REMOTE: ""}, text, ["RET=FULL"]) == 250
    server.write("postern.conf", open(
        server.config_path, encoding="utf-8").read().replace("= 64M", "= 1M"))
    server.reload()
    sink.replies["rcpt"] = "550 5.1.1 nobody of this name"
    assert "Nothing here refuses it" in server.ctl(
        "explain", "--ip", "127.0.0.1", "--helo", "client.example", "--from",
        REMOTE, "--to", ALICE, "--file", server.folder + "/large")
    wait_until(lambda: server.mail("alice"), 30, "a bounce")
    [mail] = server.mail("alice")
    assert name.encode() in mail.raw and mail.raw.count(b"xxx\n") == 70000
    server.wait_sent()


def test_of_an_account_without_mailbox(start):
    """root's goes to postmaster: never to where root's mail would lead."""
    server, _ = start({"rcpt": "550 5.1.1 nobody of this name"})
    server.write("aliases", "postmaster: alice\nabuse: alice\n"
                 "root: carol\n")
    text, _ = server.text(sender="root@example.org")
    assert server.send_local(REMOTE, text).code == 250
    wait_until(lambda: server.mail("alice"), 30, "a bounce")
    server.wait_sent()
    assert server.mail("carol") == []


def test_one_of_two(start):
    server, sink = start({"rcpt": lambda _, arg: "550 5.1.1 not here"
                          if "bob" in arg else "250 2.1.5 ok"})
    text, name = server.text()
    assert server.send([REMOTE, "carla@remote.example"], text) == {}
    wait_until(lambda: server.mail("alice"), 30, "a bounce")
    server.wait_sent()
    assert count(sink, name) == 1
    [mail] = server.mail("alice")
    report = mail.raw.decode()
    assert REMOTE in report
    assert "Final-Recipient: rfc822;carla@remote.example" not in \
        report.replace("; ", ";")


def actions(mail):
    """{recipient: action} of a DSN."""
    return dict(re.findall(r"(?s)Final-Recipient: rfc822; (\S+)\s+"
                           r"Action: (\S+)", mail.raw.decode()))


def test_success_here_and_elsewhere(start):
    """RFC 3461: delivered, relayed, and nothing about who never wants it."""
    server, sink = start()
    text, name = server.text()
    sink.features = ("PIPELINING",)
    assert server.send_asking({
        "carol@example.org": "NOTIFY=SUCCESS ORCPT=rfc822;c@else.example",
        "alice@example.org": "NOTIFY=NEVER",
        REMOTE: "NOTIFY=SUCCESS,FAILURE",
        "eve@remote.example": "NOTIFY=NEVER"}, text, ["ENVID=QQ7"]) == 250
    server.wait_sent()
    assert [m.get("Message-ID") for m in server.mail("carol")] == [name]
    told = {}
    reports = [m for m in server.mail("alice") if
               m.get("Return-Path") == "<>"]
    for report in reports:
        told.update(actions(report))
        assert "Original-Envelope-Id: QQ7" in report.raw.decode()
        assert re.match(r"<prvs=\d{4}[0-9a-f]{6}=alice@example\.org>$",
                        report.get("To"))
    assert told == {"carol@example.org": "delivered", REMOTE: "relayed"}
    assert "rfc822;c@else.example" in "".join(
        m.raw.decode() for m in reports)


@pytest.mark.parametrize("words", ["", "NOTIFY=FAILURE", "NOTIFY=NEVER"])
def test_no_success_unasked(start, words):
    server, _ = start()
    text, name = server.text()
    assert server.send_asking({"carol@example.org": words}, text) == 250
    assert [m.get("Message-ID") for m in server.mail("carol")] == [name]
    assert server.mail("alice") == [] and server.waiting() == []


def test_success_without_a_queue(start):
    """The 250 is as true as ever; that nobody is told is in the log."""
    server, _ = start()
    server.may_crash = True
    [queue] = server.children("queue")
    os.kill(queue, signal.SIGSTOP)
    try:
        text, name = server.text()
        assert server.send_asking({"carol@example.org": "NOTIFY=SUCCESS"},
                                  text) == 250
        assert [m.get("Message-ID") for m in server.mail("carol")] == [name]
        assert server.wait_event("not_reported")["what"] == "success"
    finally:
        os.kill(queue, signal.SIGCONT)
    server.wait_sent()
    assert server.mail("alice") == []


def test_success_without_room(start):
    """The spool cannot be written: 250, delivered, logged."""
    server, _ = start()
    text, name = server.text()
    # a folder that is held open and gone takes no file
    for folder in ("prepared", "bodies"):
        os.rmdir(server.folder + "/state/spool/" + folder)
    assert server.send_asking({"carol@example.org": "NOTIFY=SUCCESS"},
                              text) == 250
    assert [m.get("Message-ID") for m in server.mail("carol")] == [name]
    server.wait_event("not_reported")
    assert server.mail("alice") == []


# ---- a list of ours with members elsewhere ----

LISTS = """postmaster: alice
abuse: alice
root: alice
team: alice, m1@far.example, m2@far.example
owner-team: carol
away: m3@far.example
owner-away: carol
plain: alice, m4@far.example
"""


def start_lists(start, replies=None, **options):
    """A server that has them. posternctl asks one directory process after
    the other, and each opens the new table when it comes to it."""
    server, sink = start(replies, **options)
    server.write("aliases", LISTS)
    server.ctl("tables", "compile")
    wait_until(lambda: all("list with members" in server.ctl(
        "route", "team@example.org", check=False)[1]
        for _ in server.children("directory")), 15, "the new aliases")
    return server, sink


def senders(sink):
    """{recipient: reverse-path, without its tag}"""
    return {r.split()[0][4:-1]: re.sub(r"^FROM:<prvs=\w{10}=|^FROM:<|>.*$",
                                       "", m.sender)
            for m in sink.messages for r in m.recipients}


def test_list_copies(start):
    """Those here are delivered to before the 250; the others have the owner
    for a sender, and the one who was named besides has ours."""
    server, sink = start_lists(start)
    text, name = server.text()
    assert server.send(["team@example.org", "away@example.org", REMOTE],
                       text) == {}
    [mail] = server.mail("alice")
    assert mail.get("Message-ID") == name
    assert mail.get("Return-Path") == "<%s>" % ALICE
    server.wait_sent()
    assert senders(sink) == {
        "m1@far.example": "owner-team@example.org",
        "m2@far.example": "owner-team@example.org",
        "m3@far.example": "owner-away@example.org", REMOTE: ALICE}
    assert all(m.sender.startswith("FROM:<prvs=") for m in sink.messages)
    assert len(server.mail("alice")) == 1 and server.mail("carol") == []


@pytest.mark.parametrize("asked, goes_on", [
    ("", ""), ("NOTIFY=NEVER", " NOTIFY=NEVER"),
    ("NOTIFY=SUCCESS", " NOTIFY=NEVER"),
    ("NOTIFY=FAILURE,DELAY ORCPT=rfc822;p@else.example",
     " NOTIFY=FAILURE,DELAY ORCPT=rfc822;p@else.example"),
    ("NOTIFY=SUCCESS,FAILURE", " NOTIFY=FAILURE")])
def test_notify_of_what_goes_on(start, asked, goes_on):
    """A mailbox here that also forwards (RFC 3461 5.2.7.3 c): it tells of
    success, and what was not asked for is not told of the other."""
    server, sink = start_lists(start)
    text, name = server.text()
    assert server.send_asking({"plain@example.org": asked}, text) == 250
    server.wait_sent()
    assert [m.recipients for m in sink.messages] == [
        ["TO:<m4@far.example>" + goes_on]]
    wait_until(lambda: len(server.mail("alice")) == 1 + ("SUCCESS" in asked),
               15, "a report")
    told = [actions(m) for m in server.mail("alice")
            if m.get("Message-ID") != name]
    assert told == [{"plain@example.org": "delivered"}] * ("SUCCESS" in asked)


def test_list_bounces_to_its_owner(start):
    """P4, P5: in his mailbox, not the submitter's, not the list's."""
    server, sink = start_lists(start, {
        "rcpt": lambda _, arg: "550 5.1.1 gone" if "far.example" in arg else
                "250 2.1.5 ok"})
    text, name = server.text()
    assert server.send_asking({"team@example.org": "NOTIFY=SUCCESS",
                               "away@example.org": "NOTIFY=NEVER"},
                              text) == 250
    wait_until(lambda: len(server.mail("carol")) == 2, 30, "two bounces")
    server.wait_sent()
    said = "".join(m.raw.decode() for m in server.mail("carol"))
    for member in ("m1", "m2", "m3"):
        assert "Final-Recipient: rfc822; %s@far.example" % member in said
    assert sorted(re.sub("prvs=.{10}=", "", m.get("To"))
                  for m in server.mail("carol")) == [
        "<owner-away@example.org>", "<owner-team@example.org>"]
    assert sink.messages == []
    # the submitter hears that the list has it, and nothing of its members
    reports = [m for m in server.mail("alice") if
               m.get("Return-Path") == "<>"]
    assert [actions(m) for m in reports] == [
        {"team@example.org": "delivered"}]


def test_list_without_queue(start):
    """All or nobody: with no queue nobody has it."""
    server, sink = start_lists(start)
    server.may_crash = True
    text, name = server.text()
    for folder in ("prepared", "bodies"):
        os.rmdir(server.folder + "/state/spool/" + folder)
    assert server.send_asking({"team@example.org": ""}, text) == 451
    assert server.mail("alice") == [] and sink.messages == []


def stranger_sends(server, text, *recipients, expected="250"):
    """From outside; expected is the reply to the message."""
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@stranger.example>", "250")
        for recipient in recipients:
            c.expect("RCPT TO:<%s>" % recipient, "250")
        c.expect("DATA", "354")
        c.send(text.encode() + b".\r\n")
        reply = c.reply()
        assert reply.says(expected), reply


def test_lists_from_outside(start):
    """Members here are delivered to before the 250, and copies for the
    others leave with the owner for a sender: P4 has them, nothing else."""
    server, sink = start_lists(start)
    text, name = server.text(sender="a@stranger.example")
    stranger_sends(server, text, "team@example.org", "away@example.org",
                   "carol@example.org")
    server.wait_sent()
    wait_until(lambda: len(senders(sink)) == 3, 10, "the copies")
    assert senders(sink) == {
        "m1@far.example": "owner-team@example.org",
        "m2@far.example": "owner-team@example.org",
        "m3@far.example": "owner-away@example.org"}
    assert all(m.sender.startswith("FROM:<prvs=") for m in sink.messages)
    for text in [server.mail("alice")[0].raw, server.mail("carol")[0].raw] + [
            m.text for m in sink.messages]:
        copy = email.message_from_bytes(text)
        assert copy["Message-ID"] == name
        assert "127.0.0.1" in copy["Received"]
        assert {"team@example.org", "away@example.org"} <= set(
            copy.get_all("Delivered-To"))
    [mail] = server.mail("alice")
    assert mail.get("Return-Path") == "<a@stranger.example>"


def test_list_from_outside_is_known_again(start):
    """A copy that comes back is a loop; one without an id gets one."""
    server, sink = start_lists(start)
    text, name = server.text(sender="a@stranger.example")
    text = text.replace("Message-ID: %s\r\n" % name, "")
    stranger_sends(server, text, "away@example.org")
    server.wait_sent()
    wait_until(lambda: sink.messages, 10, "the copy")
    [copy] = sink.messages
    assert len(email.message_from_bytes(copy.text).get_all(
        "Message-ID")) == 1
    stranger_sends(server, copy.text.decode().replace("\n", "\r\n").replace(
        "\r\r\n", "\r\n"), "away@example.org", expected="554 5.4.6")
    assert len(sink.messages) == 1


def test_list_from_outside_bounces_home(start):
    """Who is told of a dead member is the owner, and no stranger."""
    server, sink = start_lists(start, {
        "rcpt": lambda _, arg: "550 5.1.1 gone" if "far.example" in arg else
                "250 2.1.5 ok"})
    text, _ = server.text(sender="a@stranger.example")
    stranger_sends(server, text, "team@example.org")
    wait_until(lambda: server.mail("carol"), 30, "a bounce")
    server.wait_sent()
    said = server.mail("carol")[0].raw.decode()
    assert "Final-Recipient: rfc822; m1@far.example" in said
    assert "Final-Recipient: rfc822; m2@far.example" in said
    assert len(server.mail("alice")) == 1 and sink.messages == []


def test_list_from_outside_without_queue(start):
    """All or nobody."""
    server, sink = start_lists(start)
    server.may_crash = True
    text, _ = server.text(sender="a@stranger.example")
    for folder in ("prepared", "bodies"):
        os.rmdir(server.folder + "/state/spool/" + folder)
    stranger_sends(server, text, "team@example.org", expected="451")
    assert server.mail("alice") == [] and sink.messages == []


def test_list_from_outside_with_prdr(start):
    """Queue has no part of a list alone: all share one reply."""
    server, sink = start_lists(start)
    text, _ = server.text(sender="a@stranger.example")
    stranger_sends(server, text, "carol@example.org")
    folder = server.maildir("carol") + "/tmp"
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<b@stranger.example> PRDR", "250")
        c.expect("RCPT TO:<team@example.org>", "250")
        c.expect("RCPT TO:<carol@example.org>", "250")
        os.chmod(folder, 0o500)
        try:
            c.expect("DATA", "354")
            c.send(text.encode() + b".\r\n")
            assert c.reply().says("451 4.2.0")
        finally:
            os.chmod(folder, 0o700)
    assert server.mail("alice") == [] and sink.sessions == []
    assert server.waiting() == []


def test_no_list(start):
    """Without an owner it is a forward: of our own user's mail, a recipient
    elsewhere as any other."""
    server, sink = start_lists(start)
    text, name = server.text()
    assert server.send(["plain@example.org"], text) == {}
    assert [m.get("Message-ID") for m in server.mail("alice")] == [name]
    wait_until(lambda: sink.messages, 10, "the copy")
    assert senders(sink) == {"m4@far.example": ALICE}


# ---- a relay with other settings ----

def test_settings_change_in_the_middle(start):
    """What has begun is ended by the one that began it: once."""
    begun, goes_on = threading.Event(), threading.Event()

    def dot(session, _):
        message = session.sink.ended[-1]
        begun.set()
        goes_on.wait(30)
        session.sink.messages.append(message)
        return "250 2.0.0 taken"
    server, sink = start({"dot": dot})
    [old] = server.children("relay")
    text, name = server.text()
    assert server.send([REMOTE], text) == {}
    assert begun.wait(30)
    server.write_config(more=server.pieces["more"].replace(
        "relay {{", "relay {{ command_timeout = 4m "))
    server.reload()
    wait_until(lambda: len(server.children("relay")) == 2, 15, "another")
    # it works already
    sink.replies.pop("dot")
    other_text, other = server.text()
    assert server.send([REMOTE], other_text) == {}
    wait_until(lambda: count(sink, other) == 1, 15, "the next message")
    assert old in server.children("relay")
    goes_on.set()
    server.wait_sent()
    wait_until(lambda: old not in server.children("relay"), 15, "its end")
    assert (count(sink, name), count(sink, other)) == (1, 1)
