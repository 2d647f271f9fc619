#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Where the time of a server goes, under one load of the bench.

usage: profile.py BUILD [CASE [SERVER]]		(reused100 postern)

Prints the CPU time of each compartment, its system calls per message
(strace -c), and the functions that take most of it (perf). What strace
and perf need must be installed. Results stay in BUILD/bench/profile.
"""

import os
import re
import subprocess
import sys
import time

import accounting
import cases
import checked
import measure
import run

MESSAGES_TRACED = 5000  # so many that caches are warm
LINES = 25


def role_of(pid):
    with open("/proc/%d/cmdline" % pid) as cmdline:
        arguments = cmdline.read().split("\0")
    role = os.path.basename(arguments[0].split(" ")[0])
    if role == "postern" and "-c" in arguments:
        return arguments[arguments.index("-c") + 1]
    return role


def pids_by_role(server):
    roles = {}
    for pid in server.group.pids():
        roles.setdefault(role_of(pid), []).append(pid)
    return roles


def is_traced(pid):
    with open("/proc/%d/status" % pid) as status:
        return "TracerPid:\t0\n" not in status.read()


def trace(bench, server, case, folder):
    """System calls per message and role."""
    roles = pids_by_role(server)
    tracers = {}
    for role, pids in roles.items():
        command = ["strace", "-f", "-qq", "-c", "-U", "name,calls", "-e",
                   "signal=none", "-o", "%s/%s.calls" % (folder, role)]
        for pid in pids:
            command += ["-p", str(pid)]
        tracers[role] = subprocess.Popen(command)
    while not all(is_traced(pid) for pids in roles.values() for pid in pids):
        time.sleep(0.1)
    bench.load(server, case, MESSAGES_TRACED)
    for role, tracer in tracers.items():
        tracer.terminate()
        tracer.wait()
        counts = accounting.read_call_counts("%s/%s.calls" % (folder, role))
        total = sum(counts.values()) / MESSAGES_TRACED
        most = sorted(counts.items(), key=lambda pair: -pair[1])[:12]
        print("%-16s %6.1f calls per message: %s" % (
            role, total, ", ".join("%s %.2f" % (
                name, n / MESSAGES_TRACED) for name, n in most)))


def sample(bench, server, case, folder):
    """perf: shares of functions, of all processes of the server."""
    data = folder + "/perf.data"
    pids = ",".join(str(pid) for pid in server.group.pids())
    perf = subprocess.Popen(["perf", "record", "-q", "-F", "1999", "-g",
                             "-o", data, "-p", pids],
                            stderr=subprocess.DEVNULL)
    time.sleep(1)
    result = bench.load(server, case)
    perf.send_signal(2)
    perf.wait()
    print("%.0f %s; CPU seconds per 1000 messages: %.3f (%s)" % (
        result["rate"], case.unit, result["cpu_s_per_1000"],
        ", ".join("%s %.3f" % pair for pair in sorted(
            result["cpu_s_per_1000_by_role"].items(),
            key=lambda pair: -pair[1]))))
    for sort in ("pid,sym", "sym"):
        text = subprocess.run(
            ["perf", "report", "-i", data, "--stdio", "--no-children", "-g",
             "none", "-s", sort, "--percent-limit", "0.5"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True).stdout
        lines = [line for line in text.splitlines()
                 if re.match(r"\s+\d+\.\d+%", line)]
        print("\nby %s:" % sort)
        print("\n".join(lines[:LINES]))


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    key = sys.argv[2] if len(sys.argv) > 2 else "reused100"
    name = sys.argv[3] if len(sys.argv) > 3 else "postern"
    os.environ["ONLY"] = name
    case = next(c for c in cases.CASES + [cases.FAST, cases.FAST_CHECKED]
                if c.key == key)
    tools, everybody = run.prepare(build)
    server = everybody[case.has_checks][0]
    folder = build + "/bench/profile"
    os.makedirs(folder, exist_ok=True)
    bench = measure.Bench(tools, 1, checked.key_path(build))
    server.start()
    try:
        run.warm_up(bench, server, case)
        for pid in server.group.pids():
            print("%d %s" % (pid, role_of(pid)))
        sample(bench, server, case, folder)
        print()
        trace(bench, server, case, folder)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
