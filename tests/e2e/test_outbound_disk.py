# SPDX-License-Identifier: ISC
"""The ledger's disk is full, or fails: what would leave waits until it has
been noted, and nothing leaves that has not (DESIGN 8)."""
import errno
import os
import pwd
import re
import signal
import subprocess
import time

import pytest

from postern import IS_ROOT, wait_until
from relay_lab import Sink
from test_outbound import REMOTE, Outbound, count


@pytest.fixture(name="full_disk")
def fixture_full_disk():
    """(server, sink, fill, free): store has a disk of its own."""
    if not IS_ROOT:
        pytest.skip("needs root: mounts")
    sink = Sink()
    server = Outbound(sink)
    disk = server.folder + "/state/store"
    os.makedirs(disk)
    os.chmod(server.folder + "/state", 0o755)
    owner = pwd.getpwnam("postern-store")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700,"
                       "uid=%d,gid=%d" % (owner.pw_uid, owner.pw_gid),
                       "tmpfs", disk], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("mounting is not allowed here")
    server.mounts.append(disk)
    ballast = disk + "/ballast"

    def fill():
        """To the last octet."""
        size = 1 << 20
        with open(ballast, "ab", buffering=0) as f:
            while size:
                try:
                    f.write(b"x" * size)
                except OSError as e:
                    assert e.errno == errno.ENOSPC
                    size //= 2

    server.start()
    yield server, sink, fill, lambda: os.unlink(ballast)
    server.stop()
    server.close()
    sink.close()


def noted(server):
    """Entries of the ledger since store's start."""
    return int(re.search(r"(?m)^ledger_noted +(\d+)$",
                         server.ctl("status")).group(1))


def test_full_disk(full_disk):
    server, sink, fill, free = full_disk
    text, first = server.text()
    assert server.send([REMOTE], text) == {}
    server.wait_sent()
    assert count(sink, first) == 1 and noted(server) == 1
    fill()
    names = []
    # the last page of the log has room for some of them
    while not server.events("kv_commit"):
        assert len(names) < 200
        text, name = server.text()
        names.append(name)
        assert server.send([REMOTE], text) == {}    # the spool has room
        time.sleep(0.1)
    time.sleep(2)
    sent = len(sink.messages)
    assert sent <= noted(server) and server.waiting()
    # with no room for its record nobody here has a copy, either
    with server.connect() as c:
        c.ehlo()
        text, name = server.text(sender="a@stranger.example",
                                 recipient="carol@example.org")
        assert c.deliver("carol@example.org", text).code == 451
    assert server.mail("carol") == []
    free()
    wait_until(lambda: server.events("put_off"), 40, "nobody's answer")
    server.ctl("flush")
    server.wait_sent()
    assert [count(sink, name) for name in names] == [1] * len(names)
    assert len(sink.messages) == 1 + len(names)
    assert not server.events("suspected_break_in")
    assert server.mail("alice") == []


def test_store_is_killed_while_its_disk_is_full(full_disk):
    """What a full disk keeps from recovery is not damaged: it is all there
    when there is room again, and a retry meets its record."""
    server, _, fill, free = full_disk
    text, name = server.text(sender="a@stranger.example",
                             recipient="carol@example.org")
    client = server.connect()
    client.ehlo()
    assert client.deliver("carol@example.org", text).code == 250
    client.reset()              # never confirmed
    wait_until(lambda: server.figure("records_ended") == 1)
    fill()
    for pid in server.children("store"):
        os.kill(pid, signal.SIGKILL)
    server.wait_event("fatal", compartment="store",
                      text="db in state_dir/store: No space left on device")
    free()
    wait_until(lambda: re.search(r"(?m)^records_ended +1$", server.ctl(
        "status", check=False)[1]), 40, "store with its record")
    with server.connect() as c:
        c.ehlo()
        assert c.deliver("carol@example.org", text).code == 250
        c.quit()
    assert [m.get("Message-ID") for m in server.mail("carol")] == [name]
    assert not [n for n in os.listdir(server.folder + "/state/store")
                if "broken" in n]


def test_disk_that_fails():
    """EIO where the ledger is made durable: nothing leaves until it is."""
    sink = Sink()
    with Outbound(sink, faults=True) as server:
        server.may_crash = True
        index = server.faults.set("kv.commit", "errno", errno.EIO, count=0)
        text, name = server.text()
        assert server.send([REMOTE], text) == {}
        wait_until(lambda: server.faults.hits(index) > 1, 30, "the failure")
        server.ctl("flush")
        time.sleep(3)
        assert server.waiting() and not sink.messages
        server.faults.clear()
        wait_until(lambda: server.ctl("flush", check=False) and
                   not server.waiting(), 60, "it leaves")
        assert count(sink, name) == 1
        assert len(server.ctl("sent", name).splitlines()) == 1
    sink.close()
