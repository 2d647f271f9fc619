# SPDX-License-Identifier: ISC
"""The queue in a running server: what the other side refuses comes home as a
DSN in the sender's Maildir; posternctl shows and moves what waits."""
import email
import email.policy
import json
import os
import re
import signal

import pytest

from postern import wait_until
from test_submission import ALICE, Lab, message

USER = "alice"


def reports(lab, n=1):
    """Alice's mail, once there are so many."""
    wait_until(lambda: len(lab.server.mail(USER)) >= n, 20, "report")
    found = []
    for mail in lab.server.mail(USER):
        with open(mail.path, "rb") as f:
            found.append(email.message_from_binary_file(
                f, policy=email.policy.default))
    return found


def refused_at(stage, code, text):
    """A Lab whose other side says that."""
    return Lab(replies={stage: "%d %s" % (code, text)})


@pytest.mark.parametrize("stage, code, text, status, words", [
    ("rcpt", 550, "5.1.1 no such user", "5.1.1", "typing mistake"),
    ("mail", 550, "5.7.1 not from you", "5.7.1", "does not want"),
    ("dot", 554, "5.6.0 rotten", "5.6.0", "of this form"),
    ("dot", 552, "5.3.4 too big", "5.3.4", "too large"),
    ("rcpt", 552, "5.2.2 full", "5.2.2", "mailbox is full"),
])
def test_refusal_becomes_a_report(stage, code, text, status, words):
    with refused_at(stage, code, text) as lab:
        assert lab.send("x@remote.example", message())[0] == 250
        report = reports(lab)[0]
        assert re.match(r"prvs=\d{4}[0-9a-f]{6}=alice@example\.org$",
                        report["To"])
        assert report["Return-Path"] == "<>"
        block = list(list(report.iter_parts())[1].iter_parts())[1]
        assert block["Status"] == status
        assert text[6:] in block["Diagnostic-Code"]
        plain = " ".join(next(report.iter_parts()).get_content().split())
        assert words in plain and text[6:] in plain
        wait_until(lambda: "empty" in lab.server.ctl("queue"), 10, "empty")
        # nobody else heard of it
        assert not lab.sink.messages
        assert not lab.server.events("suspected_break_in")


def test_status_shows_the_queue():
    """posternctl status, for people and for programs."""
    with refused_at("rcpt", 450, "4.2.1 later") as lab:
        assert lab.send(["x@remote.example", "y@remote.example"],
                        message())[0] == 250

        def figures():
            return dict(re.findall(r"(?m)^queue_(\w+) +(\d+)$",
                                   lab.server.ctl("status")))
        wait_until(lambda: figures().get("deferred") == "1", 20, "a try")
        got = figures()
        assert (got["messages"], got["recipients"], got["held"]) == \
            ("1", "2", "0")
        assert int(got["size_bytes"]) > len(message())
        in_json = json.loads(lab.server.ctl("status", "json"))["queue"]
        assert in_json["messages"] == 1 and in_json["recipients"] == 2
        [queue] = lab.server.children("queue")
        os.kill(queue, signal.SIGSTOP)
        try:
            assert "The queue does not answer." in lab.server.ctl("status")
            assert json.loads(lab.server.ctl("status", "json"))["queue"] == {}
        finally:
            os.kill(queue, signal.SIGCONT)


def test_too_many_recipients_go_on_at_once():
    """452 4.5.3 (RFC 5321 4.5.3.1.10): the rest has the next transaction,
    and not the next try. Who is refused alone has to wait."""
    def rcpt(session, arg):
        if "late" in arg or len(session.recipients) >= 2:
            return "452 4.5.3 too many recipients"
        return "250 2.1.5 ok"
    with Lab(replies={"rcpt": rcpt}) as lab:
        to = ["u%d@remote.example" % i for i in range(7)]
        assert lab.send(["late@remote.example"] + to, message())[0] == 250
        taken = lab.taken(4)
        assert sorted(r.split()[0][4:-1] for m in taken
                      for r in m.recipients) == to
        wait_until(lambda: "\n  Tries      1\n" in lab.server.ctl(
            "show", lab.server.events("queued")[0]["queue"]), 10, "a wait")
        assert "late@" in lab.server.ctl("queue", "remote.example")
        lab.server.ctl("remove", "all")


def test_deferred_is_listed_and_moved():
    """queue, show, hold, release, retry, remove."""
    answers = {"rcpt": "450 4.2.1 come back"}
    with Lab(replies=answers) as lab:
        assert lab.send("x@remote.example", message())[0] == 250
        lab.server.wait_event("deferred")
        queue_id = lab.server.events("queued")[0]["queue"]
        text = lab.server.ctl("queue")
        assert re.search(r"^-Queue ID-  --Size-- ----Arrival Time---- "
                         r"-Sender/Recipient-------\n%s   +\d+ \w{3} \w{3} "
                         r"[ \d]\d [\d:]{8}  %s\n\(.*come back.*\)\n {41}"
                         r"x@remote.example\n\n-- \d+ Kbytes in 1 Request."
                         % (queue_id, ALICE), text), text
        for word in (ALICE.upper(), "X@remote.example", "Remote.Example"):
            assert lab.server.ctl("queue", word) == text
        for word in ("y@remote.example", "elsewhere.example"):
            assert lab.server.ctl("queue", word) == \
                "Nothing that waits is for or from %s.\n" % word
        shown = lab.server.ctl("show", queue_id)
        assert "450 4.2.1" in shown and "mail.remote.example[127.0.0.1]" \
            in shown
        lab.server.ctl("hold", queue_id, "for=1h", "wait", "a", "bit")
        assert ": wait a bit" in lab.server.ctl("show", queue_id)
        lab.server.ctl("release", queue_id)
        answers.clear()
        lab.server.ctl("retry", queue_id)
        lab.taken()
        wait_until(lambda: "empty" in lab.server.ctl("queue"), 10, "empty")
        answers["rcpt"] = "450 4.2.1 come back"
        assert lab.send("y@remote.example", message())[0] == 250
        wait_until(lambda: len(lab.server.events("deferred")) >= 2, 10, "def")
        lab.server.ctl("remove", "all")
        assert "empty" in lab.server.ctl("queue")
        assert len(lab.sink.messages) == 1
        lab.server.ctl("show", queue_id, check=False)
        assert not lab.server.mail(USER)


def test_killed_queue_loses_nothing():
    """kill -9 of queue and of everything while mail is under way."""
    answers = {"rcpt": "450 4.2.1 come back"}
    with Lab(replies=answers) as lab:
        for i in range(20):
            assert lab.send("u%d@remote.example" % i, message())[0] == 250
        os.kill(lab.server.children("queue")[0], signal.SIGKILL)
        wait_until(lambda: "20 Requests" in lab.server.ctl(
            "queue", check=False)[1], 20, "list")
        lab.server.kill_tree()
        lab.server.may_crash = True
        answers.clear()
        lab.server.start()
        lab.server.ctl("flush")
        wait_until(lambda: "empty" in lab.server.ctl("queue"), 30, "empty")
        got = [str(a) for m in lab.sink.messages for a in m.recipients]
        assert len(set(got)) == len(got) == 20, got
