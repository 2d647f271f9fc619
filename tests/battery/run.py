#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The battery that must show zero: every way to fail after the 250, with a
client who forges victim@elsewhere.test, in a network where a sink stands
behind every address. Run against Postern, and Debian's Postfix beside it.

usage: run.py [--postern-only] [--way NAME] [--json FILE] [WORD ...]
WORD: only cases whose title holds one. The figures are messages that reached
the victim; in brackets those that Postfix still holds and returns some day.
A case passes when Postern sent the victim nothing, the message is in every
promised mailbox or in none, and each recipient had one final answer."""
import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests/e2e")]
from client import Client, new_message  # noqa: E402
from postern import wait_until  # noqa: E402

NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork",
              "--kill-child", "--mount-proc"]
AT_A_TIME = 6
NUMBERS = itertools.count(1)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*")
    parser.add_argument("--postern-only", action="store_true")
    parser.add_argument("--way", action="append", default=[], choices=(
        "plain", "ipv6", "tls", "pipelined", "all"))
    parser.add_argument("--json")
    parser.add_argument("--inside", action="store_true")
    return parser.parse_args()


def enter():
    """Users of this machine, then this program again in a world of its
    own."""
    from conftest import ensure_user
    from mx import PostfixPeer
    from postern import OTHER_OWNER, OWNER
    subprocess.run([os.path.join(TOP, "tests/make-users.sh")], check=True)
    for name in (OWNER, OTHER_OWNER):
        ensure_user(name)
    if not parse().postern_only:
        PostfixPeer.unpack()    # there is no way to Debian from inside
    os.execvp("unshare", [*NAMESPACES, sys.executable,
                          os.path.abspath(__file__), "--inside",
                          *sys.argv[1:]])


def run_case(title, mx, world, way_name):
    """The Run, all of whose messages were sent."""
    from cases import CASES, Run
    from shots import WAYS
    run = Run(title, mx, world, WAYS[way_name], next(NUMBERS))
    run.way_name, run.waits = way_name, 0
    began = time.monotonic()
    try:
        if CASES[title].own is None:
            CASES[title].function(run)
        else:
            run_alone(run, CASES[title])
    except Exception as error:      # the table says it
        run.problems.append("%s: %s" % (type(error).__name__, error))
    run.took = time.monotonic() - began
    return run


def run_alone(run, case):
    """On a server of its own, to the end."""
    options = case.own() if callable(case.own) else \
        contextlib.nullcontext(case.own)
    with options as words, type(run.mx)(run.world, **words) as mx:
        run.mx = mx
        try:
            case.function(run)
            mx.settle()
        except Exception as error:
            run.problems.append("%s: %s" % (type(error).__name__, error))
        run.waits = mx.waiting(run.victim)
        run.judge()
        if run.problems and run.is_postern:
            run.problems.append(mx.log_text()[-3000:])
        run.mailboxes = mx.own_mail()


def run_all(titles, mx, world, ways):
    """A Run for each case that this server can have, each way."""
    from cases import CASES
    mine = [(t, way) for t in titles if CASES[t].only in (None, mx.name)
            for way in ways]
    # those that take long begin first; the pool keeps the order
    mine.sort(key=lambda c: CASES[c[0]].own is None)
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda c: run_case(c[0], mx, world, c[1]),
                             mine))


def results_of(runs, mx, world):
    """A dictionary of each, after all is quiet."""
    mx.settle()
    return [{
        "title": run.title, "way": run.way_name, "server": mx.name,
        "seconds": run.took, "victim": world.sink.count(run.victim),
        "waits": mx.waiting(run.victim) if run.mx is mx else run.waits,
        "answers": sorted({str(c) for s in run.shots for c in s.codes}),
        "problems": run.judge() if run.mx is mx else run.problems}
        for run in runs]


def strays(mx, world, runs):
    """Mail that nobody sent, and mail that went to no victim. To proof.test
    our own user writes."""
    from shots import mailbox_ids
    sent = {s.id for run in runs for s in run.shots}
    boxes = {box: mailbox_ids(box) for box in mx.all_boxes()}
    for run in runs:
        boxes.update(getattr(run, "mailboxes", {}))
    found = ["%s in %s" % (i, box) for box, ids in boxes.items()
             for i in ids if i not in sent and i != "<filler>"]
    return found + ["the sink has mail for %s" % a for a in
                    world.sink.received if not a.startswith("victim-") and
                    not a.endswith("@proof.test")]


def way_out(mx, world):
    """The sink would have got it: our own user's mail arrives there."""
    with Client(mx.folder + "/submit") as c:
        c.ehlo()
        c.deliver("control@elsewhere.test", new_message(),
                  sender="root@example.org")
        c.quit()
    try:
        wait_until(lambda: world.sink.count("control@elsewhere.test") == 1,
                   30, "our own mail at the sink")
    except AssertionError as error:
        return [str(error)]
    return []


