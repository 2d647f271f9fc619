# SPDX-License-Identifier: ISC
"""A process that stands still, or has died and stays away (P3): within its
deadline the client is told to try again, never 250 and never 5xx; nobody has
a copy; all is well as soon as it is back. Where the check only marks, the
message is delivered and the trail says who was silent."""
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import signal
import time

import pytest

from client import new_message
from filters import Clamd, Program
from nameserver import Nameserver
from postern import Server, wait_until

TIMEOUT = 60
ZONES = {"example": "elsewhere MX 10 mx.elsewhere"}
GREYLIST = "greylist = refuse  greylist_delay = 1s"


@dataclasses.dataclass(frozen=True)
class Case:
    """Who is silent, and what the client hears at which command. A milter
    and clamd have timeout = 2s."""
    name: str
    role: str
    want: str
    at: str
    checks: str = ""
    within_s: float = 12
    told: tuple = ()        # in the trail of what was delivered


CASES = [
    Case("resolver", "resolver", "451 4.4.3", "MAIL",
         "sender_domain = refuse"),
    Case("resolver-spf", "resolver", "451 4.7.24", "MAIL", "spf = refuse"),
    Case("resolver-lists", "resolver", "451 4.4.3", "RCPT",
         'dnsbl "list.example" {{ }}\ndnsbl_refuse_at = 1'),
    Case("resolver-dmarc", "resolver", "451 4.7.26", "DATA",
         "dmarc = refuse"),
    Case("policy", "policy", "451 4.3.0", "MAIL", "sender_domain = refuse",
         within_s=17),
    Case("policy-content", "policy", "451 4.3.0", "DATA",
         "content = refuse", within_s=17),
    # without a judgement nobody knows what is in .Junk, or forged
    Case("policy-mark", "policy", "451 4.3.0", "MAIL", "helo = mark",
         within_s=17),
    Case("store", "store", "451 4.3.0", "DATA", within_s=22),
    Case("store-greylist", "store", "451 4.7.1", "RCPT", GREYLIST),
    Case("directory", "directory", "451 4.4.3", "RCPT"),
    Case("deliver", "deliver", "451 4.3.0", "RCPT", within_s=22),
    Case("clamd", "clamd", "451 4.3.0", "DATA", "virus = refuse"),
    Case("milter", "milter", "451 4.3.0", "MAIL"),
    Case("control", "control", "250 2.0.0", "DATA"),
    Case("resolver-mark", "resolver", "250 2.0.0", "DATA",
         "sender_domain = mark  spf = mark", within_s=20,
         told=("check sender_domain verdict mark", "no answer",
               "temperror")),
    Case("clamd-mark", "clamd", "250 2.0.0", "DATA", "virus = mark",
         told=("check virus verdict mark", "answer none")),
    Case("milter-mark", "milter", "250 2.0.0", "DATA", "mark",
         told=("check milter verdict mark", "answer none")),
]
HOW = ("stopped", "killed")


class House:
    """The server of one case, with what it asks."""

    def __init__(self, case, stack):
        self.case, self.program = case, None
        checks = case.checks
        if case.role in ("clamd", "milter"):
            self.program = {"clamd": Clamd, "milter": Program}[case.role]()
            stack.callback(self.program.close)
            marks = "on_failure = mark" if checks == "mark" else ""
            checks = '%s\n%s "%s" {{ timeout = 2s %s }}' % (
                "" if marks else checks, case.role, self.program.endpoint,
                marks)
        nameserver = Nameserver(ZONES)
        stack.callback(nameserver.close)
        self.server = Server(checks=checks,
                             more=nameserver.config("timeout = 3s"))
        stack.callback(self.server.close)
        self.server.may_crash = True
        self.server.start()

    def silence(self, how):
        """Returns what ends it."""
        is_ours = self.program is None
        pids = self.server.children(self.case.role) if is_ours else \
            [self.program.process.pid]
        assert pids
        if how == "killed" and is_ours:
            # nobody starts it again
            self.server.process.send_signal(signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP if how == "stopped" else
                    signal.SIGKILL)
        if how == "stopped":
            return lambda: [os.kill(pid, signal.SIGCONT) for pid in pids]
        if is_ours:
            return lambda: self.server.process.send_signal(signal.SIGCONT)
        self.program.process.wait()
        return self.start_again

    def start_again(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.program.socket)
        if self.case.role == "clamd":
            self.program.start()
        else:
            self.program.again()

    def one_try(self, message):
        """(the last reply, the command that it answers)."""
        with self.server.connect(timeout=TIMEOUT) as c:
            c.ehlo()
            for at, line in (("MAIL", "MAIL FROM:<s@elsewhere.example>"),
                             ("RCPT", "RCPT TO:<alice@example.org>")):
                reply = c.command(line)
                if reply.code != 250:
                    return reply, at
            return c.data(message), "DATA"


