# SPDX-License-Identifier: ISC
"""Real milters and a real clamd for one test, and fake ones that misbehave.

Everything runs in a folder of its own; only processes started here are
ended.
"""
import array
import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import tarfile
import threading
import time

from postern import free_port, make_folder, shut_down, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
# as one octet less, so that this file is not a virus itself
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" \
    r"ANTIVIRUS-TEST-FILE!$H+H*"


def accepts(path):
    """Does somebody listen there? A path, or a port of 127.0.0.1."""
    try:
        if isinstance(path, int):
            with socket.create_connection(("127.0.0.1", path), 2):
                return True
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(path)
            return True
    except OSError:
        return False


def endpoint(where):
    """A path or a port as it stands in postern.conf."""
    if isinstance(where, int):
        return "inet:%d@127.0.0.1" % where
    return "unix:" + where


class Daemon:
    """A process with a socket, in a folder that everybody may enter."""

    def __init__(self, where=None):
        self.folder = make_folder()
        os.chmod(self.folder, 0o777)
        self.socket = where or self.path("socket")
        self.log_path = self.path("log")
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        """A file that everybody may read."""
        with open(self.path(name), "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)
        os.chmod(self.path(name), 0o644)
        return self.path(name)

    def run(self, *words, timeout=60, **environment):
        """Start, and wait until the socket takes connections."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True,
                env={**os.environ, **environment})
        try:
            wait_until(lambda: accepts(self.socket) or
                       self.process.poll() is not None, timeout,
                       "socket of " + words[0])
            assert self.process.poll() is None, \
                "%s ended:\n%s" % (words[0], self.log())
        except AssertionError:
            self.close()
            raise
        if isinstance(self.socket, str):
            os.chmod(self.socket, 0o777)
        return self

    def log(self):
        """What it wrote."""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        """SIGTERM, then SIGKILL."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def endpoint(self):
        return endpoint(self.socket)


class Program(Daemon):
    """milter_program.py; what is the answers at its stages."""

    def __init__(self, *what, tcp=False):
        super().__init__(free_port() if tcp else None)
        where = "inet:%d@127.0.0.1" % self.socket if tcp else \
            "unix:" + self.socket
        self.events_path = self.path("events")
        self.words = (PYTHON, os.path.join(HERE, "milter_program.py"), where,
                      self.events_path, *what)
        self.again()

    def again(self):
        """Start it, after kill() once more."""
        self.run(*self.words)

    def stop(self):
        """libmilter notices SIGTERM only after five seconds."""
        if self.process and self.process.poll() is None:
            self.kill()

    def events(self, what=None):
        """The callbacks, in order."""
        if not os.path.exists(self.events_path):
            return []
        with open(self.events_path, encoding="utf-8") as f:
            # it may be writing a line just now
            events = [json.loads(line) for line in f.read().split("\n")[:-1]]
        return [e for e in events if what in (None, e["what"])]

    def clear(self):
        """Forget them."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.events_path)


def daily(made):
    """daily.cud: a database without a signer that was made at this time."""
    head = "ClamAV-VDB:%s:27500:1:90:X:X:tests:%d" % (time.strftime(
        "%d %b %Y %H-%M +0000", time.gmtime(made)), made)
    line = ("Test.Other:0:*:%s\n" % os.urandom(16).hex()).encode()
    info = "%s\ndaily.ndb:%d:%s\n" % (head, len(line),
                                      hashlib.sha256(line).hexdigest())
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w",
                      format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (("daily.info", info.encode()),
                           ("daily.ndb", line)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return head.encode().ljust(512) + files.getvalue()


class Clamd(Daemon):
    """clamd with one signature: EICAR, wherever it stands; with made, a
    daily database of that time."""

    def __init__(self, tcp=False, more="", made=None):
        super().__init__(free_port() if tcp else None)
        os.mkdir(self.path("db"))
        os.chmod(self.path("db"), 0o755)
        self.write("db/test.ndb", "Test.Eicar:0:*:%s\n" %
                   EICAR.encode().hex())
        if made:
            self.write("db/daily.cud", daily(made))
        where = "TCPSocket %d\nTCPAddr 127.0.0.1\n" % self.socket if tcp \
            else "LocalSocket %s\nLocalSocketMode 666\n" % self.socket
        self.write("clamd.conf", """
DatabaseDirectory %s
Foreground yes
LogVerbose yes
User clamav
TemporaryDirectory %s
PidFile %s
ConcurrentDatabaseReload no
SelfCheck 0
%s%s""" % (self.path("db"), self.folder, self.path("pid"), where, more))
        self.start()

    def start(self):
        """Again after kill()."""
        if isinstance(self.socket, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.socket)
        self.run("clamd", "-c", self.path("clamd.conf"), TZ="UTC")


class Fake:
    """A socket on which talk(connection) plays clamd or a milter."""

    def __init__(self, talk, tcp=False):
        self.folder = make_folder()
        self.talk = talk
        if tcp:
            self.socket = free_port()
            self.listener = socket.create_server(("127.0.0.1", self.socket))
        else:
            self.socket = os.path.join(self.folder, "socket")
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.socket)
            os.chmod(self.socket, 0o777)
        self.listener.listen(50)
        self.n = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def endpoint(self):
        return endpoint(self.socket)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.n += 1
            threading.Thread(target=self.serve_one, args=(connection,),
                             daemon=True).start()

    def serve_one(self, connection):
        with connection, contextlib.suppress(OSError, EOFError):
            self.talk(connection)

    def close(self):
        """Nobody waits for the listener when its number is given back."""
        shut_down(self.listener)
        self.thread.join()
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def read_exactly(connection, n):
    """n octets, or EOFError."""
    data = b""
    while len(data) < n:
        piece = connection.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_packet(connection):
    """(letter, data) of a milter packet."""
    size, = struct.unpack(">I", read_exactly(connection, 4))
    packet = read_exactly(connection, size)
    return packet[:1], packet[1:]


def send_packet(connection, letter, data=b""):
    """A milter packet."""
    connection.sendall(struct.pack(">I", len(data) + 1) + letter + data)


def negotiate(connection, version=6, actions=0x1ff, protocol=0, more=b""):
    """Read the options, answer with these; returns what was offered."""
    letter, data = read_packet(connection)
    assert letter == b"O"
    send_packet(connection, b"O", struct.pack(">III", version, actions,
                                              protocol) + more)
    return struct.unpack(">III", data)


def read_fildes(connection, version="ClamAV 1.4.3"):
    """What a client of clamd sends: the descriptor's octets. VERSION is
    answered here; None: it never is."""
    command = read_exactly(connection, 8)
    if command == b"zVERSION":
        assert read_exactly(connection, 1) == b"\0"
        while version is None and connection.recv(100):
            pass
        connection.sendall((version or "").encode() + b"\0")
        raise EOFError
    assert command == b"zFILDES\0", command
    fds = array.array("i")
    _, control, _, _ = connection.recvmsg(1, socket.CMSG_LEN(4))
    fds.frombytes(control[0][2][:4])
    with os.fdopen(fds[0], "rb") as f:
        return os.pread(f.fileno(), os.fstat(f.fileno()).st_size, 0)


def nap(seconds):
    """For fakes that are slow."""
    time.sleep(seconds)
