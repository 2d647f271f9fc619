# SPDX-License-Identifier: ISC
"""The client goes away after each octet of a dialogue; tables, users, homes
and the clock change in the middle of a transaction."""
import os
import subprocess
import time

import pytest

from client import new_message, wire
from faults import IS_ROOT, ONE, TWO, checked_lab, must
from postern import maildir_mail, wait_until

HOUR = 3600


@pytest.fixture
def lab():
    yield from checked_lab(limits="sessions_per_client = 0\nerrors_per_session = 0\n"
                           "unknown_recipients = 0")


# ---- the client goes ----

def record(lab, message):
    """What a patient client says, and after which octets it waits."""
    return [line.encode() for line in (
        "EHLO client.example\r\n", "MAIL FROM:<sender@elsewhere.example>\r\n",
        *("RCPT TO:<%s>\r\n" % r for r in TWO), "DATA\r\n")] + \
        [wire(message), b"QUIT\r\n"]


def cut(lab, pieces, at, is_reset):
    """Say the first at octets, waiting for replies as a client does."""
    c = lab.server.connect()
    for piece in pieces:
        c.send(piece[:at])
        if at <= len(piece):
            break
        at -= len(piece)
        if c.reply().code >= 400:
            break
    if is_reset:
        c.reset()
    else:
        c.close()


def at_rest(lab):
    """No session is left, and no record of one that is being undone."""
    wait_until(lambda: lab.server.figure("sessions_now") == 0, 20,
               "end of sessions")
    lab.server.wait_confirmed()


@pytest.mark.parametrize("is_reset", [True, False], ids=["RST", "FIN"])
def test_client_gone_at_each_octet(lab, is_reset):
    """All or none; and once the message was sent again, all, once."""
    sample = new_message(body="x\n")
    # as short as a message with a record can be
    size = sum(map(len, record(lab, sample)))
    messages = []
    for at in range(1, size + 1):
        message = new_message(body="x\n")
        pieces = record(lab, message)
        cut(lab, pieces, min(at, sum(map(len, pieces))), is_reset)
        messages.append(message)
    at_rest(lab)        # all or none
    n_delivered = 0
    for message in messages:
        counts = lab.count(TWO, message)
        must(counts in ([0, 0], [1, 1]), "%s", counts)
        n_delivered += counts[0]
    # the end of QUIT and a little before it: not all were for nothing
    assert 1 <= n_delivered < 20, n_delivered
    for message in messages:
        if lab.count(TWO, message) == [0, 0] or \
                message not in messages[-len(b"QUIT\r\n"):]:
            lab.send(TWO, message)
        else:
            for recipient in TWO:
                lab.expect(recipient, message)
    lab.check()


@pytest.mark.parametrize("step", ["smtpd.end-of-data", "smtpd.after-records",
                                  "smtpd.after-prepare",
                                  "smtpd.after-intent",
                                  "smtpd.all-ready",
                                  "smtpd.after-commit",
                                  "smtpd.before-reply"])
@pytest.mark.parametrize("is_reset", [True, False], ids=["RST", "FIN"])
def test_client_gone_while_it_waits(lab, step, is_reset):
    """RFC 1047: up to COMMIT it is as if nothing had been sent."""
    message = new_message()
    slot = lab.faults.set(step, "sleep", 600)
    c = lab.server.connect()
    c.ehlo()
    c.envelope(TWO)
    c.expect("DATA", "354")
    c.send(wire(message))
    wait_until(lambda: lab.faults.hits(slot) == 1, 10, step, every=0.005)
    if is_reset:
        c.reset()
    else:
        c.close()
    at_rest(lab)
    counts = lab.count(TWO, message)
    is_late = step in ("smtpd.after-commit", "smtpd.before-reply")
    assert counts == ([1, 1] if is_late else [0, 0])
    lab.send(TWO, message)


@pytest.mark.parametrize("is_reset", [True, False], ids=["RST", "FIN"])
@pytest.mark.parametrize("step", ["smtpd.before-deliver", "worker.deliver",
                                  "maildir.fdatasync", "smtpd.after-look"])
