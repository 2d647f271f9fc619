# SPDX-License-Identifier: ISC
"""Quotas of file systems, enforced by the kernel (EDQUOT): 452 4.2.2, nobody
has a copy, the others are reached by the retry, and all is well once there
is room."""
import ctypes
import os
import pwd
import shutil
import struct
import subprocess

import pytest

from client import new_message
from faults import FOUR, Lab
from postern import IS_ROOT, OWNER
from test_faults_disk import codes, new_sender

LIMIT_KIB = 2048


def run(*words):
    """A command that must work."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class Disk:
    """A file system of its own for one user's mailbox; what it is made of
    lies in the server's folder."""

    def __init__(self, lab, user):
        self.path = os.path.join(lab.server.mail_folder, user)
        self.image = os.path.join(lab.server.folder, "disk")
        self.server = lab.server
        os.makedirs(self.path, exist_ok=True)

    def make_image(self, mebibytes):
        """A sparse file, to be mounted by way of a loop device."""
        with open(self.image, "wb") as f:
            f.truncate(mebibytes << 20)

    def mount(self, kind, *options):
        """Skips where the kernel cannot."""
        result = subprocess.run(["mount", "-t", kind, *options, self.path],
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            pytest.skip("this kernel does not mount %s with a quota: %s" % (
                kind, result.stderr.split("\n")[0]))
        self.server.mounts.append(self.path)

    def finish(self):
        """The mailbox belongs to OWNER, and is limited."""
        self.server.own_by(self.path, OWNER)
        self.limit(LIMIT_KIB)

    def limit(self, kibibytes):
        """quotactl_fd(2): OWNER's blocks; 0 is no limit."""
        set_quota, user_quota, only_blocks = 0x800008, 0, 1
        values = struct.pack("=8QI4x", kibibytes, kibibytes, 0, 0, 0, 0, 0, 0,
                             only_blocks)
        libc = ctypes.CDLL(None, use_errno=True)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            result = libc.syscall(
                443, folder, set_quota << 8 | user_quota,
                pwd.getpwnam(OWNER).pw_uid, values)
            assert result == 0, os.strerror(ctypes.get_errno())
        finally:
            os.close(folder)


class Ext4(Disk):
    """With its hidden quota files, as an administrator sets it up today."""

    def __init__(self, lab, user):
        super().__init__(lab, user)
        self.make_image(16)
        run("mkfs.ext4", "-q", "-O", "quota", "-E", "quotatype=usrquota",
            self.image)
        self.mount("ext4", "-o", "loop,usrquota", self.image)
        self.finish()


class Tmpfs(Disk):
    """Since Linux 6.6."""

    def __init__(self, lab, user):
        super().__init__(lab, user)
        self.mount("tmpfs", "-o", "size=16m,usrquota", "tmpfs")
        self.finish()


class Btrfs(Disk):
    """The quota belongs to a subvolume."""

    def __init__(self, lab, user):
        super().__init__(lab, user)
        self.make_image(128)
        run("mkfs.btrfs", "-q", self.image)
        self.mount("btrfs", "-o", "loop", self.image)
        self.box = os.path.join(self.path, "Maildir")
        run("btrfs", "quota", "enable", self.path)
        run("btrfs", "subvolume", "create", self.box)
        self.server.own_by(self.box, OWNER)
        self.finish()

    def limit(self, kibibytes):
        run("btrfs", "qgroup", "limit",
            "%dK" % kibibytes if kibibytes else "none", self.box)


@pytest.fixture
def lab():
    if not IS_ROOT:
        pytest.skip("needs root: mounts")
    made = Lab()
    yield made
    made.server.close()


@pytest.mark.parametrize("kind", [Ext4, Tmpfs, Btrfs])
def test_quota_of_the_file_system(lab, kind):
    if kind is Btrfs and shutil.which("mkfs.btrfs") is None:
        pytest.skip("there is no mkfs.btrfs")
    disk = kind(lab, "alice")
    lab.server.start()
    lab.send(FOUR, new_message())
    message, sender = new_message(size=4000000), new_sender()
    told = lab.attempt(FOUR, message, sender=sender)
    assert all(r.says("452 4.2.2") for r in told.values()), told
    assert lab.count(FOUR, message) == [0] * 4
    assert lab.server.tmp_files("alice") == []
    # remembered: the others get it
    told = lab.attempt(FOUR, message, sender=sender)
    assert codes(told) == [250, 250, 250, 452]
    assert told[FOUR[0]].says("452 4.2.2")
    for recipient in FOUR[1:]:
        lab.expect(recipient, message)
    lab.check()
    disk.limit(0)
    lab.send([FOUR[0]], message, deadline=30)
    lab.check()
