# SPDX-License-Identifier: ISC
"""Postern with 100,000 messages in its queue that wait for their next try.

What it takes to start, memory, a listing, and whether mail that comes and
goes meanwhile is slower than with an empty queue: two servers side by side,
one of each kind, loaded in turn.
"""

import os
import shutil
import subprocess
import time

import outbound

MESSAGES = 100000
START_GOAL_S = 5
LIST_GOAL_S = 1
MEMORY_GOAL_MIB = 64
RATE_GOAL = 0.9             # of what it is with an empty queue


class BacklogPostern(outbound.OutboundPostern):
    def __init__(self, build, port, tools, is_full):
        self.instance = "postern-backlog-" + ("full" if is_full else "empty")
        self.nsd_port = 5307 if is_full else 5306
        super().__init__(build, port, tools)
        self.drive = os.path.join(build, "bench", "spool_drive")
        self.spool = self.folder + "/state/spool"

    def fill(self):
        """By queue's own code; the supervisor has made the folder."""
        with open(self.folder + "/passwd") as passwd:
            ids = [":".join(line.split(":")[2:4]) for line in passwd
                   if line.startswith("postern-queue:")]
        for name in os.listdir(self.spool):
            shutil.rmtree(os.path.join(self.spool, name))
        subprocess.run([self.drive, self.spool, ids[0], str(MESSAGES)],
                       check=True)

    def pid_of(self, role):
        for pid in self.group.pids():
            with open("/proc/%d/cmdline" % pid) as cmdline:
                if cmdline.read().split("\0")[1:3] == ["-c", role]:
                    return pid
        raise RuntimeError("%s: no process %s" % (self.instance, role))

    def memory_mib(self):
        """(what queue has, the most it ever had)"""
        with open("/proc/%d/status" % self.pid_of("queue")) as status:
            kib = dict(line.split()[:2] for line in status
                       if line.startswith(("VmRSS", "VmHWM")))
        return int(kib["VmRSS:"]) / 1024, int(kib["VmHWM:"]) / 1024

    def list_queue(self):
        """(seconds, messages): posternctl queue, as somebody would."""
        begin = time.monotonic()
        text = subprocess.run(
            ["nsenter", "-m", "-t", str(self.process.pid),
             os.path.join(os.path.dirname(self.binary), "posternctl"), "-f",
             "/mnt/postern.conf", "queue"], check=True,
            stdout=subprocess.PIPE).stdout
        seconds = time.monotonic() - begin
        last = text.splitlines()[-1].split()
        return seconds, int(last[4]) if last[0] == b"--" else 0


def fill(server):
    server.start()
    server.stop()
    server.fill()


def start(bench, server, case):
    """Seconds until a message was accepted by it."""
    begin = time.monotonic()
    server.start()
    bench.send_on(server, case, 1)
    return time.monotonic() - begin


def look(server):
    """Memory before and after three listings, the slowest of them."""
    after_start = server.memory_mib()[0]
    lists = [server.list_queue() for _ in range(3)]
    now, peak = server.memory_mib()
    return {"memory_start_mib": after_start, "memory_list_mib": now,
            "memory_peak_mib": peak, "list_s": max(s for s, _ in lists),
            "messages": min(n for _, n in lists)}


def measure(bench, empty, full, case, rounds):
    """{start_s, list_s, ..., "rates": [{empty, full}]}"""
    fill(full)
    empty.start()
    try:
        result = {"start_s": start(bench, full, case)}
        result.update(look(full))
        result["rates"] = []
        for _ in range(rounds):
            result["rates"].append(
                {name: bench.send_on(server, case)["rate"] for name, server
                 in (("empty", empty), ("full", full))})
        result["messages_end"] = full.list_queue()[1]
        result["memory_end_mib"] = full.memory_mib()[0]
        return result
    finally:
        empty.stop()
        full.stop()
        shutil.rmtree(full.spool, ignore_errors=True)


def goals(result):
    """As report.goals has them."""
    ratio = sorted(r["full"] / r["empty"] for r in result["rates"])
    ratio = ratio[len(ratio) // 2]
    memory = max(result[key] for key in result
                 if key.startswith("memory_") and key != "memory_peak_mib")
    what = "%d queued messages: " % MESSAGES
    return [
        (what + "listed", result["messages"], "= %d" % MESSAGES,
         result["messages"] == result["messages_end"] == MESSAGES),
        (what + "seconds to the first message", result["start_s"],
         "<= %g" % START_GOAL_S, result["start_s"] <= START_GOAL_S),
        (what + "seconds of a listing", result["list_s"],
         "<= %g" % LIST_GOAL_S, result["list_s"] <= LIST_GOAL_S),
        (what + "MiB of queue", memory, "<= %g" % MEMORY_GOAL_MIB,
         memory <= MEMORY_GOAL_MIB),
        (what + "rate, of an empty queue's", ratio, ">= %g" % RATE_GOAL,
         ratio >= RATE_GOAL)]


def describe(result):
    return ("%d queued messages: start %.1f s, listing %.2f s; queue has "
            "%.0f MiB after the start,\n  %.0f after listings (%.0f at the "
            "most), %.0f after the load; sent on meanwhile: %s msg/s\n  "
            "(empty queue: %s)" % (
                MESSAGES, result["start_s"], result["list_s"],
                result["memory_start_mib"], result["memory_list_mib"],
                result["memory_peak_mib"], result["memory_end_mib"],
                " ".join("%.0f" % r["full"] for r in result["rates"]),
                " ".join("%.0f" % r["empty"] for r in result["rates"])))
