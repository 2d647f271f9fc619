#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""make bench: Postern and Postfix, the same job, the same load, in turn.

usage: run.py BUILD

Environment: ROUNDS (3), QUICK=1 (one round, fewer messages), ONLY=postfix
or ONLY=postern, CASES="new20 one" (see cases.py; "waiting" is for sessions
that wait for DNS, and verdicts; "sessions" for idle and slow ones; "backlog"
for 100,000 queued messages).

Everything happens below BUILD/bench. Exit status 0 if the goals are met, 1
if not, 2 if the bench could not run. Needs root (Postfix wants its uids).
"""

import json
import os
import platform
import shutil
import subprocess
import sys

import backlog
import cases
import checked
import measure
import outbound
import report
import servers

PORTS = {"postfix": 2621, "postern": 2622, "sink": 2623,
         "checked postfix": 2624, "checked postern": 2625,
         "outbound postfix": 2626, "outbound postern": 2627,
         "backlog empty": 2628, "backlog full": 2629}
OTHER_CASES = {"sessions", "waiting", "backlog"}
BUSY_SHARE = 0.15  # of the machine's CPU time, used by others
TRIES = 3
HERE = os.path.dirname(os.path.abspath(__file__))


def note(text):
    print(text, flush=True)


def describe_machine(build):
    kind = subprocess.run(["stat", "-f", "-c", "%T", build],
                          stdout=subprocess.PIPE, text=True)
    return {"cores": os.cpu_count(), "kernel": platform.release(),
            "file_system": kind.stdout.strip(),
            "load_average_before": os.getloadavg()[0]}


def warm_up(bench, server, case):
    if case.to:
        bench.send_on(server, case, 200)
    else:
        bench.load(server, cases.FAST_CHECKED if case.has_checks else
                   cases.FAST, 400)


def load_quietly(bench, server, case):
    """Once, or the quietest of a few when others use the machine."""
    runs = []
    while len(runs) < TRIES and (
            not runs or runs[-1]["others_share"] > BUSY_SHARE):
        runs.append(bench.send_on(server, case) if case.to else
                    bench.load(server, case))
    return min(runs, key=lambda run: run["others_share"])


def run_case(bench, case, who, results):
    """Each server and the bare disk once, one right after the other."""
    runs = results["cases"].setdefault(case.key, {})
    for server in who:
        run = load_quietly(bench, server, case)
        runs.setdefault(server.name, []).append(run)
        note("    %-42s %-8s %8.0f %-8s CPU/1k %6.3f  p99 %5.1f ms%s" % (
            case.title, server.name, run["rate"], case.unit,
            run["cpu_s_per_1000"], run["p99_ms"],
            "  (others: %.0f%%)" % (100 * run["others_share"])
            if run["others_share"] > BUSY_SHARE else ""))
    if not case.is_flood and not case.to:
        runs.setdefault("limit", []).append(
            bench.limit(who[-1].mail, case))


def run_round(bench, who, selected, results):
    try:
        for server in who:
            server.start()
            warm_up(bench, server, selected[0])
        for case in selected:
            run_case(bench, case, who, results)
    finally:
        for server in who:
            server.stop()


def kind_of(case):
    return "outbound" if case.to else case.has_checks


def run_rounds(bench, everybody, selected, rounds, results):
    """One kind after the other: other servers, so not at a time."""
    for number in range(rounds):
        note("round %d of %d" % (number + 1, rounds))
        for kind in (False, True, "outbound"):
            part = [c for c in selected if kind_of(c) == kind]
            if part:
                run_round(bench, everybody[kind], part, results)


def run_sink(bench, selected, results):
    for case in selected:
        if case.tls or case.to:     # the sink knows no TLS
            continue
        results["cases"].setdefault(case.key, {})["sink"] = [
            bench.sink(PORTS["sink"], case)]


def run_flushes(bench, who, results):
    if shutil.which("strace") is None:
        note("flushes are not counted: strace is not installed")
        return
    note("flushes")
    for server in who:
        results.setdefault("flushes", {})[server.name] = {
            case.key: bench.flushes(server, case, 1000 // bench.divisor)
            for case in cases.CASES if case.key in ("one", "reused100")}


def run_sessions(bench, who, rounds, results):
    """Idle and slow sessions; a Postfix process serves just one."""
    note("idle and slow sessions")
    for server in who:
        server.start()
        try:
            count = cases.IDLE_SESSIONS if server.name == "postern" else 90
            results.setdefault("idle", {})[server.name] = \
                bench.idle(server, count)
            if server.name == "postern":
                warm_up(bench, server, cases.FAST)
                results["slow"] = [bench.slow(server)
                                   for _ in range(rounds)]
        finally:
            server.stop()


def run_waiting(bench, who, rounds, results):
    note("sessions that wait for DNS")
    for server in who:
        server.start()
        try:
            warm_up(bench, server, cases.FAST_CHECKED)
            results["waiting"] = [bench.waiting(server)
                                  for _ in range(rounds)]
        finally:
            server.stop()


def run_backlog(bench, who, rounds, results):
    note("%d queued messages" % backlog.MESSAGES)
    case = next(c for c in cases.CASES if c.key == "relay1")
    results["backlog"] = backlog.measure(bench, *who, case, rounds)


def select():
    names = os.environ.get("CASES", "").split()
    unknown = set(names) - {case.key for case in cases.CASES} - OTHER_CASES
    if unknown:
        sys.exit("no such case: " + " ".join(sorted(unknown)))
    return [c for c in cases.CASES if not names or c.key in names]


def prepare(build):
    """The tools, and the servers, in a network of their own: {False:
    without checks, True: with all, "waiting": with dead DNS, "outbound":
    mail for elsewhere, "backlog": an empty queue and a full one}."""
    tools = os.path.join(build, "bench", "bin")
    subprocess.run(["make", "-s", "-C", HERE, "BIN=" + tools], check=True)
    only = os.environ.get("ONLY", "")
    everybody = {
        False: [servers.Postfix(build, PORTS["postfix"], tools),
                servers.Postern(build, PORTS["postern"], tools)],
        True: [checked.CheckedPostfix(build, PORTS["checked postfix"], tools),
               checked.CheckedPostern(build, PORTS["checked postern"],
                                      tools)],
        "waiting": [checked.WaitingPostern(build, PORTS["checked postern"],
                                           tools)],
        "outbound": [
            outbound.OutboundPostfix(build, PORTS["outbound postfix"], tools),
            outbound.OutboundPostern(build, PORTS["outbound postern"],
                                     tools)],
        "backlog": [backlog.BacklogPostern(build, PORTS["backlog " + name],
                                           tools, name == "full")
                    for name in ("empty", "full")]}
    for kind, who in everybody.items():
        everybody[kind] = [s for s in who if only in ("", s.name)]
        for server in everybody[kind]:
            note("preparing " + server.instance)
            server.prepare()
    checked.enter_network()
    return tools, everybody


def run_all(build, results):
    is_quick = os.environ.get("QUICK", "") not in ("", "0")
    rounds = int(os.environ.get("ROUNDS", "1" if is_quick else "3"))
    selected = select()
    tools, everybody = prepare(build)
    bench = measure.Bench(tools, 2 if is_quick else 1,
                          checked.key_path(build))
    run_sink(bench, selected, results)
    run_rounds(bench, everybody, selected, rounds, results)
    names = os.environ.get("CASES", "").split()
    if not names:
        run_flushes(bench, everybody[False], results)
    if not names or "sessions" in names:
        run_sessions(bench, everybody[False], rounds, results)
    if not names or "waiting" in names:
        results["verdicts"] = [bench.verdicts(build) for _ in range(rounds)]
        run_waiting(bench, everybody["waiting"], rounds, results)
    if everybody["backlog"] and (not names or "backlog" in names):
        run_backlog(bench, everybody["backlog"], rounds, results)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if os.geteuid() != 0:
        print("make bench needs root: Postfix changes uids. "
              "Try: sudo make bench", file=sys.stderr)
        return 2
    build = os.path.abspath(sys.argv[1])
    os.makedirs(build + "/bench", exist_ok=True)
    results = {"machine": describe_machine(build), "cases": {}}
    try:
        run_all(build, results)
    except (measure.Failed, RuntimeError, OSError,
            subprocess.CalledProcessError) as error:
        print("bench: %s" % error, file=sys.stderr)
        return 2
    rows = report.summarize(results)
    goals = report.goals(results, rows)
    results["summary"], results["goals"] = rows, goals
    with open(build + "/bench/result.json", "w") as out:
        json.dump(results, out, indent=1)
    report.print_table(rows)
    report.print_noise(results)
    report.print_others(results)
    report.print_checks(results)
    missed = report.print_goals(goals)
    note("\n%d of %d goals met; all figures: %s/bench/result.json" % (
        len(goals) - len(missed), len(goals), build))
    return 1 if missed or not goals else 0


if __name__ == "__main__":
    sys.exit(main())
