# SPDX-License-Identifier: ISC
"""One measurement each: a load on a server, and what came of it."""

import json
import os
import signal
import subprocess
import time

import accounting
import cases
import checked
import outbound
from accounting import machine_busy_seconds

SINK_TIMEOUT_S = 180
PAUSE_S = 0.3  # for Postfix to remove its queue files


class Failed(Exception):
    """The server lost, doubled or spoiled mail, or did not answer."""


class Bench:
    """The programs and the numbers that all measurements share."""

    def __init__(self, tools, divisor=1, key=""):
        """key: file of the key with which messages are signed."""
        self.tools, self.divisor, self.key = tools, divisor, key
        self.n_runs = 0

    def _tool(self, name, *arguments):
        result = subprocess.run(
            [os.path.join(self.tools, name)] + [str(a) for a in arguments],
            stdout=subprocess.PIPE, text=True)
        try:
            return json.loads(result.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise Failed("%s: exit status %d" % (name, result.returncode))

    def _load_arguments(self, port, case, messages, tag):
        arguments = ["--port", port, "--connections", case.connections,
                     "--per-connection", case.per_connection,
                     "--messages", messages, "--size", case.size,
                     "--rcpts", case.rcpts, "--tag", tag]
        if case.tls:
            arguments.append("--tls")
        if case.pipelining:
            arguments.append("--pipelining")
        if case.has_checks:
            arguments += ["--source", checked.CLIENT, "--sender",
                          checked.SENDER, "--dkim-key", self.key]
        if case.to:
            arguments += ["--sender", outbound.SENDER, "--rcpt", case.to[0],
                          "--users", case.to[1]]
        if case.is_flood:
            arguments += ["--mode", "flood",
                          "--rcpt", "nobody%d@example.test"]
        return arguments

    def load(self, server, case, messages=None):
        """Runs a case once: {rate, cpu_s_per_1000, p50_ms, p99_ms, ...}"""
        if messages is None:
            messages = case.messages if server.name == "postfix" else \
                case.messages_fast
            messages = max(messages // self.divisor, case.connections)
        self.n_runs += 1
        tag = "%s.%s.%d" % (server.name, case.key, self.n_runs)
        os.sync()
        cpu_s = server.group.cpu_seconds()
        roles = server.group.cpu_by_role()
        busy_s, begun_at = machine_busy_seconds(), time.monotonic()
        run = self._tool("smtpload", *self._load_arguments(
            server.tls_port if case.tls else server.port, case, messages,
            tag))
        roles_after = server.group.cpu_by_role()
        elapsed_s = time.monotonic() - begun_at
        others_s = machine_busy_seconds() - busy_s - run["cpu_s"] - (
            server.group.cpu_seconds() - cpu_s)
        if run["timed_out"] or run["failed"]:
            raise Failed("%s, %s: %s" % (server.name, case.title, run))
        if case.is_flood:
            n, seconds = run["rcpt_5xx"], run["seconds"]
        else:
            n = messages * case.rcpts
            seconds = self._check(server, case, messages, tag, run)
        time.sleep(PAUSE_S)
        cpu_s = server.group.cpu_seconds() - cpu_s
        per = n if case.is_flood else messages
        self._clear(server.mail)
        return {"rate": n / seconds, "cpu_s_per_1000": cpu_s / per * 1000,
                "accepted_per_s": (n if case.is_flood else run["ok"]) /
                run["seconds"], "messages": messages,
                "p50_ms": run["transaction_ms"]["p50"],
                "p99_ms": run["transaction_ms"]["p99"],
                "cpu_s_per_1000_by_role": {
                    role: max(roles_after[role] - roles.get(role, 0), 0) /
                    per * 1000 for role in roles_after},
                "load_cpu_s": run["cpu_s"],
                "others_share": max(others_s, 0) / elapsed_s /
                os.cpu_count(), "requeued": run["requeued"],
                "tempfailed": run["tempfailed"], "faults": run["faults"]}

    def send_on(self, server, case, messages=None):
        """The same of a case whose mail goes on to the sink."""
        if messages is None:
            messages = max(case.messages // self.divisor, case.connections)
        self.n_runs += 1
        os.sync()
        sink = outbound.Sink(self.tools, messages)
        cpu_s, busy_s = server.group.cpu_seconds(), machine_busy_seconds()
        begun_at = time.monotonic()
        run = self._tool("smtpload", *self._load_arguments(
            outbound.submit_port(server), case, messages,
            "%s.%s.%d" % (server.name, case.key, self.n_runs)))
        last = sink.wait(SINK_TIMEOUT_S)
        elapsed_s = time.monotonic() - begun_at
        if run["timed_out"] or run["failed"] or last is None:
            raise Failed("%s, %s: %s" % (server.name, case.title, run))
        time.sleep(PAUSE_S)
        cpu_s = server.group.cpu_seconds() - cpu_s
        others_s = machine_busy_seconds() - busy_s - run["cpu_s"] - cpu_s
        return {"rate": messages / (last - run["started_real"]),
                "cpu_s_per_1000": cpu_s / messages * 1000,
                "accepted_per_s": run["ok"] / run["seconds"],
                "messages": messages, "p50_ms": run["transaction_ms"]["p50"],
                "p99_ms": run["transaction_ms"]["p99"],
                "others_share": max(others_s, 0) / elapsed_s /
                os.cpu_count(), "tempfailed": run["tempfailed"],
                "faults": run["faults"]}

    def _check(self, server, case, messages, tag, run):
        """Every copy is there once and whole; seconds to the last one."""
        found = self._tool(
            "maildircheck", "-n", messages, "-c", case.rcpts, "-t", tag,
            "-b", run["body_sha256"], "-w", 60, server.mail)
        wrong = {name: found[name] for name in (
            "missing", "doubled", "bad_bodies", "foreign", "misplaced",
            "in_tmp") if found[name]}
        if wrong:
            raise Failed("%s, %s: %s; faults seen by the client: %s" % (
                server.name, case.title, wrong, run["faults"]))
        return found["last"] - run["started_real"]

    def _clear(self, mail):
        self._tool("maildircheck", "-m", "-w", 0, mail)

    def limit(self, mail, case):
        """The bare disk loop at the same concurrency: messages a second."""
        messages = max(case.messages_fast * case.rcpts // self.divisor, 100)
        os.sync()
        run = self._tool("limit", "-t", case.connections, "-n", messages,
                         "-s", case.size, mail)
        self._clear(mail)
        return {"rate": run["rate"],
                "cpu_s_per_1000": run["cpu_s"] / messages * 1000}

    def sink(self, port, case):
        """What generator and loopback allow."""
        sink = subprocess.Popen([self.tools + "/smtpsink", str(port)])
        time.sleep(0.3)
        try:
            run = self._tool("smtpload", *self._load_arguments(
                port, case, case.messages_fast // self.divisor, "sink"))
        finally:
            sink.terminate()
            sink.wait()
        n = run["rcpt_5xx"] if case.is_flood else run["ok"] * case.rcpts
        return {"rate": n / run["seconds"]}

    def flushes(self, server, case, messages):
        """Flushes per message; starts and stops the server itself."""
        output = os.path.join(server.folder, "flushes")
        server.start(accounting.tracing_flushes(output))
        try:
            begin = time.time()
            self.load(server, case, messages)
            end = time.time()
        finally:
            server.stop()
        counts = accounting.count_calls(output, begin, end)
        return {call: n / messages for call, n in sorted(counts.items())}

    def hold(self, server, mode, sessions, **options):
        """A context in which sessions are open; .held says how many."""
        return Held(self, server, mode, sessions, options)

    def idle(self, server, sessions):
        """Idle sessions: how many were taken, and their user memory."""
        before = server.group.user_memory()
        with self.hold(server, "idle", sessions) as held:
            time.sleep(1)
            after = server.group.user_memory()
            kept = held.held
        return {"sessions": sessions, "held": kept,
                "still_open": held.end["held"],
                "bytes_per_session": (after - before) / max(kept, 1)}

    def slow(self, server):
        """Fast sessions without and with slow ones beside them."""
        alone = self.load(server, cases.FAST)
        with self.hold(server, "slow", cases.SLOW_SESSIONS,
                       interval=cases.SLOW_INTERVAL_S) as held:
            beside = self.load(server, cases.FAST)
        return {"held": held.held, "still_open": held.end["held"],
                "noops": held.end["noops"], "p99_alone_ms": alone["p99_ms"],
                "p99_beside_ms": beside["p99_ms"],
                "rate_alone": alone["rate"], "rate_beside": beside["rate"],
                "p99_factor": beside["p99_ms"] / alone["p99_ms"]}


    def verdicts(self, build):
        """{stage: {p50_us, p99_us}}: policy by itself, all facts given."""
        message, record = (os.path.join(build, "bench", name)
                           for name in ("signed.eml", "key.txt"))
        with open(message, "wb") as out:
            subprocess.run(
                [self.tools + "/smtpload", "--print", "--sender",
                 checked.SENDER, "--dkim-key", self.key], stdout=out,
                check=True)
        with open(record, "w") as out:
            out.write("".join(checked.public_key(self.key)))
        run = subprocess.run(
            [build + "/bench/judge_drive", message, record], check=True,
            stdout=subprocess.PIPE, text=True)
        return json.loads(run.stdout)

    def waiting(self, server):
        """Fast sessions without and with ones that wait for dead DNS.

        What the fast ones need is in the resolver's cache."""
        alone = self.load(server, cases.FAST_CHECKED)
        with self.hold(server, "wait", cases.WAITING_SESSIONS,
                       source="spread") as held:
            beside = self.load(server, cases.FAST_CHECKED)
        return {"held": held.held, "still_open": held.end["held"],
                "replies": held.end["noops"],
                "p99_alone_ms": alone["p99_ms"],
                "p99_beside_ms": beside["p99_ms"],
                "rate_alone": alone["rate"], "rate_beside": beside["rate"],
                "p99_factor": beside["p99_ms"] / alone["p99_ms"]}


class Held:
    def __init__(self, bench, server, mode, sessions, options):
        self.command = [bench.tools + "/smtpload", "--port",
                        str(server.port), "--mode", mode, "--connections",
                        str(sessions), "--hold", "300", "--ramp", "30"]
        for name, value in options.items():
            self.command += ["--" + name, str(value)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, text=True,
                                        stdout=subprocess.PIPE)
        self.held = json.loads(self.process.stdout.readline())["held"]
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        self.end = json.loads(self.process.stdout.readline())
        self.process.wait()
