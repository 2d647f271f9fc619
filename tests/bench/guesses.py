#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""guesses.py [BUILD]: what 20 guesses of passwords a second cost others.

TLS handshakes on the submission port, one after the other, in rounds with
and without somebody who guesses at passwords of Debian's default kind
(yescrypt). The 99th percentile of both is printed; the exit status is 1 when
the guesses move it by more than half, or passwords were not looked at."""
import os
import socket
import ssl
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))
if len(sys.argv) > 1 and sys.argv[1] != "guess":
    os.environ["POSTERN_BUILD"] = sys.argv[1]

# pylint: disable=wrong-import-position
from test_auth import (PASSWORD, Submission, hash_of, plain,  # noqa: E402
                       user_lines)

RATE = 20                       # guesses a second
ROUNDS = 4
ROUND_S = 5
CLIENTS = 10
CONTEXT = ssl._create_unverified_context()


def connect(port):
    """A TLS connection."""
    raw = socket.create_connection(("127.0.0.1", port), 30)
    return CONTEXT.wrap_socket(raw)


class Guesser:
    """One connection that says AUTH PLAIN."""

    def __init__(self, port):
        self.port = port
        self.n = 0
        self.open()

    def open(self):
        """Up to the answer to EHLO."""
        self.tls = connect(self.port)
        self.file = self.tls.makefile("rb")
        self.file.readline()
        self.tls.sendall(b"EHLO c\r\n")
        while self.file.readline()[3:4] == b"-":
            pass

    def guess(self):
        """Send one; the answer is read before the next."""
        if self.n and not self.file.readline().startswith(b"535"):
            raise SystemExit("a guess was not looked at")
        self.n += 1
        self.tls.sendall(b"AUTH PLAIN %s\r\n" % plain(
            "alice", "guess%d" % self.n).encode())


def guess_forever(port):
    """RATE in a second. Whoever guesses has a machine of his own."""
    os.nice(10)
    clients = [Guesser(port) for _ in range(CLIENTS)]
    due = time.monotonic()
    print("go", flush=True)
    n = 0
    while True:
        clients[n % CLIENTS].guess()
        n += 1
        due += 1 / RATE
        time.sleep(max(0, due - time.monotonic()))


def handshakes(port):
    """Seconds of each, for one round."""
    times = []
    end = time.monotonic() + ROUND_S
    while time.monotonic() < end:
        begin = time.monotonic()
        tls = connect(port)
        times.append(time.monotonic() - begin)
        tls.close()
        time.sleep(0.005)
    return times


def percentile(times, share):
    """In milliseconds."""
    return sorted(times)[int(len(times) * share)] * 1000


def main():
    """Rounds in turn, so that both see the same machine."""
    users = user_lines(alice=hash_of(PASSWORD, "$y$"))
    server = Submission(
        users, limits="errors_per_session = 0\n"
        "sessions_per_client = 0", more="auth {{ failures_per_client = 0\n"
        "failures_per_account = 0 }}\n")
    times = {False: [], True: []}
    n_before = 0
    with server:
        handshakes(server.tls_port)          # warm
        for _ in range(ROUNDS):
            times[False] += handshakes(server.tls_port)
            with subprocess.Popen(
                    [sys.executable, __file__, "guess",
                     str(server.tls_port)], stdout=subprocess.PIPE) as guesser:
                guesser.stdout.readline()
                times[True] += handshakes(server.tls_port)
                alive = guesser.poll() is None
                guesser.kill()
            assert alive, "the guesser has ended"
        n_before = len(server.events("auth_refused"))
    for is_guessed in (False, True):
        print("%-22s p50 %6.1f ms  p99 %6.1f ms  of %d handshakes" % (
            "20 guesses a second" if is_guessed else "quiet",
            percentile(times[is_guessed], 0.5),
            percentile(times[is_guessed], 0.99), len(times[is_guessed])))
    rate = n_before / (ROUNDS * ROUND_S)
    print("guesses looked at: %.1f a second" % rate)
    ratio = percentile(times[True], 0.99) / percentile(times[False], 0.99)
    return ratio > 1.5 or rate < RATE * 0.8


if __name__ == "__main__":
    if sys.argv[1:2] == ["guess"]:
        guess_forever(int(sys.argv[2]))
    sys.exit(main())
