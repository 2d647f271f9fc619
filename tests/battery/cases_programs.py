# SPDX-License-Identifier: ISC
"""Cases of programs that aliases name: how they can end (PROGRAM of mx.py)."""
from cases import case
from mx import SIGNALS

PROGRAMS = {"more": "program_timeout = 5s\nprogram_output = 64K\n"
            'program_user = "postern-test"\n'}


@case("program exits with each code", own=PROGRAMS)
def exits(run):
    codes = {n: run.send("exit-%d@example.org" % n)
             for n in range(256)}
    for n, answers in codes.items():
        run.want(answers, {0: 250, 67: 550}.get(n, 451))


@case("program is killed", own=PROGRAMS)
def killed(run):
    for n in SIGNALS:
        run.want(run.send("kill-%d@example.org" % n), 451)


@case("program hangs", own=PROGRAMS)
def hangs(run):
    run.want(run.send(["hangs@example.org", run.user()]), 451, 451)


@case("program floods, does not read, does not exist", own=PROGRAMS)
def floods(run):
    run.want(run.send("floods@example.org"), 451)
    run.want(run.send("blind@example.org"), 250)
    run.want(run.send("missing@example.org"), 451)


@case("program fails beside a mailbox", own=PROGRAMS)
def beside(run):
    for name in ("exit-mixed", "program-and-box"):
        run.stands_for(name + "@example.org", "u009@example.org")
        run.send(name + "@example.org")
    run.send([run.user(), "exit-mixed@example.org"])
    run.send([run.user(), "exit-1@example.org"])
