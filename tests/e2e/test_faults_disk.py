# SPDX-License-Identifier: ISC
"""Disks that are full, broken or read-only, at each system call of delivery:
the reply of DESIGN 9, nobody keeps a copy, the retry reaches the others, and
the failing one has it when the fault is lifted."""
import contextlib
import errno
import os
import re
import shutil
import subprocess

import pytest

from client import new_message
from faults import FOUR, TWO, Lab, checked_lab, must
from postern import IS_ROOT, OWNER, wait_until

REPLIES = {"ENOSPC": "452 4.3.1", "EDQUOT": "452 4.2.2", "EIO": "451 4.3.0",
           "EROFS": "451 4.2.0", "EACCES": "451 4.2.0"}
# phase, point
WRITES = ("maildir.create", "maildir.write", "maildir.fdatasync",
          "maildir.close", "maildir.rename", "maildir.fsync_dir")
LOOKS = ("maildir.open_mailbox", "maildir.check")


@pytest.fixture(scope="module")
def lab(request):
    yield from checked_lab(limits="errors_per_session = 0\nunknown_recipients = 0")


@pytest.fixture(autouse=True)
def disarm(request):
    yield
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").faults.clear()


_SENDERS = [0]


def new_sender():
    """What is remembered of one case must not meet the next one."""
    _SENDERS[0] += 1
    return "s%d@elsewhere.example" % _SENDERS[0]


def codes(told):
    return sorted(r.code for r in told.values())


@pytest.mark.parametrize("recipients", [FOUR, TWO], ids=["one-uid",
                                                         "two-uids"])
@pytest.mark.parametrize("error", sorted(REPLIES))
@pytest.mark.parametrize("point", WRITES)
def test_write_fails(lab, point, error, recipients):
    """One copy of several fails, in PREPARE or in COMMIT."""
    message, sender = new_message(), new_sender()
    want = REPLIES[error]
    # the second one of a worker's batch, so that one is done before it
    after = 1 if recipients is FOUR else 0
    slot = lab.faults.set(point, "errno", getattr(errno, error), after=after)
    told = lab.attempt(recipients, message, sender=sender)
    assert lab.faults.hits(slot) == 1
    for reply in told.values():
        assert reply.says(want) and reply.id, reply
    assert lab.count(recipients, message) == [0] * len(recipients)
    # the retry: one hears at RCPT why, the others have it
    told = lab.attempt(recipients, message, sender=sender)
    own = [r for r in recipients if told[r].code != 250]
    assert len(own) == 1 and told[own[0]].says(want), told
    if recipients is FOUR:
        assert own == [recipients[1]]
    for recipient in recipients:
        assert lab.count([recipient], message) == [recipient not in own]
        if recipient not in own:
            lab.expect(recipient, message)
    # and now the disk is well
    told = lab.attempt(own, message, sender=sender)
    assert codes(told) == [250]
    lab.expect(own[0], message)
    lab.check()
    for user in ("alice", "bob", "carol", "dave"):
        assert [n for n in lab.server.tmp_files(user) if "~" not in n] == []


@pytest.mark.parametrize("error, text", [
    ("ENOTCONN", "451 4.3.0"), ("EUCLEAN", "451 4.3.0"),
    ("EOPNOTSUPP", "451 4.3.5"), ("EBUSY", "451 4.3.0")])
def test_rare_error_holds_nobody_up(lab, error, text):
    """What a system call says of one mailbox, known here or not, is that
    mailbox's alone: the retry reaches the others."""
    message, sender = new_message(), new_sender()
    lab.faults.set("maildir.create", "errno", getattr(errno, error))
    told = lab.attempt(FOUR, message, sender=sender)
    assert all(r.says(text) for r in told.values()), told
    told = lab.attempt(FOUR, message, sender=sender)
    assert codes(told) == [250, 250, 250, 451], told
    assert told[FOUR[0]].says(text)
    for recipient in FOUR[1:]:
        lab.expect(recipient, message)
    lab.check()


@pytest.mark.parametrize("n, point, error", [
    (i, point, error) for i, (point, error) in enumerate(
        (p, e) for p in LOOKS for e in sorted(REPLIES))])
