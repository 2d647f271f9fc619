# SPDX-License-Identifier: ISC
"""A power cut right after the 250. What the file system had given to its
disk by then is copied, mounted as after a crash, and must hold the message
whole: in a new mailbox and in an old one, for one recipient and for several,
small and large, alone and among many at once."""
import concurrent.futures
import os
import re
import shutil
import subprocess

import pytest

from client import new_message
from faults import FOUR, Lab
from postern import IS_ROOT, OWNER, Mail

CROWD = ["p%d@example.org" % i for i in range(10)]
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-E", "lazy_itable_init=0"], "ext4", ""),
    "ext4-no-journal": (["mkfs.ext4", "-q", "-O", "^has_journal"], "ext4",
                        ""),
    "xfs": (["mkfs.xfs", "-q"], "xfs", ",nouuid"),
    "btrfs": (["mkfs.btrfs", "-q"], "btrfs", ""),
}


def run(*words):
    """A command that must work."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class Cuts:
    """A disk of its own for all mailboxes, and copies of it."""

    def __init__(self, lab, kind):
        self.lab = lab
        self.make, self.type, self.options = KINDS[kind]
        self.image = os.path.join(lab.server.folder, "disk")
        self.wanted = []        # (copy, recipients, message)
        with open(self.image, "wb") as f:
            f.truncate(320 << 20)
        run(*self.make, self.image)
        self.mount(self.image, lab.server.mail_folder)
        lab.server.own_by(lab.server.mail_folder, OWNER)

    def mount(self, image, path):
        """By way of a loop device, which caches nothing of its own."""
        run("mount", "-t", self.type, "-o", "loop" + self.options, image,
            path)
        self.lab.server.mounts.append(path)

    def unmount(self, path):
        """No reader is left."""
        run("umount", path)
        self.lab.server.mounts.remove(path)

    def cut(self, *promised):
        """Each of promised is (recipients, message) and was told 250."""
        copy = "%s.%d" % (self.image, len(self.wanted))
        run("cp", "--sparse=always", self.image, copy)
        self.wanted.append((copy, promised))

    def check(self):
        """What is in the copies."""
        folder = self.lab.server.mail_folder
        self.lab.server.stop()
        self.unmount(folder)
        os.unlink(self.image)
        for copy, promised in self.wanted:
            if self.type == "ext4":     # 1: it was mended
                assert subprocess.run(["e2fsck", "-fy", copy], check=False,
                                      capture_output=True).returncode < 4
            self.mount(copy, folder)
            for recipients, message in promised:
                for recipient in recipients:
                    self.expect(recipient, message)
            self.unmount(folder)
            os.unlink(copy)

    def expect(self, recipient, message):
        """It is in new/ once, with every octet."""
        new = os.path.join(self.lab.box(recipient), "new")
        found = [Mail(os.path.join(new, n)) for n in os.listdir(new)]
        subject = re.search(r"Subject: (.*)", message).group(1)
        found = [m for m in found if m.get("Subject") == subject]
        assert len(found) == 1, (recipient, subject, os.listdir(new))
        raw = found[0].raw
        assert raw.endswith(message.encode()), (recipient, subject, len(raw))
        assert ",S=%d" % len(raw) in found[0].name


@pytest.fixture
def lab():
    if not IS_ROOT:
        pytest.skip("needs root: mounts")
    made = Lab()
    yield made
    made.server.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_promised_is_on_the_disk(lab, kind):
    if shutil.which(KINDS[kind][0][0]) is None:
        pytest.skip("there is no %s" % KINDS[kind][0][0])
    cuts = Cuts(lab, kind)
    lab.server.start()
    for size in (0, 100000, 3000000):
        for recipients in (["alice@example.org"], list(FOUR)):
            for age in "first", "second":
                message = new_message("%s of %d to %d" % (
                    age, size, len(recipients)), size=size)
                told = lab.attempt(recipients, message)
                assert [r.code for r in told.values()] == \
                    [250] * len(recipients), told
                cuts.cut((recipients, message))
    crowd = [([r], new_message("crowd %d %s" % (i, r)))
             for i in range(4) for r in CROWD]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda job: lab.attempt(*job), crowd))
    assert all(t[r].code == 250 for (r,), t in
               zip([c[0] for c in crowd], told)), told
    cuts.cut(*crowd)
    cuts.check()
