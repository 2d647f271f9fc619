# SPDX-License-Identifier: ISC
"""The option probe: the next hop is asked at RCPT, and what it refuses for
good is refused in our user's mail program. Nothing is ever refused because
nobody could be asked."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import Client
from postern import BUILD, IS_ROOT, wait_until
from relay_lab import FEATURES, Sink
from test_auth import ALICE, PASSWORD
from test_outbound import Outbound
from test_relay_peers import Exim, Postfix
from test_relay_probe import closes, hangs, verbs
from test_submission import Lab, message

BOB = "bob@remote.example"
PROBE = "submission {{ probe = true  probe_timeout = %ds }}\n"
NOBODY = "550 5.1.1 nobody of this name"


class Probing(Outbound):
    """Asks the next hop, which is sink."""

    def __init__(self, sink, seconds=5, more="", **options):
        super().__init__(sink, more=PROBE % seconds + more, **options)

    def talk(self, sender=ALICE):
        """A mail program that has logged in and said MAIL."""
        client = self.submit()
        client.login("alice@example.org", PASSWORD)
        assert client.mail(sender)[0] == 250
        return client

    def rcpt(self, *addresses, sender=ALICE):
        """The replies to RCPT: [(code, text)]."""
        with self.talk(sender) as client:
            return [(code, said.decode()) for code, said in
                    map(client.rcpt, addresses)]

    def counters(self):
        """{name: number} of relay."""
        return {k: int(v) for k, v in (line.split("=") for line in
                                       self.ctl("relay").split())}


def id_in(said):
    """The id at the end of a refusal."""
    return re.search(r"\((\S+)\)$", said).group(1)


@pytest.fixture(name="start")
def fixture_start():
    """start(replies of the sink, **options) -> (server, sink)."""
    made = []

    def factory(replies=None, features=FEATURES, **options):
        sink = Sink(dict(replies or {}), features=features)
        server = Probing(sink, **options)
        made.extend((sink, server))
        server.start()
        return server, sink
    yield factory
    problems = []
    for thing in reversed(made):
        if isinstance(thing, Probing):
            thing.stop()
            problems += thing.problems()
        thing.close()
    assert not problems


# ---- a refusal ----

def test_refused_at_rcpt(start):
    server, sink = start({"rcpt": NOBODY})
    [(code, said)] = server.rcpt(BOB)
    assert code == 550
    assert re.match(r"5\.1\.1 <bob@remote\.example>: \[?127\.0\.0\.1\S* said: "
                    r"nobody of this name \([a-z0-9]+\)$", said), said
    account = server.why(id_in(said))
    assert "Check     probe" in account
    assert "Asked     " + BOB in account
    assert "127.0.0.1]: 550 5.1.1 nobody of this name" in account
    assert re.search(r"Took +\d+\.\d m?s", account), account
    # no message, and none will be
    wait_until(lambda: "QUIT" in verbs(sink), 5, "the end")
    assert verbs(sink) == ["MAIL", "RCPT", "RSET", "QUIT"]
    assert server.waiting() == [] and server.mail("alice") == []


@pytest.mark.parametrize("reply, said", [
    ("553 5.1.3 not like that", r"553 5.1.3 .*not like that"),
    ("554 5.7.1 you are not welcome", "554 5.7.1 .*you are not welcome"),
    ("550 no words of rank", "550 5.0.0 .*no words of rank"),
    ("550-5.1.1 one\r\n550 5.1.1 two", "550 5.1.1 .*said: one two "),
    ("550 5.1.1 \x1b[31mre\xe4d\t\x07", r"550 5.1.1 .*said: \[31mre\?d "),
    # a mail program would ask for a password
    ("530 5.7.0 log in", "554 5.7.0 .*log in"),
    ("521 5.3.2 no mail here", "554 5.3.2 .*no mail here"),
    ("550 5.1.1 " + "long " * 90, "550[- ]5.1.1 .*long long"),
])
def test_refusals_are_passed_on(start, reply, said):
    server, _ = start({"rcpt": reply.encode("latin-1") + b"\r\n"})
    [(code, text)] = server.rcpt(BOB)
    text = "%d %s" % (code, text.replace("\n", " "))
    assert re.match(said, text), text
    assert re.search(r" \([a-z0-9]+\)$", text), text


def test_each_recipient_by_itself(start):
    """The others of the message are sent to."""
    server, sink = start({"rcpt": lambda s, arg: NOBODY if "typo" in arg
                          else "250 2.1.5 ok"})
    text, name = server.text()
    with server.talk() as client:
        assert client.rcpt(BOB)[0] == 250
        assert client.rcpt("typo@remote.example")[0] == 550
        assert client.rcpt("carol@example.org")[0] == 250
        assert client.data(text)[0] == 250
    server.wait_sent()
    [taken] = sink.messages
    assert [r.split()[0] for r in taken.recipients] == ["TO:<%s>" % BOB]
    [mail] = server.mail("carol")
    assert mail.get("Message-ID") == name
    assert server.mail("alice") == []


def test_from_a_program_on_this_host(start):
    server, sink = start({"rcpt": NOBODY})
    with Client(server.folder + "/submit") as c:
        c.ehlo()
        c.expect("MAIL FROM:<root@example.org>", "250")
        c.expect("RCPT TO:<%s>" % BOB, "550 5.1.1")
        c.expect("QUIT", "221")
    done = subprocess.run(
        [os.path.join(BUILD, "sendmail"), "-C", server.config_path, "-oi",
         "eve@remote.example"], input="Subject: x\n\nhi\n", text=True,
        capture_output=True, check=False)
    assert done.returncode == 67, done      # EX_NOUSER
    assert "nobody of this name" in done.stderr
    assert verbs(sink).count("RCPT") == 2


def test_off_by_default():
    with Sink({"rcpt": NOBODY}) as sink, Outbound(sink) as server:
        with server.submit() as client:
            client.login("alice@example.org", PASSWORD)
            assert client.mail(ALICE)[0] == 250
            assert client.rcpt(BOB)[0] == 250
        time.sleep(0.3)
        assert sink.sessions == []


# ---- nothing is refused for want of an answer ----

@pytest.mark.parametrize("replies", [
    {"rcpt": "450 4.7.1 greylisted"},
    {"rcpt": "552 too many recipients"},
    {"rcpt": "421 4.3.2 bye"},
    {"rcpt": "nonsense"},
    {"rcpt": closes},
    {"rcpt": hangs},
    {"mail": "550 5.7.1 not from you", "rcpt": "503 5.5.1 MAIL first"},
    {"mail": "450 4.7.1 later", "rcpt": "503 5.5.1 MAIL first"},
    {"greeting": "554 5.7.1 go away"},
    {"greeting": hangs},
    {"ehlo": hangs},
])
def test_taken_without_an_answer(start, replies):
    server, sink = start(replies, seconds=2)
    began = time.monotonic()
    text, name = server.text()
    with server.talk() as client:
        assert client.rcpt(BOB)[0] == 250
        assert time.monotonic() - began < 6
        # a probe that met a bad host has kept no message from it
        sink.replies.clear()
        assert client.data(text)[0] == 250
    server.wait_sent()
    assert sum(name.encode() in m.text for m in sink.messages) == 1
    assert server.mail("alice") == []


def test_host_is_down(start):
    server, sink = start()
    sink.listener.shutdown(socket.SHUT_RDWR)    # close would wait for one
    assert server.rcpt(BOB)[0][0] == 250
    assert server.counters()["probes_silent"] == 1


def test_tls_is_demanded_and_absent():
    with Sink({"rcpt": NOBODY}) as sink:
        server = Probing(sink)
        server.write_config(more=server.pieces["more"].replace(
            "relay {{", "relay {{ tls = required "))
        with server:
            assert server.rcpt(BOB)[0][0] == 250
            assert sink.sessions and "RCPT" not in verbs(sink)


@pytest.mark.parametrize("role", ["relay", "queue"])
def test_killed_in_the_middle(start, role):
    server, sink = start({"rcpt": hangs}, seconds=30)
    server.may_crash = True
    replies = []
    with server.talk() as client:
        asking = threading.Thread(
            target=lambda: replies.append(client.rcpt(BOB)))
        asking.start()
        wait_until(lambda: "RCPT" in verbs(sink), 15, "a probe")
        began = time.monotonic()
        for pid in server.children(role):
            os.kill(pid, signal.SIGKILL)
        asking.join(20)
        assert time.monotonic() - began < 10
        assert replies and replies[0][0] == 250
    sink.replies.clear()
    wait_until(lambda: server.children(role), 15, "another")
    text, name = server.text()
    assert server.send([BOB], text) == {}
    server.wait_sent()
    assert sum(name.encode() in m.text for m in sink.messages) == 1


@pytest.mark.parametrize("role", ["relay", "queue"])
def test_one_that_stands_still(start, role):
    """A question has its time, and the next session its own."""
    server, _ = start(seconds=1)
    pids = server.children(role)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert server.rcpt(BOB)[0][0] == 250
    assert time.monotonic() - began < 6
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    text, _ = server.text()
    wait_until(lambda: server.send([BOB], text) == {}, 15, "a 250")
    server.wait_sent()


# ---- others do not wait ----

def test_other_sessions_go_on(start):
    server, sink = start({"rcpt": lambda s, arg: hangs(s, arg) if "slow" in
                          arg else "250 2.1.5 ok"}, seconds=8)
    slow = []

    def ask(number):
        slow.extend(server.rcpt("slow%d@remote.example" % number))
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    # four are asked about, two are taken at once
    wait_until(lambda: verbs(sink).count("RCPT") == 4, 20, "four probes")
    wait_until(lambda: len(slow) == 2, 20, "two replies")
    began = time.monotonic()
    text, name = server.text()
    with server.submit() as client:
        client.login("alice@example.org", PASSWORD)
        client.mail(ALICE)
        assert client.rcpt("carol@example.org")[0] == 250
        assert client.rcpt(BOB)[0] == 250
        assert client.data(text)[0] == 250
    wait_until(lambda: any(name.encode() in m.text for m in sink.messages),
               10, "the message")
    assert time.monotonic() - began < 6
    for thread in threads:
        thread.join(20)
    assert [code for code, _ in slow] == [250] * 6


def test_a_message_waits_for_so_long():
    """Many recipients at hosts that do not answer: three times the limit."""
    domains = ["d%d.example" % i for i in range(8)]
    with Lab("submission {{ probe = true  probe_timeout = 1s }}\n",
             zones={d: "@ MX 10 mail\nmail A 127.0.0.1\n"
                    for d in domains}) as lab:
        lab.sink.replies["greeting"] = hangs
        with lab.submit() as client:
            client.mail(ALICE)
            began = time.monotonic()
            for domain in domains:
                assert client.rcpt("x@" + domain)[0] == 250
            assert time.monotonic() - began < 6.5
            assert len(lab.sink.sessions) <= 4


# ---- from whom ----

def test_from_the_address_that_the_message_has():
    """Tagged where the message will be, and not where that breaks."""
    with Lab("submission {{ probe = true }}\n"
             'batv {{ exempt = {{ "plain.example" }} }}\n',
             zones={d: "@ MX 10 mail\nmail A 127.0.0.1\n" for d in
                    ("tagged.example", "plain.example")}) as lab:
        for domain in ("tagged.example", "plain.example"):
            del lab.sink.messages[:]
            n = len(lab.sink.commands)
            assert lab.send("x@" + domain, message())[0] == 250
            [taken] = lab.taken()
            senders = {c.split()[1] for c in lab.sink.commands[n:]
                       if c.startswith("MAIL")}
            assert senders == {taken.sender.split()[0]}, senders
            assert taken.sender.startswith("FROM:<prvs=") == (
                domain == "tagged.example")
        # what has none cannot have a tag
        with lab.submit() as client:
            client.mail("")
            assert client.rcpt("y@tagged.example")[0] == 250
        assert "MAIL FROM:<>" in lab.sink.commands


# ---- kept ----

def test_kept_for_the_same_sender_alone(start):
    server, sink = start({"rcpt": NOBODY})
    more = 'sender "alice@example.org" {{ may = {{ "team@example.org" }} }}\n'
    server.write_config(more=server.pieces["more"] + more)
    server.reload()
    server.wait_event("drained")
    assert server.rcpt(BOB, BOB)[1][0] == 550
    [(code, said)] = server.rcpt(BOB)
    assert code == 550 and verbs(sink).count("RCPT") == 1
    assert re.search(r"127.0.0.1\] \(\d+s ago\): 550 5.1.1",
                     server.why(id_in(said)))
    assert server.rcpt(BOB, sender="team@example.org")[0][0] == 550
    assert verbs(sink).count("RCPT") == 2
    # RSET may be unanswered yet when RCPT is answered
    wait_until(lambda: server.counters()["probes_now"] == 0, what="the end")
    counters = server.counters()
    assert counters["probes"] == 2 and counters["probes_kept"] == 2
    assert counters["probes_refused"] == 2


# ---- the trail of who was taken ----

@pytest.mark.parametrize("reply, verdict, answer", [
    ("250 2.1.5 fine", "accept", "250 2.1.5 fine"),
    ("450 4.7.1 greylisted", "mark", "450 4.7.1 greylisted"),
])
def test_why_tells_of_those_that_were_taken(start, reply, verdict, answer):
    server, _ = start({"rcpt": reply})
    server.rcpt(BOB)
    closed = server.wait_event("session_closed")
    account = server.why(closed["session"], "check probe")
    [line] = [x for x in account.splitlines() if "check probe" in x]
    assert "verdict " + verdict in line and "asked " + BOB in line
    assert "127.0.0.1]: " + answer in line
    assert re.search(r"took [\d.]+ ms$", line)


# ---- real servers ----

@pytest.mark.skipif(not IS_ROOT, reason="servers want root")
@pytest.mark.parametrize("peer", [Postfix, Exim])
def test_real_server(peer):
    with peer() as there, Probing(there) as server:
        (good, _), (bad, said), (later, _) = server.rcpt(
            "bob@example.net", "refused@example.net", "later@example.net")
        assert (good, bad, later) == (250, 550, 250)
        assert "no such person" in said
        account = server.why(id_in(said))
        assert "127.0.0.1]: 550" in account and "no such person" in account
        text, name = server.text(recipient="bob@example.net")
        assert server.send(["bob@example.net"], text) == {}
        wait_until(lambda: name.encode() in there.mail(), 20, "arrival")
        server.wait_sent()
        assert server.mail("alice") == []