def test_probe_fails(lab, n, point, error):
    """Known at RCPT, and only this recipient's. What a probe said is good
    for five seconds, so each case has a mailbox of its own."""
    message, mailbox = new_message(), "p%d@example.org" % n
    slot = lab.faults.set(point, "errno", getattr(errno, error))
    told = lab.attempt([mailbox, "bob@example.org"], message)
    assert lab.faults.hits(slot) == 1
    assert told[mailbox].says(REPLIES[error]), told
    assert told["bob@example.org"].code == 250
    lab.expect("bob@example.org", message)
    lab.send([mailbox], message)
    lab.check()


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO", "EROFS",
                                   "EACCES"])
def test_mailbox_cannot_be_made(error):
    lab = Lab()
    lab.server.start()
    try:
        message = new_message()
        lab.faults.set("maildir.mkdir", "errno", getattr(errno, error),
                       count=0)
        told = lab.attempt(TWO, message)
        assert all(r.says(REPLIES[error]) for r in told.values()), told
        lab.faults.clear()
        lab.send(TWO, message)
        lab.check()
    finally:
        lab.server.close()


@pytest.mark.parametrize("point", ["maildirsize.open", "maildirsize.write"])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_quota_file_is_only_a_cache(lab, point, error):
    lab.faults.set(point, "errno", getattr(errno, error), count=0)
    lab.send(["small@example.org"], new_message())
    lab.send(["small@example.org"], new_message())
    lab.check()


@pytest.mark.parametrize("error", ["EIO", "EROFS", "ENOSPC"])
def test_tmp_cannot_be_cleaned(lab, error):
    """What cannot be unlinked stays in tmp/, and is no copy."""
    message, sender = new_message(), new_sender()
    lab.faults.set("maildir.unlink", "errno", getattr(errno, error), count=0)
    lab.faults.set("maildir.fdatasync", "errno", getattr(errno, error),
                   after=1)
    told = lab.attempt(FOUR, message, sender=sender)
    assert all(r.says(REPLIES[error]) for r in told.values())
    assert lab.count(FOUR, message) == [0] * 4
    lab.faults.clear()
    lab.send(FOUR, message)
    lab.check()


@pytest.mark.parametrize("error", ["EIO", "EROFS", "ENOSPC"])
@pytest.mark.parametrize("point", ["maildir.rename", "maildir.fsync_dir"])
def test_copy_that_cannot_be_taken_back(lab, point, error):
    """COMMIT fails for one and undoing for the others: 451, counted as left
    behind, and the retry delivers only to who lacks it."""
    message = new_message()
    lab.faults.set(point, "errno", getattr(errno, error), after=1)
    lab.faults.set("maildir.take_back", "errno", getattr(errno, error),
                   count=0)
    told = lab.attempt(FOUR, message)
    assert all(400 <= r.code < 500 for r in told.values()), told
    assert max(lab.count(FOUR, message)) == 1
    lab.faults.clear()
    lab.send(FOUR, message)
    lab.check()


def test_syncfs_path(lab):
    """Five copies share one flush; two of them fail."""
    recipients = FOUR + ("erin@example.org",)
    message, sender = new_message(), new_sender()
    lab.faults.set("maildir.fdatasync", "errno", errno.EIO, after=1, count=2)
    told = lab.attempt(recipients, message, sender=sender)
    assert all(r.says("451 4.3.0") for r in told.values())
    assert max(lab.count(recipients, message)) == 0
    told = lab.attempt(recipients, message, sender=sender)
    assert codes(told) == [250, 250, 250, 451, 451]
    for recipient, reply in told.items():
        if reply.code == 250:
            lab.expect(recipient, message)
    lab.send([r for r in recipients if told[r].code != 250], message)
    lab.check()


def test_prdr_one_fails(lab):
    """With PRDR the others have it at once, also when COMMIT fails."""
    for point in ("maildir.write", "maildir.fdatasync", "maildir.rename",
                  "maildir.fsync_dir"):
        message, sender = new_message(), new_sender()
        lab.faults.set(point, "errno", errno.ENOSPC, after=1)
        told = lab.attempt(FOUR, message, " PRDR", sender=sender)
        assert codes(told) == [250, 250, 250, 452], (point, told)
        [own] = [r for r in FOUR if told[r].code == 452]
        for recipient in FOUR:
            assert lab.count([recipient], message) == [recipient != own]
            if recipient != own:
                lab.expect(recipient, message)
        lab.send([own], message, deadline=30)
        lab.check()


# ---- real ones ----

