# SPDX-License-Identifier: ISC
"""A raw SMTP client: what is sent is said octet for octet, and each reply is
read line by line as RFC 5321 4.2 has it. Nothing is mended on the way."""
import re
import socket
import struct
import time

ID = re.compile(r"\(([0-9a-hjkmnp-tv-z]{9,12})\)")


class Closed(Exception):
    """The server closed the connection where a reply was due."""


class Reply:
    """One reply. text is its lines joined by spaces, without the codes."""

    def __init__(self, lines):
        self.raw = lines
        self.code = int(lines[0][:3])
        self.lines = [line[4:] for line in lines]
        self.text = " ".join(self.lines)
        m = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)", self.lines[-1])
        self.enhanced = m.group(1) if m else None
        m = ID.search(self.text)
        self.id = m.group(1) if m else None

    def __repr__(self):
        return "Reply(%r)" % "\n".join(self.raw)

    def says(self, want):
        """Whether this is "550 5.1.1", or just "550"."""
        code, _, enhanced = want.partition(" ")
        return self.code == int(code) and \
            (not enhanced or self.enhanced == enhanced)


def parse_reply(read_line):
    """Collect the lines of one reply, checking their form."""
    lines = []
    while True:
        line = read_line()
        assert line.endswith(b"\r\n"), "reply without CRLF: %r" % line
        assert len(line) <= 512, "reply line over 512 octets"
        assert not re.search(rb"[\x00-\x1f\x7f]", line[:-2]), line
        assert re.match(rb"[2-5]\d\d(?:[ -]|\r)", line), line
        lines.append(line[:-2].decode("utf-8"))
        assert lines[-1][:3] == lines[0][:3], lines
        if line[3:4] != b"-":
            return Reply(lines)


class Client:
    """One connection, to (host, port) or the path of a unix socket. Opens
    with the greeting read unless greet=False."""

    def __init__(self, address, timeout=30, greet=True, source=None):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(
                address, timeout=timeout,
                source_address=(source, 0) if source else None)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close without a word."""
        self.sock.close()

    def reset(self):
        """Close so that the server's side breaks (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    # ---- octets ----

    def send(self, data):
        """Send octets, or a text as UTF-8."""
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def send_split(self, data, at, pause=0.002):
        """Send in two packets, split before offset at."""
        self.send(data[:at])
        time.sleep(pause)
        self.send(data[at:])

    def send_each(self, data, pause=0.0005):
        """Each octet in a packet of its own."""
        for i in range(len(data)):
            self.send(data[i:i + 1])
            time.sleep(pause)

    def read_line(self):
        """One line with its line end."""
        while b"\n" not in self.buffer:
            more = self.sock.recv(65536)
            if not more:
                raise Closed("closed after %r" % self.buffer)
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def reply(self):
        """The next reply."""
        return parse_reply(self.read_line)

    def replies(self, n):
        """The next n replies."""
        return [self.reply() for _ in range(n)]

    def is_silent(self, seconds=0.3):
        """Nothing comes for so long, and the connection stays open."""
        if self.buffer:
            return False
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            self.buffer = self.sock.recv(65536)
            return False
        except (socket.timeout, BlockingIOError):
            return True
        finally:
            self.sock.settimeout(before)

    def is_closed(self, timeout=10):
        """The server closes cleanly and says nothing before it."""
        self.sock.settimeout(timeout)
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except socket.timeout:
            return False

    # ---- dialogue ----

    def command(self, line):
        """Send one line, return the reply."""
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def expect(self, line, want):
        """Like command, and the reply must be want ("550 5.1.1")."""
        reply = self.command(line)
        assert reply.says(want), "%r: wanted %s, got %r" % (line, want, reply)
        return reply

    def ehlo(self, name="client.example"):
        """EHLO; returns {KEYWORD: parameters}."""
        lines = self.expect("EHLO " + name, "250").lines
        return {word.split(" ")[0]: word.partition(" ")[2]
                for word in lines[1:]}

    def envelope(self, recipients, sender="sender@elsewhere.example",
                 params=""):
        """MAIL and RCPTs that must all be accepted."""
        if isinstance(recipients, str):
            recipients = [recipients]
        self.expect("MAIL FROM:<%s>%s" % (sender, params), "250")
        for recipient in recipients:
            self.expect("RCPT TO:<%s>" % recipient, "250")

    def data(self, message):
        """DATA and the message (str or octets with CRLF); last reply."""
        self.expect("DATA", "354")
        self.send(wire(message))
        return self.reply()

    def deliver(self, recipients, message,
                sender="sender@elsewhere.example", params=""):
        """A whole transaction; returns the reply to the final dot."""
        self.envelope(recipients, sender, params)
        return self.data(message)

    def quit(self):
        """QUIT, its 221, and the end of the connection."""
        self.expect("QUIT", "221")
        assert self.is_closed()
        self.close()


def wire(message):
    """Dot-stuffed, with CRLF, ended by CRLF . CRLF."""
    if isinstance(message, str):
        message = message.encode()
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", message) + b".\r\n"


_COUNT = [0]


def new_message(subject="test", body="Hello.\n", size=0, fields="",
                has_id=True):
    """A message of RFC 5322, each with a Message-ID of its own."""
    _COUNT[0] += 1
    text = "From: Sender <sender@elsewhere.example>\n" \
        "To: somebody@example.org\nSubject: %s\n" % subject
    if has_id:
        text += "Date: Tue, 14 Nov 2023 22:13:20 +0000\n" \
            "Message-ID: <%d.%d@elsewhere.example>\n" % (
                _COUNT[0], time.time_ns())
    text += fields + "\n" + body
    if size > len(text):
        line = "x" * 71 + "\n"
        text += line * ((size - len(text)) // len(line))
    return text
