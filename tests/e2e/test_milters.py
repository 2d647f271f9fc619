# SPDX-License-Identifier: ISC
"""Milters of Debian, and one that does what a message says: replies, trail,
mailboxes."""
import re

import pytest

from client import new_message
from filters import Program


def section(milter, keys="timeout = 5s"):
    """A section of postern.conf."""
    return 'milter "%s" {{ %s }}\n' % (milter.endpoint, keys)


def asks(*lines, body="Hello.\n"):
    """A message that tells the program what to do."""
    return new_message(fields="".join(line + "\n" for line in lines),
                       body=body)


@pytest.fixture(scope="module")
def program():
    milter = Program()
    yield milter
    milter.close()


@pytest.fixture(scope="module")
def server(make_module_server, program):
    return make_module_server(checks=section(program),
                              limits="errors_per_session = 0")


def test_what_it_is_told(server, program):
    program.clear()
    assert server.deliver("alice@example.org", asks("X-Do: add X-New=yes"),
                          sender="s@elsewhere.example").code == 250
    whats = [e["what"] for e in program.events()]
    assert whats[:5] == ["connect", "helo", "mail", "rcpt", "data"]
    assert whats[-2:] == ["eom", "close"]
    mail = server.mail("alice")[-1]
    assert mail.get("X-New") == "yes"
