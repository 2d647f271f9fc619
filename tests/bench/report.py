# SPDX-License-Identifier: ISC
"""Medians, goals, and the table that people read."""

import statistics

import backlog
import cases


def median(runs, field):
    values = [run[field] for run in runs]
    return statistics.median(values) if values else None


def paired(runs, over, under, field):
    """The median of ratios within a round: a slow minute hits both."""
    ratios = [a[field] / b[field]
              for a, b in zip(runs.get(over, []), runs.get(under, []))]
    return statistics.median(ratios) if ratios else None


def summarize(results):
    """results["cases"][key][who] is a list of runs; returns rows."""
    rows = []
    for case in cases.CASES:
        runs = results["cases"].get(case.key)
        if not runs:
            continue
        row = {"key": case.key, "title": case.title, "unit": case.unit}
        for who in ("postfix", "postern", "limit", "sink"):
            row[who] = median(runs.get(who, []), "rate")
            if who != "sink":
                row[who + "_cpu"] = median(runs.get(who, []),
                                           "cpu_s_per_1000")
        row["rate_ratio"] = paired(runs, "postern", "postfix", "rate")
        row["cpu_ratio"] = paired(runs, "postern", "postfix",
                                  "cpu_s_per_1000")
        row["limit_ratio"] = paired(runs, "postern", "limit", "rate")
        rows.append(row)
    return rows


def goals(results, rows):
    """[(what, value, bound, is_met)] for each figure of the issue."""
    found = []
    for case, row in ((c, r) for c in cases.CASES for r in rows
                      if r["key"] == c.key):
        if case.rate_goal and row["rate_ratio"] is not None:
            found.append((case.title + ": times Postfix", row["rate_ratio"],
                          ">= %g" % case.rate_goal,
                          row["rate_ratio"] >= case.rate_goal))
        if case.cpu_goal and row["cpu_ratio"] is not None:
            found.append((case.title + ": CPU per message of Postfix's",
                          row["cpu_ratio"], "<= %g" % case.cpu_goal,
                          row["cpu_ratio"] <= case.cpu_goal))
    idle = results.get("idle", {}).get("postern")
    if idle:
        found.append(("idle sessions still open", idle["still_open"],
                      "= %d" % idle["sessions"],
                      idle["still_open"] == idle["sessions"]))
        found.append(("bytes of user memory per idle session",
                      idle["bytes_per_session"],
                      "<= %d" % cases.IDLE_BYTES_GOAL,
                      idle["bytes_per_session"] <= cases.IDLE_BYTES_GOAL))
    slow = results.get("slow")
    if slow:
        factor = median(slow, "p99_factor")
        found.append(("p99 beside %d slow sessions, times alone" %
                      cases.SLOW_SESSIONS, factor,
                      "<= %g" % cases.SLOW_P99_GOAL,
                      factor <= cases.SLOW_P99_GOAL))
        still_open = min(run["still_open"] for run in slow)
        found.append(("slow sessions still open", still_open,
                      "= %d" % cases.SLOW_SESSIONS,
                      still_open == cases.SLOW_SESSIONS))
    return found + check_goals(results)


def check_goals(results):
    """Those of sessions that wait for DNS, and of verdicts."""
    found = []
    waiting = results.get("waiting")
    if waiting:
        factor = median(waiting, "p99_factor")
        found.append(("p99 beside %d sessions that wait for DNS, times "
                      "alone" % cases.WAITING_SESSIONS, factor,
                      "<= %g" % cases.WAITING_P99_GOAL,
                      factor <= cases.WAITING_P99_GOAL))
        still_open = min(run["still_open"] for run in waiting)
        found.append(("sessions that wait for DNS, still open", still_open,
                      "= %d" % cases.WAITING_SESSIONS,
                      still_open == cases.WAITING_SESSIONS))
    for stage in results.get("verdicts", [{}])[0]:
        p99_ms = median([run[stage] for run in results["verdicts"]],
                        "p99_us") / 1000
        found.append(("p99 of a verdict at %s that needs no fact, ms" %
                      stage, p99_ms, "< %g" % cases.VERDICT_P99_GOAL_MS,
                      p99_ms < cases.VERDICT_P99_GOAL_MS))
    if "backlog" in results:
        found += backlog.goals(results["backlog"])
    return found