def mount(lab, user, *options):
    """A file system of its own for one user's mailbox."""
    disk = os.path.join(lab.server.mail_folder, user)
    os.makedirs(disk, exist_ok=True)
    if subprocess.run(["mount", *options, disk], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("mounting is not allowed here")
    lab.server.mounts.append(disk)
    return disk


@pytest.fixture
def own_lab():
    if not IS_ROOT:
        pytest.skip("needs root: mounts")
    lab = Lab()
    yield lab
    lab.server.close()


def test_real_full_disk(own_lab):
    lab = own_lab
    disk = mount(lab, "alice", "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    lab.server.own_by(disk, OWNER)
    lab.server.start()
    lab.send(FOUR, new_message())
    message = new_message(size=100000)
    sender = new_sender()
    told = lab.attempt(FOUR, message, sender=sender)
    assert all(r.says("452 4.3.1") for r in told.values()), told
    assert lab.count(FOUR, message) == [0] * 4
    assert lab.server.tmp_files("alice") == []
    told = lab.attempt(FOUR, message, sender=sender)
    assert told[FOUR[0]].says("452 4.3.1")
    assert codes(told) == [250, 250, 250, 452]
    for recipient in FOUR[1:]:
        lab.expect(recipient, message)
    lab.check()
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    lab.send([FOUR[0]], message)
    lab.check()


def test_real_read_only_disk(own_lab):
    lab = own_lab
    disk = mount(lab, "alice", "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    lab.server.own_by(disk, OWNER)
    lab.server.start()
    lab.send(FOUR, new_message())
    # it becomes read-only between RCPT and the end of data
    message, sender = new_message(), new_sender()
    with lab.server.connect() as c:
        c.ehlo()
        c.envelope(FOUR, sender=sender)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        reply = c.data(message)
        assert reply.says("451 4.2.0"), reply
    assert lab.count(FOUR, message) == [0] * 4
    told = lab.attempt(FOUR, message, sender=sender)
    assert told[FOUR[0]].says("451 4.2.0")
    assert codes(told) == [250, 250, 250, 451]
    for recipient in FOUR[1:]:
        lab.expect(recipient, message)
    told = lab.attempt(FOUR[:1], message)
    assert told[FOUR[0]].says("451 4.2.0"), told
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    lab.send([FOUR[0]], message, deadline=30)
    lab.check()


def test_no_permission(own_lab):
    """tmp/ loses its write bit after the probe."""
    lab = own_lab
    lab.server.start()
    lab.send(FOUR, new_message())
    message, sender = new_message(), new_sender()
    tmp = os.path.join(lab.box(FOUR[0]), "tmp")
    with lab.server.connect() as c:
        c.ehlo()
        c.envelope(FOUR, sender=sender)
        os.chmod(tmp, 0o500)
        assert c.data(message).says("451 4.2.0")
    assert lab.count(FOUR, message) == [0] * 4
    told = lab.attempt(FOUR, message, sender=sender)
    assert codes(told) == [250, 250, 250, 451]
    for recipient in FOUR[1:]:
        lab.expect(recipient, message)
    os.chmod(tmp, 0o700)
    lab.send([FOUR[0]], message, deadline=30)
    lab.check()
    must(re.search(r"level|delivery_step_failed", lab.server.log_text()),
         "the log says nothing")


@pytest.mark.parametrize("lacks", ["inodes", "room"])
def test_table_is_compiled_when_there_is_room_again(own_lab, lacks):
    """Nobody has to touch the file once more. The compiler is not killed for
    how Berkeley DB waits for an inode."""
    server = own_lab.server
    state = server.folder + "/state"
    os.makedirs(state)
    server.environment["POSTERN_NO_PATIENCE"] = "1"
    options = "mode=755,size=16m,nr_inodes=400"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs",
                       state], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("mounting is not allowed here")
    server.mounts.append(state)
    server.start()
    ballast = state + "/ballast"
    os.mkdir(ballast)
    with contextlib.suppress(OSError):
        for i in range(400):
            with open("%s/%d" % (ballast, i), "wb", buffering=0) as f:
                while lacks == "room":
                    f.write(bytes(4096))
    compiled = len(server.events("table_compiled"))
    with open(server.folder + "/users", encoding="utf-8") as f:
        server.write("users", f.read() + "newcomer\n")
    status, text = server.ctl("tables", "compile", check=False)
    assert status == 1 and "tried again each minute" in text
    assert "No space left on device" in server.wait_event(
        "alarm", compartment="compiler")["problem"]
    shutil.rmtree(ballast)
    wait_until(lambda: server.events("table_compiled")[compiled:])
    wait_until(lambda: server.rcpt("newcomer@example.org").code == 250,
               every=0.2)
    assert not server.events("compartment_died")
