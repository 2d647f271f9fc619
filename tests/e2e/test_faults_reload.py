# SPDX-License-Identifier: ISC
"""kill -9 during a reload, while a transaction of the old generation stands
still: who was told 250 has it, a retry gives it to everybody once, and the
new configuration comes into force all the same."""
import itertools
import os
import signal
import time

import pytest

from client import Closed, new_message
from faults import TWO, Background, must, run_cases
from postern import wait_until

# Those with a star are inside of COMMIT (P2).
POINTS = [p.split() for p in ("smtpd.end-of-data", "smtpd.before-commit",
                              "worker.commit *")]
# Seconds after the signal, or when the supervisor says that it is done.
MOMENTS = (0, 0.01, "reloaded")
VICTIMS = [(role, which) for role in ("smtpd", "directory", "deliver")
           for which in ("old", "new", "all")] + \
    [(role, "all") for role in ("worker", "store", "control", "compiler",
                                "supervisor")]
CASES = [(*victim, moment, *point) for point in POINTS
         for victim in VICTIMS for moment in MOMENTS]
recipients_limit = itertools.count(10)


def case_id(case):
    return "-".join(map(str, case[:4]))


def kill_some(lab, role, which, old):
    """kill -9 of the role's processes from before the reload, or of the
    others, or of all."""
    if which == "all":
        lab.kill(role)
        return
    for pid in lab.pids(role):
        if (pid in old) == (which == "old"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    lab.n_kills += 1


def announces(lab, limit):
    """Whether a new session sees the configuration with this limit."""
    try:
        with lab.server.connect() as c:
            return c.ehlo().get("LIMITS") == "RCPTMAX=%d" % limit
    except (Closed, OSError, AssertionError):
        return False


def run_reload(lab, case):
    role, which, moment, point = case[:4]
    limit = next(recipients_limit)
    message = new_message(size=3000)
    slot = lab.faults.set(point, "sleep", 300)
    client = Background(lab, TWO, message)
    wait_until(lambda: lab.faults.hits(slot) > 0, 10, point, every=0.01)
    old = lab.pids(role)
    n_before = len(lab.server.events("reloaded"))
    lab.server.write_config(limits="recipients = %d" % limit)
    lab.server.process.send_signal(signal.SIGHUP)
    if moment == "reloaded":
        wait_until(lambda: len(lab.server.events("reloaded")) > n_before, 10,
                   "event=reloaded", every=0.005)
    else:
        time.sleep(moment)
    kill_some(lab, role, which, old)
    first = client.end()
    if role == "control":
        must([r.code for r in first.values()] == [250, 250],
             "control is not needed: %s", first)
    lab.rest()
    if case[-1] != "*":
        lab.settled(TWO, message, told=first)
    lab.send(TWO, message, first=first)
    wait_until(lambda: announces(lab, limit), 20, "the new configuration")


@pytest.fixture(scope="module")
def results():
    return run_cases(CASES, run_reload)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_kill_during_a_reload(results, case):
    if results[case] is not None:
        raise results[case]