def test_client_gone_while_its_copy_is_written(lab, step, is_reset):
    """The short way looks for the client until the copy is moved."""
    message = new_message()
    if step == "smtpd.after-look":      # store is slower than the disk
        time.sleep(0.15)
        lab.faults.set("store.before-begin", "sleep", 40)
    slot = lab.faults.set(step, "sleep", 1200)
    c = lab.server.connect()
    c.ehlo()
    c.envelope(ONE)
    c.expect("DATA", "354")
    c.send(wire(message))
    wait_until(lambda: lab.faults.hits(slot) == 1, 10, step, every=0.005)
    if is_reset:
        c.reset()
    else:
        c.close()
    at_rest(lab)
    assert lab.count(ONE, message) == [0]
    lab.faults.clear()
    lab.send(ONE, message)


# ---- the world changes between RCPT and the end of data ----

def begin(lab, recipients=TWO):
    """A session that stands after DATA's 354."""
    c = lab.server.connect()
    c.ehlo()
    c.envelope(recipients)
    c.expect("DATA", "354")
    return c


def end(lab, c, message, recipients=TWO):
    """The message, its 250, and all have it."""
    c.send(wire(message))
    reply = c.reply()
    assert reply.code == 250, reply
    c.quit()
    for recipient in recipients:
        lab.expect(recipient, message)
    lab.check()


def test_table_replaced_and_user_removed(lab):
    """The route was frozen at RCPT."""
    c = begin(lab)
    lab.server.write("users", "alice2\n" + "".join(
        "%s\n" % n for n in ("bob", "carol", "dave", "erin", "small",
                             *("p%d" % i for i in range(10)))))
    lab.server.ctl("tables", "accept")
    wait_until(lambda: lab.server.rcpt("alice@example.org").says(
        "550 5.1.1"), 20, "the new table", every=0.2)
    end(lab, c, new_message())


def test_table_destroyed(lab):
    """Compiled tables and their sources are gone: RCPT is 451, never 550,
    and what was accepted is delivered."""
    c = begin(lab)
    tables = os.path.join(lab.server.folder, "state", "tables")
    for name in os.listdir(tables):
        with open(os.path.join(tables, name), "r+b") as f:
            f.truncate(100)
    lab.server.write("users", b"\0\0\0")
    lab.kill("directory")
    wait_until(lambda: lab.server.events("compartment_died",
                                         role="directory"), 10, "death")
    for _ in range(10):
        try:
            code = lab.server.rcpt("alice@example.org").code
        except AssertionError:
            continue
        assert code in (250, 451), code
        time.sleep(0.1)
    end(lab, c, new_message())


def test_alias_changed(lab):
    c = begin(lab, ["team@example.org"])
    lab.server.write("aliases", "postmaster: alice\nabuse: alice\n"
                     "root: alice\nteam: dave\n")
    lab.server.ctl("tables", "accept")

    def is_new():
        text = lab.server.ctl("route", "team@example.org")
        return "dave" in text and "bob" not in text
    wait_until(is_new, 20, "the new table", every=0.2)
    end(lab, c, new_message(), ["team@example.org"])


def test_compiler_killed(lab):
    """The old table stays in use until a later run succeeds."""
    for point in ("compiler.before-rename", "compiler.after-rename"):
        slot = lab.faults.set(point, "kill")
        users = "".join("%s\n" % n for n in (
            "alice", "bob", "carol", "dave", "erin", "small", point[:14],
            *("p%d" % i for i in range(10))))
        lab.server.write("users", users)
        status, text = lab.server.ctl("tables", "accept", check=False)
        assert status == 1 and lab.faults.hits(slot) == 1, (point, text)
        lab.send(TWO, new_message())
        lab.server.ctl("tables", "accept")
        wait_until(lambda: lab.server.rcpt(
            "%s@example.org" % point[:14]).code == 250, 20, "the new table",
            every=0.2)
    lab.check()


def test_mailbox_renamed(lab):
    """The home moves away under an open transaction: the copy is in the one
    that was looked at, or nowhere and the answer is 451."""
    lab.send(TWO, new_message())
    c = begin(lab)
    old = os.path.dirname(lab.box(TWO[0]))
    os.rename(old, old + ".moved")
    message = new_message()
    c.send(wire(message))
    reply = c.reply()
    c.quit()
    moved = [m.get("Message-ID") in message
             for m in maildir_mail(old + ".moved/Maildir")].count(True)
    counts = lab.count(TWO, message)
    is_delivered = reply.code == 250
    assert is_delivered or 400 <= reply.code < 500, reply
    assert moved + counts[0] == is_delivered and counts[1] == is_delivered
    if is_delivered:
        lab.expect(TWO[1], message)
    lab.expected[lab.box(TWO[0])] = set(lab.ids(lab.box(TWO[0])))
    # the probe forgets what it saw, and the next one is in its old place
    lab.kill("worker")
    time.sleep(5.1)
    lab.send(TWO, new_message())
    lab.check()


