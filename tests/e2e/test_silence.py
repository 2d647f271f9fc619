# SPDX-License-Identifier: ISC
"""A compartment that does not die but stands still: within its deadline the
client is told to try again, nobody has a copy, and all is well as soon as it
moves again (P3)."""
import concurrent.futures
import os
import signal

import pytest

from client import new_message
from postern import Server, wait_until

# role, what is told, and at which command
CASES = {"directory": ("451 4.4.3", "RCPT"), "deliver": ("451 4.3.0", "RCPT"),
         "store": ("451 4.3.0", "DATA"), "control": ("250 2.0.0", "DATA")}
DEADLINE = 60


def one_try(server, message):
    """(the last reply, the command that it answers)."""
    with server.connect(timeout=DEADLINE) as c:
        c.ehlo()
        c.expect("MAIL FROM:<sender@elsewhere.example>", "250")
        reply = c.command("RCPT TO:<alice@example.org>")
        if reply.code != 250:
            return reply, "RCPT"
        return c.data(message), "DATA"


def stand_still(role):
    """What a client sees while all processes of a role are stopped."""
    server = Server()
    try:
        server.start()
        message = new_message()
        pids = server.children(role)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            reply, command = one_try(server, message)
            n_meanwhile = len(server.mail("alice"))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: one_try(server, message)[0].code == 250, 30,
                   "service")
        # a retry of what was delivered is not delivered twice
        assert len(server.mail("alice")) == 1
        assert server.tmp_files("alice") == []
        assert not server.problems(), server.log_text()
        return reply, command, n_meanwhile
    finally:
        server.close()


@pytest.fixture(scope="module")
def results():
    """All at a time, as each waits for a deadline."""
    with concurrent.futures.ThreadPoolExecutor(len(CASES)) as pool:
        return dict(zip(CASES, [f.exception() or f.result() for f in [
            pool.submit(stand_still, role) for role in CASES]]))


@pytest.mark.parametrize("role", CASES)
def test_silence_is_never_an_accept(results, role):
    if isinstance(results[role], Exception):
        raise results[role]
    reply, command, n_meanwhile = results[role]
    want, at = CASES[role]
    assert reply.says(want) and command == at, (reply, command)
    assert n_meanwhile == (1 if reply.code == 250 else 0)