def number(value, digits=0):
    return "-" if value is None else "%.*f" % (digits, value)


def print_table(rows):
    print("\n%-42s %-8s %8s %8s %6s   %6s %6s %6s   %8s %6s %8s" % (
        "delivered (medians)", "", "Postfix", "Postern", "ratio",
        "CPU/1k", "CPU/1k", "ratio", "disk", "ratio", "sink"))
    print("%-42s %-8s %8s %8s %6s   %6s %6s %6s   %8s %6s %8s" % (
        "", "", "", "", "", "Postf.", "Postn.", "", "limit", "", ""))
    for row in rows:
        print("%-42s %-8s %8s %8s %6s   %6s %6s %6s   %8s %6s %8s" % (
            row["title"], row["unit"], number(row["postfix"]),
            number(row["postern"]), number(row["rate_ratio"], 2),
            number(row["postfix_cpu"], 2), number(row["postern_cpu"], 2),
            number(row["cpu_ratio"], 2), number(row["limit"]),
            number(row["limit_ratio"], 2), number(row["sink"])))
    print("CPU/1k: CPU seconds of the whole process tree per 1000 messages "
          "(or refused RCPTs).\ndisk limit: create, write, fdatasync, "
          "rename, fsync of new/, at the same concurrency.\nsink: a server "
          "that throws away; what the load generator allows.\nRatios are "
          "medians of the ratios within each round.")


def print_noise(results):
    shares = [run["others_share"] for runs in results["cases"].values()
              for who in ("postfix", "postern") for run in runs.get(who, [])]
    if shares:
        print("CPU time of others during the runs: median %.0f%%, worst "
              "%.0f%% of the machine%s" % (
                  100 * statistics.median(shares), 100 * max(shares),
                  "; NOT A QUIET MACHINE" if statistics.median(shares) > 0.1
                  else ""))


def print_others(results):
    for name, by_case in results.get("flushes", {}).items():
        for key, counts in by_case.items():
            waits = sum(n for call, n in counts.items()
                        if call != "sync_file_range")
            print("flushes per message, %s, %s: %.2f  (%s)" % (
                name, key, waits, ", ".join(
                    "%s %.2f" % pair for pair in counts.items())))
    for name, idle in results.get("idle", {}).items():
        print("idle sessions, %s: %d of %d held, %.1f KiB of user memory "
              "each" % (name, idle["still_open"], idle["sessions"],
                        idle["bytes_per_session"] / 1024))
    slow = results.get("slow")
    if slow:
        print("fast sessions, p99 of a transaction: %.1f ms alone, %.1f ms "
              "beside %d slow sessions; %.0f and %.0f msg/s" % (
                  median(slow, "p99_alone_ms"),
                  median(slow, "p99_beside_ms"), cases.SLOW_SESSIONS,
                  median(slow, "rate_alone"), median(slow, "rate_beside")))


def print_checks(results):
    waiting = results.get("waiting")
    if waiting:
        print("fast sessions with all checks, p99: %.1f ms alone, %.1f ms "
              "beside %d sessions\n  that wait for a dead DNS server (%.0f "
              "were answered meanwhile); %.0f and %.0f msg/s" % (
                  median(waiting, "p99_alone_ms"),
                  median(waiting, "p99_beside_ms"), cases.WAITING_SESSIONS,
                  median(waiting, "replies"), median(waiting, "rate_alone"),
                  median(waiting, "rate_beside")))
    for stage in results.get("verdicts", [{}])[0]:
        runs = [run[stage] for run in results["verdicts"]]
        print("a verdict at %s, all facts given: p50 %.0f us, p99 %.0f us" %
              (stage, median(runs, "p50_us"), median(runs, "p99_us")))
    if "backlog" in results:
        print(backlog.describe(results["backlog"]))


def print_goals(found):
    missed = [goal for goal in found if not goal[3]]
    print()
    for what, value, bound, is_met in found:
        print("%-6s %-58s %9.2f  %s" % ("ok" if is_met else "MISSED", what,
                                        value, bound))
    return missed