# ---- the clock ----

def set_clock(lab, seconds):
    """Every compartment sees another wall clock from now on."""
    lab.faults.clear()
    lab.faults.set("clock.wall", "errno", seconds & 0xffffffff, count=0)


@pytest.mark.parametrize("seconds", [-7200, -400 * 86400, 86400],
                         ids=["2h-back", "a-year-back", "a-day-ahead"])
def test_clock_is_set(lab, seconds):
    """In the middle of a transaction; deadlines go by another clock."""
    lab.send(TWO, new_message())
    # an unconfirmed one is still known across the step
    message = new_message()
    c = begin(lab)
    c.send(wire(message))
    assert c.reply().code == 250
    c.reset()
    for recipient in TWO:
        lab.expect(recipient, message)
    c = begin(lab)
    time.sleep(0.5)     # its routes, which end in two hours, have arrived
    set_clock(lab, seconds)
    end(lab, c, new_message())
    lab.send(TWO, message)
    lab.send(TWO, new_message())
    # a kill and its resolution, with the clock in between
    message = new_message()
    lab.faults.set("smtpd.before-commit", "kill", role="smtpd")
    assert lab.attempt(TWO, message) == {}
    lab.faults.clear()
    lab.send(TWO, message)
    lab.check()


def test_old_leftovers_are_swept(lab):
    """What a crash left in tmp/ goes after 60 hours, and only that."""
    lab.send(TWO, new_message())
    lab.faults.set("worker.after-prepare", "kill", role="worker")
    lab.faults.set("maildir.unlink", "errno", 5, count=0)
    message = new_message()
    told = lab.attempt(TWO, message)
    assert all(r.code == 451 for r in told.values())
    left = [os.path.join(lab.box(r), "tmp", n) for r in TWO
            for n in os.listdir(os.path.join(lab.box(r), "tmp"))]
    assert left
    lab.faults.clear()
    lab.send(TWO, message)
    assert [p for p in left if os.path.exists(p)] == left
    lab.server.stop()
    set_clock(lab, 61 * HOUR)
    lab.server.environment["POSTERN_SWEEP_NOW"] = "1"
    lab.server.start()
    lab.send(TWO, new_message())
    wait_until(lambda: not any(map(os.path.exists, left)), 30, "the sweep")
    lab.check()


# ---- nothing leaves the machine ----

NETNS_SCRIPT = """
mount -t sysfs sysfs /sys &&
ip link set lo up && ip link add out0 type veth peer name far0 && \
ip link set far0 up && \
ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up && \
ip route add default via 192.0.2.2 && ip neigh add 192.0.2.2 \
lladdr 02:00:00:00:00:02 dev out0 && \
echo 1 > /proc/sys/net/ipv6/conf/out0/disable_ipv6 && \
echo 1 > /proc/sys/net/ipv6/conf/far0/disable_ipv6 || exit 77
before=$(cat /sys/class/net/out0/statistics/tx_packets)
"$@" || exit 1
after=$(cat /sys/class/net/out0/statistics/tx_packets)
echo "sent $((after - before))"
# and a packet that leaves is counted
echo x > /dev/udp/198.51.100.1/53
counted=$(cat /sys/class/net/out0/statistics/tx_packets)
echo "counted $((counted - after))"
"""


@pytest.mark.skipif(not IS_ROOT, reason="needs root: a network namespace")
def test_nothing_leaves_the_machine():
    """A faulty scenario where the only way out is watched."""
    here = os.path.dirname(os.path.abspath(__file__))
    result = subprocess.run(
        ["unshare", "--net", "--mount", "bash", "-c", NETNS_SCRIPT, "bash",
         "/usr/bin/python3", os.path.join(here, "faults.py"), "scenario"],
        capture_output=True, text=True, timeout=120, check=False,
        env=dict(os.environ, PYTHONPATH=here))
    if result.returncode == 77:
        pytest.skip("no network namespace here: " + result.stderr)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "sent 0\n" in result.stdout, result.stdout
    assert "counted 1\n" in result.stdout, result.stdout
