# SPDX-License-Identifier: ISC
"""kill -9 of who has a part in a forward, at each step: whoever was told 250
has it there and here, and after the client's retries nobody has it twice, but
for the one case that nobody can know (RFC 1047)."""
import os
import signal
import threading
import time

import pytest

from client import Closed, new_message, wire
from postern import wait_until
from test_forward import BOB, Front

TO = [BOB, "alice@example.org"]
# role, point, how often the next hop may have the end of the message
POINTS = [
    ("smtpd", "smtpd.before-hop-rcpt", 1),
    ("smtpd", "smtpd.after-hop-rcpt", 1),
    ("smtpd", "smtpd.after-intent", 1),
    ("smtpd", "smtpd.before-last", 1),
    ("relay", "relay.before-sent", 2),
    ("smtpd", "smtpd.after-last", 1),
    ("smtpd", "smtpd.before-commit", 1),
    ("deliver", "deliver.before-commit", 1),
    ("smtpd", "smtpd.after-commit", 1),
    ("smtpd", "smtpd.before-reply", 1),
]


def attempt(lab, text, params=""):
    """The reply to the message, or None."""
    try:
        with lab.server.connect(timeout=20) as client:
            client.ehlo()
            if client.command("MAIL FROM:<a@elsewhere.example>" +
                              params).code != 250:
                return None
            if any(client.command("RCPT TO:<%s>" % a).code != 250
                   for a in TO):
                return None
            if client.command("DATA").code != 354:
                return None
            client.send(wire(text))
            return client.reply()
    except (Closed, OSError):
        return None


def until_taken(lab, text):
    """As a mail server does; how many tries it took."""
    for n in range(1, 30):
        reply = attempt(lab, text)
        if reply is not None and reply.code == 250:
            return n
        assert reply is None or reply.code < 500, reply
        time.sleep(0.3)
    raise AssertionError("never taken:\n" + lab.server.log_text())


@pytest.mark.parametrize("role, point, most", POINTS,
                         ids=[p[1] for p in POINTS])
def test_killed(role, point, most):
    with Front(server={"faults": True, "settings":
                       "\nprocesses {{ smtpd = 1  directory = 1 }}\n"}) as lab:
        lab.server.await_trail()
        lab.server.faults.set(point, "kill", role=role)
        assert until_taken(lab, new_message()) > 1
        assert len(lab.server.mail("alice")) == 1
        assert 1 <= len(lab.sink.ended) <= most


def test_relay_killed_while_the_next_hop_thinks():
    """Its end was sent, nobody knows what was said: 451, and again."""
    said = ["", "250 2.0.0 taken"]
    with Front({"dot": lambda *_: said.pop(0)},
               server={"faults": True}) as lab:
        text = new_message()

        def kill():
            wait_until(lambda: lab.sink.ended, 10, "the dot there")
            for pid in lab.server.children("relay"):
                os.kill(pid, signal.SIGKILL)
        killer = threading.Thread(target=kill)
        killer.start()
        reply = attempt(lab, text)
        killer.join()
        assert reply.says("451 4.4.1"), reply
        assert not lab.server.mail("alice")
        until_taken(lab, text)
        assert len(lab.server.mail("alice")) == 1
        assert len(lab.sink.ended) == 2


def test_smtpd_killed_while_the_next_hop_thinks():
    """With PRDR the mailbox has it by then, and nothing says that the next
    hop has."""
    said = ["", "250 2.0.0 taken"]
    with Front({"dot": lambda *_: said.pop(0)}) as lab:
        text = new_message()

        def kill():
            wait_until(lambda: lab.sink.ended, 10, "the dot there")
            time.sleep(0.3)
            for pid in lab.server.children("smtpd"):
                os.kill(pid, signal.SIGKILL)
        killer = threading.Thread(target=kill)
        killer.start()
        assert attempt(lab, text, " PRDR") is None
        killer.join()
        until_taken(lab, text)
        assert len(lab.server.mail("alice")) == 1
        assert len(lab.sink.ended) == 2


def test_the_mailbox_fails_after_the_next_hop_has_it():
    """Its record keeps the retry from there."""
    with Front(server={"faults": True}) as lab:
        lab.server.faults.set("maildir.rename", "errno", 5, count=1)
        text = new_message()
        reply = attempt(lab, text)
        assert reply.code == 451, reply
        assert len(lab.sink.ended) == 1 and not lab.server.mail("alice")
        until_taken(lab, text)
        assert len(lab.sink.ended) == 1
        assert len(lab.server.mail("alice")) == 1


def test_a_route_expires_before_the_message():
    """Two hours after RCPT, by the clock: the client is to try again, and
    nobody takes smtpd for one that lies."""
    with Front(server={"faults": True}) as lab, \
            lab.server.connect() as client:
        smtpd = lab.server.children("smtpd")
        client.ehlo()
        client.expect("MAIL FROM:<a@elsewhere.example>", "250")
        client.expect("RCPT TO:<%s>" % BOB, "250")
        lab.server.faults.set("clock.wall", "errno", 3 * 3600, count=0)
        reply = client.data(new_message())
        assert reply.says("451 4.4.1"), reply
        lab.server.why(reply, "its route has expired")
        assert not lab.sink.ended
        assert lab.server.children("smtpd") == smtpd
        assert lab.server.deliver([BOB], new_message()).says("250")


def test_a_renewed_relay_breaks_the_rules():
    """The supervisor knows whom smtpd means, though it is not the first of
    its name any more, and gives them another channel: forwards go on."""
    with Front(server={"faults": True, "settings":
                       "\nprocesses {{ smtpd = 1 }}\n"}) as lab:
        lab.server.write_config(
            more=lab.more + "relay {{\n command_timeout = 40s\n}}\n")
        lab.server.reload()
        lab.server.wait_event("relay_renewed")
        wait_until(lambda: len(lab.server.children("relay")) == 1, 30,
                   "the end of the old one")
        hit = lab.server.faults.set("garble.smtpd", "errno", 1, role="relay")
        assert until_taken(lab, new_message()) > 1
        assert lab.server.faults.hits(hit) == 1