def write_files(world):
    """What both servers' aliases are and name."""
    from mx import ALIASES, PROGRAM
    with open("/etc/aliases", "w", encoding="ascii") as f:
        f.write(ALIASES.format(d=world.folder))
    with open(world.folder + "/unreadable", "w", encoding="ascii") as f:
        f.write("u006\n")
    os.chmod(world.folder + "/unreadable", 0)
    with open(world.folder + "/program", "w", encoding="ascii") as f:
        f.write(PROGRAM)
    os.chmod(world.folder + "/program", 0o755)
    os.mkdir(world.folder + "/kept")
    os.chmod(world.folder + "/kept", 0o1777)


def battery(options):
    """All results: a list of dictionaries."""
    from every_case import CASES
    from mx import N_NAMED, PosternMx, PostfixMx
    from world import World
    titles = [t for t in CASES if not options.words or
              any(w in t for w in options.words)]
    world = World()
    write_files(world)
    world.n_users = N_NAMED     # whom aliases name
    with PosternMx(world) as mx:
        runs = run_all(titles, mx, world, options.way or ["plain", "all"])
        found = results_of(runs, mx, world)
        stray = strays(mx, world, runs) + way_out(mx, world)
        if stray or any(r["problems"] for r in found):
            print(mx.log_text()[-8000:])
    if not options.postern_only:
        with PostfixMx(world) as mx:
            found += results_of(run_all(titles, mx, world, ["plain"]), mx,
                                world)
    world.close()
    return found, stray


def reached(found, server):
    """(cases in which the victim got something, all of this server)."""
    mine = [r for r in found if r["server"] == server]
    return (len({r["title"] for r in mine if r["victim"]}),
            len({r["title"] for r in mine}))


def show(found, stray):
    """The table; whether all passed."""
    from every_case import CASES
    titles = [t for t in CASES if any(r["title"] == t for r in found)]
    width = max(map(len, titles))
    print("%-*s  Postern  Postfix" % (width, "messages to the victim"))
    n_failed = 0
    for title in titles:
        mine = [r for r in found if r["title"] == title and
                r["server"] == "postern"]
        other = [r for r in found if r["title"] == title and
                 r["server"] == "postfix"]
        cell = "-" if not other else str(other[0]["victim"]) + (
            " (%d)" % other[0]["waits"] if other[0]["waits"] else "")
        print("%-*s  %7d  %s" % (width, title, sum(
            r["victim"] for r in mine), cell.rjust(7)))
        bad = [r for r in mine if r["victim"] or r["problems"]]
        n_failed += bool(bad)
        for r in bad:
            print("    over %s: %d to the victim; %s" % (
                r["way"], r["victim"], "; ".join(r["problems"])))
    for line in stray:
        print("    " + line)
    print("cases in which a message reached the victim: " + ", ".join(
        "%s %d of %d" % (name, *reached(found, name))
        for name in ("postern", "postfix")))
    n_failed += bool(stray)
    print("%d passed, %d failed" % (len(titles) + 1 - n_failed, n_failed))
    return not n_failed


def main():
    """Outside, then inside of the namespaces."""
    options = parse()
    if not options.inside:
        enter()
    found, stray = battery(options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"cases": found, "stray": stray}, f)
    return 0 if show(found, stray) else 1


if __name__ == "__main__":
    sys.exit(main())
