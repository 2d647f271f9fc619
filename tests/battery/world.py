# SPDX-License-Identifier: ISC
"""The world of the battery: a network namespace in which every address there
is leads to this machine, a name server in which every name has an MX, and
one sink behind all of them. What a server sends to anybody arrives here.

    world = World()             in the namespace, as root of it
    world.sink.received         {address: [Message]}
    world.add_user("u200")      to a passwd file that only this world sees

The mount namespace is the world's own too: passwd, group, aliases and
resolv.conf of the machine stay as they are."""
import collections
import os
import re
import shutil
import subprocess
import threading

import relay_lab
from nameserver import Nsd, complete
from postern import make_folder

CLIENT4, CLIENT6 = "198.51.100.7", "2001:db8::7"
NETWORK = """set -e
mount --make-rprivate /
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
ip address add %s/32 dev lo
ip address add %s/128 dev lo nodad
mount -t tmpfs -o mode=1777 none /var/mail
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/etc /mnt/work
mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work /etc
""" % (CLIENT4, CLIENT6)
ROOT_ZONE = """* MX 10 mx.sink.test.
*.test MX 10 mx.sink.test.
mx.sink.test A 192.0.2.25
mx.sink.test AAAA 2001:db8::25
"""
FIRST_UID = 31000
N_USERS = 900


def refuse(_session, arg):
    """Recipients whom nobody takes, or not yet."""
    if arg.startswith("TO:<refused"):
        return "550 5.1.1 no such user"
    if arg.startswith("TO:<later"):
        return "450 4.2.1 come back"
    return "250 2.1.5 ok"


class Sink(relay_lab.Sink):
    """Port 25 of every address: takes everything, says so, except what is
    for refused...@ and later...@."""

    def __init__(self):
        self.received = collections.defaultdict(list)
        super().__init__({"rcpt": refuse}, address="::", port=25,
                         name="mx.sink.test")
        self.messages = _Taken(self)

    def count(self, address):
        """Messages that reached him."""
        return len(self.received.get(address, ()))


class _Taken:
    """Where a Session puts what it has taken; its sink's lock is held."""

    def __init__(self, sink):
        self.sink = sink

    def append(self, message):
        """For each of its recipients."""
        for recipient in message.recipients:
            address = re.search("<(.*?)>", recipient).group(1).lower()
            self.sink.received[address].append(message)


class World:
    """See the top of the file."""

    def __init__(self):
        subprocess.run(["sh", "-c", NETWORK], check=True)
        self.folder = make_folder()
        os.mkdir(self.folder + "/home")
        os.chmod(self.folder + "/home", 0o755)
        self.lock = threading.Lock()
        self.n_users = 0
        self._own_files()
        self.nsd = Nsd(self.folder, {".": complete(".", ROOT_ZONE)},
                       ["127.0.0.1"])
        self.sink = Sink()

    def _own_files(self):
        """passwd, group, resolv.conf: /etc is the world's own."""
        users = self._users()
        self._write("resolv.conf", "nameserver 127.0.0.1\n")
        self._append("passwd", "".join(
            "%s:x:%d:%d:%s:%s:/bin/sh\n" % (
                name, uid, uid, full, self.home(name))
            for name, uid, full in users) +
            "postfix:x:30900:30900::/nonexistent:/bin/false\n")
        self._append("group", "".join(
            "%s:x:%d:\n" % (name, uid) for name, uid, _ in users) +
            "postfix:x:30900:\npostdrop:x:30901:\n")
        for name, uid, _ in users:
            os.mkdir(self.home(name), 0o700)
            os.chown(self.home(name), uid, uid)

    @staticmethod
    def _write(name, text):
        """A file of /etc."""
        with open("/etc/" + name, "w", encoding="utf-8") as f:
            f.write(text)

    def _append(self, name, more):
        """To one; a Postfix of the machine is not there."""
        with open("/etc/" + name, encoding="utf-8") as f:
            text = "".join(line for line in f if not line.startswith(
                ("postfix:", "postdrop:")))
        self._write(name, text + more)

    @staticmethod
    def _users():
        """(name, uid, full name) of all that a case may take; the aliases
        name the first ones, of whom two are of one family."""
        return [("u%03d" % n, FIRST_UID + n, "First%d %s" % (
            n, "Ptarmigan" if n in (7, 8) else "Last%d" % n))
                for n in range(N_USERS)]

    def take_user(self):
        """A user whom no other case has."""
        with self.lock:
            self.n_users += 1
            return "u%03d" % (self.n_users - 1)

    def home(self, user):
        """Where he lives."""
        return os.path.join(self.folder, "home", user)

    def edit_passwd(self, change):
        """Have the lines of passwd changed."""
        with self.lock:
            with open("/etc/passwd", encoding="utf-8") as f:
                text = "".join(change(f.readlines()))
            self._write("passwd.new", text)
            os.rename("/etc/passwd.new", "/etc/passwd")

    def remove_user(self, user):
        """He has left."""
        self.edit_passwd(lambda lines: [
            line for line in lines if not line.startswith(user + ":")])

    def rename_user(self, user, full_name):
        """He is called that from now on."""
        def change(lines):
            for i, line in enumerate(lines):
                words = line.split(":")
                if words[0] == user:
                    words[4] = full_name
                lines[i] = ":".join(words)
            return lines
        self.edit_passwd(change)

    def close(self):
        """The namespaces end with their last process."""
        self.nsd.close()
        shutil.rmtree(self.folder, ignore_errors=True)
