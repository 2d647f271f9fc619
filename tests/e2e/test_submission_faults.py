# SPDX-License-Identifier: ISC
"""kill -9 at the steps of a submission: who was told 250 has it, here and
elsewhere; who was not sends again, and nobody here has it twice."""
import smtplib
import time

import pytest

from postern import wait_until
from test_submission import ALICE, Lab, message

# and how often it may arrive elsewhere in the end
POINTS = [
    ("smtpd", "smtpd.before-sign", 1),
    ("smtpd", "smtpd.before-queue", 1),
    ("smtpd", "smtpd.after-queue", 1),
    ("smtpd", "smtpd.before-commit", 1),
    ("smtpd", "smtpd.before-queue-commit", 1),
    ("smtpd", "smtpd.after-queue-commit", 2),
    ("smtpd", "smtpd.before-reply", 2),
    ("queue", "queue.after-files", 1),
    ("queue", "queue.after-flush", 1),
    ("queue", "queue.prepared", 1),
    ("queue", "queue.commit", 1),
    ("queue", "queue.committed", 2),
    ("deliver", "deliver.before-commit", 1),
    ("store", "store.before-ledger", 1),
    ("store", "store.after-commit", 2),
]


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    """Its compartments die; it lives on."""
    with Lab(faults=True) as lab:
        yield lab


def attempt(lab, text):
    """The code; None when the connection broke."""
    try:
        return lab.send(["bob@example.org", "x@remote.example"], text)[0]
    except (smtplib.SMTPException, OSError, AssertionError):
        return None


@pytest.mark.parametrize("role, point, most", POINTS)
def test_killed(lab, role, point, most):
    mark = "mark-%s" % point
    text = ("From: %s\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\n"
            "Message-ID: <%s@example.org>\r\nSubject: %s\r\n\r\nx\r\n"
            % (ALICE, mark, mark)).encode()

    def elsewhere():
        return sum(mark.encode() in (
            m.text if isinstance(m.text, bytes) else m.text.encode())
                   for m in lab.sink.messages)

    def here():
        return sum(m.get("Subject") == mark for m in lab.server.mail("bob"))

    index = lab.server.faults.set(point, "kill", role=role)
    codes = [attempt(lab, text)]
    wait_until(lambda: lab.server.faults.hits(index) > 0, 20, "the kill")
    lab.server.faults.clear()
    until = time.monotonic() + 30
    while codes[-1] != 250 and time.monotonic() < until:
        time.sleep(0.3)
        codes.append(attempt(lab, text))
    assert codes[-1] == 250, codes
    assert here() == 1
    wait_until(lambda: elsewhere() >= 1, 90, "arrival elsewhere")
    time.sleep(0.5)
    assert 1 <= elsewhere() <= most
    assert here() == 1


def test_a_renewed_relay_breaks_the_rules():
    """The supervisor knows whom queue means, though it is not the first of
    its name any more, and gives them another channel: mail goes on."""
    with Lab(faults=True) as lab:
        lab.server.write_config(more=lab.server.pieces["more"].replace(
            "relay {{", "relay {{ command_timeout = 40s "))
        lab.server.reload()
        lab.server.wait_event("relay_renewed")
        wait_until(lambda: len(lab.server.children("relay")) == 1, 30,
                   "the end of the old one")
        hit = lab.server.faults.set("garble.queue", "errno", 1, role="relay")
        lab.send("x@remote.example", message())
        wait_until(lambda: lab.server.faults.hits(hit) == 1, 30, "the lie")
        lab.server.wait_event("suspected_break_in")
        lab.send("y@remote.example", message())
        wait_until(lambda: any("y@remote.example" in to
                               for m in lab.sink.messages
                               for to in m.recipients), 30, "the next one")
