# SPDX-License-Identifier: ISC
"""The loads: what is sent, and how far Postern has to be ahead."""

from collections import namedtuple

# messages: how many Postfix gets in a round, and how many Postern and the
# bare disk, which are faster. rate_goal: delivered per second, a multiple of
# Postfix. cpu_goal: CPU time per message, a fraction of Postfix's.
# has_checks: both servers as checked.py has them, and signed messages.
# to: recipients elsewhere, both servers as outbound.py has them; the rate is
# that at which the mail arrives there.
Case = namedtuple("Case", "key title unit connections per_connection size "
                  "rcpts messages messages_fast is_flood pipelining "
                  "tls rate_goal cpu_goal has_checks to")


def case(key, title, unit="msg/s", connections=1, per_connection=0,
         size=4096, rcpts=1, messages=1000, messages_fast=None,
         is_flood=False, pipelining=True, tls=False, rate_goal=None,
         cpu_goal=None, has_checks=False, to=None):
    return Case(key, title, unit, connections, per_connection, size, rcpts,
                messages, messages_fast or 4 * messages, is_flood,
                pipelining, tls, rate_goal, cpu_goal, has_checks, to)


CASES = [
    case("new20", "4 KB, 20 connections, new one per message",
         connections=20, per_connection=1, messages=3000,
         rate_goal=5, cpu_goal=1 / 5),
    case("starttls", "4 KB, 20 connections, new with STARTTLS",
         connections=20, per_connection=1, messages=1500, tls=True,
         rate_goal=1.5, cpu_goal=1 / 2),
    case("reused100", "4 KB, 100 reused connections",
         connections=100, messages=4000, rate_goal=5, cpu_goal=1 / 5),
    case("one", "4 KB, one connection alone", messages=1500, rate_goal=3),
    case("large1", "1 MB, one connection", size=1 << 20, messages=120,
         messages_fast=400, rate_goal=3),
    case("large4", "1 MB, four connections", connections=4, size=1 << 20,
         messages=200, messages_fast=800, rate_goal=3),
    case("ten", "4 KB to ten recipients, 20 connections", unit="copies/s",
         connections=20, rcpts=10, messages=500, messages_fast=1500,
         rate_goal=3),
    case("unknown", "unknown recipients, pipelined", unit="RCPT/s",
         connections=20, rcpts=50, messages=800, messages_fast=4000,
         is_flood=True, rate_goal=5),
    case("unknown_serial", "unknown recipients, one by one", unit="RCPT/s",
         connections=20, rcpts=50, messages=500, messages_fast=2000,
         is_flood=True, pipelining=False, rate_goal=5),
    case("checks", "all checks, 20 connections, new per message",
         connections=20, per_connection=1, messages=800,
         messages_fast=2400, rate_goal=3, cpu_goal=1 / 3, has_checks=True),
    case("checks_reused", "all checks, 20 reused connections",
         connections=20, messages=800, messages_fast=2400, rate_goal=3,
         cpu_goal=1 / 3, has_checks=True),
    case("relay1", "sent on, 4 KB, one destination", connections=20,
         messages=2000, messages_fast=2000, rate_goal=3,
         to=("to%d@one.dest.example", 1000)),
    case("relay500", "sent on, 4 KB, 500 destinations", connections=20,
         messages=2000, messages_fast=2000, rate_goal=3,
         to=("to@d%d.dest.example", 500)),
]

IDLE_SESSIONS = 5000
IDLE_BYTES_GOAL = 8192
SLOW_SESSIONS = 4000
SLOW_INTERVAL_S = 2.0
SLOW_P99_GOAL = 2.0
FAST = case("fast", "4 KB, 20 reused connections", connections=20,
            messages=4000, messages_fast=8000)
FAST_CHECKED = case("fast_checked", "all checks, 20 reused connections",
                    connections=20, messages=800, messages_fast=2400,
                    has_checks=True)
WAITING_SESSIONS = 1000
WAITING_P99_GOAL = 2.0
VERDICT_P99_GOAL_MS = 1.0
