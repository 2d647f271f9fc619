# SPDX-License-Identifier: ISC
"""What a tree of processes costs: CPU seconds, memory, flushes.

CPU time comes from a control group of its own for each server, so that
processes that live for a moment are counted too, and nothing that the
bench itself does. Version 2 (cpu.stat) and version 1 (cpuacct) will do.
"""

import os
import re
import signal
import time


def control_group_roots():
    """Mount points to try: (path, version), version 2 first."""
    found = []
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, path, kind, options = line.split()[:4]
            if kind == "cgroup2":
                found.append((path, 2))
            elif kind == "cgroup" and "cpuacct" in options.split(","):
                found.append((path, 1))
    return sorted(found, key=lambda root: -root[1])


class Group:
    """A control group; processes are started into it and counted by it."""

    def __init__(self, name):
        self.path = None
        for root, version in control_group_roots():
            path = "%s/postern-bench-%d-%s" % (root, os.getpid(), name)
            try:
                os.mkdir(path)
            except OSError:
                continue
            self.path, self.version = path, version
            return
        raise RuntimeError("no control group can be made: CPU time unknown")

    def enter(self):
        """For preexec_fn: the calling process moves in."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as procs:
            procs.write(str(os.getpid()))

    def pids(self):
        with open(os.path.join(self.path, "cgroup.procs")) as procs:
            return sorted({int(pid) for pid in procs})

    def cpu_seconds(self):
        if self.version == 1:
            with open(os.path.join(self.path, "cpuacct.usage")) as usage:
                return int(usage.read()) / 1e9
        with open(os.path.join(self.path, "cpu.stat")) as stat:
            fields = dict(line.split() for line in stat)
        return int(fields["usage_usec"]) / 1e6

    def cpu_by_role(self):
        """{role: CPU seconds so far} of the processes that live now.

        The role is a compartment of Postern, or the program's name."""
        ticks = os.sysconf("SC_CLK_TCK")
        roles = {}
        for pid in self.pids():
            try:
                with open("/proc/%d/cmdline" % pid) as cmdline:
                    arguments = cmdline.read().split("\0")
                with open("/proc/%d/stat" % pid) as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            role = os.path.basename(arguments[0].split(" ")[0])
            if role.startswith("python") and len(arguments) > 1:
                role = os.path.basename(arguments[1])
            if role == "postern" and "-c" in arguments:
                role = arguments[arguments.index("-c") + 1]
            roles[role] = roles.get(role, 0) + (
                int(fields[11]) + int(fields[12])) / ticks
        return roles

    def user_memory(self):
        """Bytes that belong to no file and to nobody else, of all processes.

        Private dirty pages, swap, and each process's share of memory
        files (messages under way)."""
        total = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/smaps_rollup" % pid) as rollup:
                    text = rollup.read()
            except OSError:
                continue
            for field in ("Private_Dirty", "Swap", "Pss_Shmem"):
                match = re.search(r"^%s:\s+(\d+) kB" % field, text, re.M)
                total += int(match.group(1)) * 1024 if match else 0
        return total

    def kill(self):
        """Ends what is left in the group (only what was started in it)."""
        for attempt in range(100):
            pids = self.pids()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL if attempt > 20 else
                            signal.SIGTERM)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)

    def remove(self):
        self.kill()
        try:
            os.rmdir(self.path)
        except OSError:
            pass


def machine_busy_seconds():
    """CPU seconds of everybody since the start, stolen ones included."""
    with open("/proc/stat") as stat:
        user, nice, system, idle, iowait, irq, softirq, steal = [
            int(field) for field in stat.readline().split()[1:9]]
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK")


FLUSHES = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range")


def tracing_flushes(output):
    """The command that runs a server and writes its flushes to output.

    Only these calls stop under strace (--seccomp-bpf), so that what is
    flushed together without strace is flushed together with it."""
    return ("strace -f -qq -ttt --seccomp-bpf -e signal=none -e trace=%s "
            "-o '%s'" % (",".join(FLUSHES), output))


def count_calls(output, begin, end):
    """{call: number} between two times of CLOCK_REALTIME."""
    counts = {}
    with open(output) as lines:
        for line in lines:
            match = re.match(r"\d+\s+(\d+\.\d+) (\w+)\(", line)
            if match and begin <= float(match.group(1)) <= end:
                counts[match.group(2)] = counts.get(match.group(2), 0) + 1
    return counts


def read_call_counts(output):
    """{call: number} of strace -c -U name,calls"""
    counts = {}
    with open(output) as table:
        for line in table:
            match = re.match(r"\s*(\w+)\s+(\d+)\s*$", line)
            if match and match.group(1) != "total":
                counts[match.group(1)] = int(match.group(2))
    return counts
