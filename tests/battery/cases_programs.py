# SPDX-License-Identifier: ISC
"""Cases of programs that aliases name: how they can end (PROGRAM of mx.py)."""
import os
import re

from cases import case
from cases_faults import ONE_EACH, Killer, kill_at
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


def kept(world):
    """The Message-IDs of what the program keep was given."""
    folder, found = world.folder + "/kept", []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            found += re.findall(r"(?mi)^Message-ID: (\S+)",
                                f.read().decode())
    return found


# role, point; a star: it has run, and nobody knows (RFC 1047)
PROGRAM_KILLS = [p.split() for p in """
smtpd smtpd.before-last
deliver deliver.before-program
runner runner.run
monitor monitor.start
monitor monitor.ended *
monitor monitor.answer *
deliver deliver.after-program *
smtpd smtpd.after-last
smtpd smtpd.before-commit
deliver deliver.before-commit
smtpd smtpd.before-reply
""".strip().splitlines()]


@case("kill -9 at each step of a program", "postern", {
    "more": PROGRAMS["more"] + ONE_EACH["more"]})
def killed_at(run):
    killer = Killer(run)
    run.stands_for("keep@example.org", "u009@example.org")
    for role, point, *star in PROGRAM_KILLS:
        kill_at(run, killer, (role, point), ["keep@example.org"])
        n = kept(run.world).count(run.shots[-1].id)
        if not 1 <= n <= 1 + len(star):
            run.problems.append("%s: it ran %d times" % (point, n))


@case("program fails beside a mailbox, with PRDR", "postern", PROGRAMS)
def prdr(run):
    for name, code in (("exit-1", 451), ("exit-67", 550), ("hangs", 451),
                       ("exit-0", 250)):
        run.want(run.send([run.user(), name + "@example.org"],
                          params=" PRDR"), 250, code)
