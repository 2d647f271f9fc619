# SPDX-License-Identifier: ISC
"""One compartment by itself: this process is its supervisor and its peers.

    with Compartment("resolver", config_text) as c:
        smtpd = c.peer("smtpd")
        answers = smtpd.ask_all([(DNS_ASK, payload), ...], deadline_ms=5000)

For questions in numbers and times that no client could bring about. Numbers
of roles and questions are read from the headers.
"""
import array
import os
import pwd
import re
import select
import shutil
import socket
import struct
import subprocess
import time

from postern import BUILD, IS_ROOT, TOP, make_folder, parse_logfmt, \
    sanitizer_said, shut_down, wait_until


def enum_of(header, name):
    """{word: number} of an enum in include/."""
    with open(os.path.join(TOP, "include", header), encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    body = re.search(r"enum %s \{(.*?)\}" % name, text, re.S).group(1)
    found, number = {}, 0
    for item in body.split(","):
        word, _, value = item.partition("=")
        if not word.strip():
            continue
        number = int(value) if value.strip() else number
        found[word.strip()] = number
        number += 1
    return found


ASK = enum_of("ask.h", "ask_type")
ROLE = {k.removeprefix("ROLE_").lower(): v
        for k, v in enum_of("compartment.h", "role").items()}

SECRET = {k.removeprefix("SECRET_").lower(): v
          for k, v in enum_of("compartment.h", "secret").items()}


def slice_of(octets):
    """A slice as ipc_put_slice writes it."""
    octets = octets.encode() if isinstance(octets, str) else octets
    return struct.pack("!H", len(octets)) + octets


class Channel:
    """Our end of a channel."""

    def __init__(self, end):
        self.socket = end
        self.serial = 0
        self.thread = None      # that waits for messages, if one does

    def start(self, thread):
        """It waits for what comes, to the end."""
        self.thread = thread
        thread.start()

    def end(self):
        """Nobody waits for it any more when its number is given back."""
        shut_down(self.socket)
        if self.thread is not None:
            self.thread.join()
        self.socket.close()

    def send(self, kind, payload=b"", fd=None, number=0, deadline_ms=0):
        """One message."""
        head = struct.pack("!HHII", kind, 0, number, deadline_ms)
        extra = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                        array.array("i", [fd]))]
        self.socket.sendmsg([head + payload], extra)

    def ask(self, kind, payload, deadline_ms=5000):
        """Ask; the question's id."""
        self.serial += 1
        self.send(kind, payload, number=self.serial, deadline_ms=deadline_ms)
        return self.serial

    def receive(self, timeout=10):
        """(type, id, payload), or None when time is up or at the end."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return None
        octets = self.socket.recv(65536)
        if not octets:
            return None
        kind, _, number, _ = struct.unpack("!HHII", octets[:12])
        return kind, number, octets[12:]

    def answers(self, numbers, timeout=10):
        """{id: (seconds since now, payload)} as they come, all of them."""
        missing, found, begin = set(numbers), {}, time.monotonic()
        while missing:
            left = begin + timeout - time.monotonic()
            message = self.receive(max(left, 0))
            assert message is not None, "%d questions were not answered" \
                % len(missing)
            found[message[1]] = (time.monotonic() - begin, message[2])
            missing.discard(message[1])
        return found


class Compartment:
    """See the top of the file. config is put behind what it must have."""

    def __init__(self, role, config="", build=BUILD, secrets=None):
        self.role = role
        self.build = build
        self.secrets = secrets or {}
        self.folder = make_folder()
        os.mkdir(self.folder + "/empty")
        self.log_path = self.folder + "/log"
        self.text = """hostname = "mx.example.org"
postmaster = "a@example.org"
state_dir = "%s"
listen "127.0.0.1:25" { role = mx }
domain "example.org" { users = "passwd" }
%s""" % (self.folder, config)
        self.process = None
        self.supervisor = None
        self.peers = []

    def start(self, peers=()):
        """Start it with these peers; returns their channels."""
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.process = subprocess.Popen(
            [os.path.join(self.build, "postern"), "-c", self.role],
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
            close_fds=False, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log)
        theirs.close()
        self.supervisor = Channel(ours)
        owner = pwd.getpwnam("postern-" + self.role) if IS_ROOT else None
        self.supervisor.send(ASK["SETUP_SELF"], struct.pack(
            "!HHHHBII", ROLE[self.role], 0, 1, 0, IS_ROOT,
            owner.pw_uid if owner else 0, owner.pw_gid if owner else 0))
        self.supervisor.send(ASK["SETUP_LOG"], b"\0\0", log)
        os.close(log)
        for name, secret in self.secrets.items():
            self.supervisor.send(ASK["SETUP_SECRET"],
                                 struct.pack("!H", SECRET[name]) + secret)
        text = self.text.encode()
        memfd = os.memfd_create("config")
        os.write(memfd, text)
        self.supervisor.send(ASK["SETUP_CONFIG"],
                             struct.pack("!Q", len(text)), memfd)
        os.close(memfd)
        channels = [self.peer(*p) for p in peers]
        self.supervisor.send(ASK["SETUP_DONE"])
        message = self.supervisor.receive(20)
        assert message and message[0] == ASK["CHILD_READY"], self.log_text()
        return channels

    def peer(self, role, index=0, kind=0):
        """A new channel, as the supervisor would bring it; kind is an
        smtpd's: 0 mx, 1 submission, 2 local."""
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
        self.supervisor.send(ASK["SETUP_PEER"], struct.pack(
            "!HHH", ROLE[role], index, kind), theirs.fileno())
        theirs.close()
        self.peers.append(Channel(ours))
        return self.peers[-1]

    def log_text(self):
        """The log so far."""
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def events(self, name):
        """Parsed log lines of one event."""
        whole = self.log_text().rpartition("\n")[0]     # no half line
        parsed = map(parse_logfmt, whole.splitlines())
        return [e for e in parsed if e and e.get("event") == name]

    def wait_event(self, name, timeout=10):
        """The first such event, once it is there."""
        return wait_until(lambda: self.events(name), timeout, name)[0]

    def close(self):
        """Our ends are closed: it stops by itself; remove its folder.
        Whoever waits at one of them is told before its number is free."""
        for channel in [*self.peers, self.supervisor]:
            if channel is not None:
                channel.end()
        try:
            if self.process is not None:
                self.process.wait(10)
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            said = sanitizer_said(self.log_text())
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not said, said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