def run(case, how):
    """(reply, its command, seconds, copies meanwhile, the trail of it)."""
    with contextlib.ExitStack() as stack:
        house = House(case, stack)
        server, message = house.server.await_trail(), new_message()
        end = house.silence(how)
        try:
            began = time.monotonic()
            reply, at = house.one_try(message)
            took = time.monotonic() - began
            # a copy that was begun is taken out of tmp/ behind the reply
            n_meanwhile = sum(os.path.basename(os.path.dirname(path)) != "tmp"
                              for path in server.all_files())
        finally:
            end()
        wait_until(lambda: house.one_try(message)[0].code == 250, 30,
                   "service", every=0.3)
        # a retry of what was delivered is not delivered twice; its copy was
        # begun before that was known, and goes behind the 250
        wait_until(lambda: server.tmp_files("alice") == [], 5, "an empty tmp/")
        assert len(server.mail("alice")) == 1
        died = {e["role"] for e in server.events("compartment_died")}
        assert died <= {case.role}, died
        return reply, at, took, n_meanwhile, server.why(reply, *case.told)


@pytest.fixture(scope="module")
def results():
    """Several at a time, as each waits for a deadline."""
    keys = list(itertools.product(CASES, HOW))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = {(c.name, how): pool.submit(run, c, how)
                   for c, how in keys}
        return {key: f.exception() or f.result()
                for key, f in futures.items()}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_silence_is_never_an_accept(results, case, how):
    result = results[case.name, how]
    if isinstance(result, Exception):
        raise result
    reply, at, took, n_meanwhile, trail = result
    assert reply.says(case.want) and at == case.at, (reply, at)
    assert took < case.within_s
    assert n_meanwhile == (1 if reply.code == 250 else 0)
    if reply.code != 250:
        assert "Verdict   temporary" in trail, trail


@pytest.mark.parametrize("role, checks, want", [
    ("store", "", "451 4.3.0"), ("directory", "", "451 4.4.3"),
    ("policy", "helo = mark", "451 4.3.0"), ("deliver", "", "451 4.3.0"),
    ("resolver", "sender_domain = refuse", "451 4.4.3")])
def test_who_stands_still_is_slow_once(make_server, role, checks, want):
    """Who comes behind the one that has found out waits no more; the first
    word ends it."""
    nameserver = Nameserver(ZONES)
    server = make_server(checks=checks, settings="processes {{ smtpd = 1 }}\n",
                         more=nameserver.config("timeout = 3s"))
    server.may_crash = True     # a stopped policy is ended by its own alarm

    def one_try(message):
        with server.connect(timeout=TIMEOUT) as c:
            c.ehlo()
            for line in ("MAIL FROM:<s@elsewhere.example>",
                         "RCPT TO:<alice@example.org>"):
                reply = c.command(line)
                if reply.code != 250:
                    return reply
            return c.data(message)
    pids = server.children(role)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    # each of a pool may have to be found out
    for _ in range(len(pids) + 1):
        assert one_try(new_message()).says(want)
    for _ in range(3):
        began = time.monotonic()
        assert one_try(new_message()).says(want)
        assert time.monotonic() - began < 2.5
    assert not server.all_files()
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    message = new_message()
    wait_until(lambda: one_try(message).code == 250, 10, "service", every=0.3)
    assert len(server.mail("alice")) == 1
    nameserver.close()
