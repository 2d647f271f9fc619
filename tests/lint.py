#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Print how long functions and files are: median, 90th percentile, longest.

Ends with status 1 when a file has over 700 lines, a function over 80, a
header over 120, or a compartment includes another one's header.
"""
import re
import statistics
import subprocess
import sys

ROOMS = ["smtpd", "policy", "resolver", "directory", "store", "vault", "auth",
         "deliver", "queue", "relay", "control", "commands"]
files = [f for f in subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"],
    capture_output=True, text=True, check=True).stdout.split()
    if not f.startswith("tests/")]
problems = []
functions = []
for name in files:
    lines = open(name, encoding="utf-8").read().split("\n")
    if len(lines) > 700:
        problems.append(f"{name}: {len(lines)} lines")
    if name.endswith(".h") and not name.startswith("include/") and \
            len(lines) > 120:
        problems.append(f"{name}: a header of {len(lines)} lines")
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
            title = lines[number - 2]
        elif line == "}" and begin:
            functions.append((number - begin, f"{name}:{begin} {title}"))
            begin = None
        if len(line.expandtabs(8)) > 80:
            problems.append(f"{name}:{number}: over 80 columns")
    room = name.split("/")[0]
    if room in ROOMS:
        for line in lines:
            m = re.match(r'#include "(?:\.\./)?(\w+)/', line)
            if m and m.group(1) in ROOMS and m.group(1) != room:
                problems.append(f"{name}: includes {m.group(1)}/")
sizes = sorted(n for n, _ in functions)
print(f"{len(files)} files, {len(functions)} functions: median "
      f"{statistics.median(sizes):.0f}, p90 {sizes[int(len(sizes) * .9)]}, "
      f"longest {sizes[-1]}")
for n, where in sorted(functions, reverse=True)[:5]:
    print(f"  {n:4} {where}")
problems += [f"{w}: {n} lines" for n, w in functions if n > 80]
print("\n".join(problems) or "nothing over the limits")
sys.exit(1 if problems else 0)
