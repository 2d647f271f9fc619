# SPDX-License-Identifier: ISC
"""relay by itself: this process is its queue and its resolver, or stands
between it and a real resolver.

    with Lab({("example.net", "MX"): ["10 mx.example.net"],
              ("mx.example.net", "A"): ["127.0.0.2"]}, port=sink.port) as lab:
        r = lab.send("example.net", ["bob@example.net"], b"Subject: x\\n\\nhi\\n")
        assert r.codes == [250]

A Sink is an SMTP server that does what a test says, at each stage.
"""
import array
import collections
import os
import select
import socket
import ssl
import struct
import tempfile
import threading
import time

from compartment import ASK, Compartment, enum_of, slice_of
from postern import BUILD, shut_down

TYPES = {1: "A", 5: "CNAME", 15: "MX", 16: "TXT", 28: "AAAA", 52: "TLSA"}
OK, NO_DATA, NO_NAME, FAILED = range(4)
STAGES = {v: k.removeprefix("RELAY_AT_").lower()
          for k, v in enum_of("ask_hop.h", "relay_stage").items()}
NOTIFY = {"NEVER": 1, "SUCCESS": 2, "FAILURE": 4, "DELAY": 8}


class Reader:
    """A cursor over a payload."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def number(self, form):
        """One number."""
        value, = struct.unpack_from("!" + form, self.octets, self.at)
        self.at += struct.calcsize("!" + form)
        return value

    def slice(self):
        """One slice."""
        size = self.number("H")
        self.at += size
        return self.octets[self.at - size:self.at]


def record(kind, text):
    """A record in the form of dns.h."""
    if kind == "MX":
        preference, host = text.split()
        return struct.pack("!H", int(preference)) + \
            host.rstrip(".").encode()
    if kind == "A":
        return socket.inet_aton(text)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind == "TLSA":
        usage, selector, matching, data = text.split()
        return bytes([int(usage), int(selector), int(matching)]) + \
            bytes.fromhex(data)
    return text.encode()


class FakeResolver(threading.Thread):
    """Answers from a table {(name, type): [text] or status}; a name that is
    not there has no such record if another type of it is, else it does not
    exist. secure: True, or the names that are."""

    def __init__(self, channel, table, secure=()):
        super().__init__(daemon=True)
        self.channel, self.table, self.secure = channel, table, secure
        self.asked = collections.Counter()

    def answer(self, name, kind):
        """The octets of put_dns_answer."""
        found = self.table.get((name, kind))
        secure = self.secure is True or name in self.secure
        if found is None:
            known = any(n == name for n, _ in self.table)
            found = NO_DATA if known else NO_NAME
        records = [record(kind, t) for t in found] \
            if isinstance(found, list) else []
        status = OK if records else found
        return struct.pack("!BBIH", status, int(secure and
                                                status != FAILED), 60,
                           len(records)) + b"".join(map(slice_of, records))

    def run(self):
        while True:
            try:
                message = self.channel.receive(3600)
            except OSError:
                return
            if message is None:
                return
            _, number, payload = message
            reader = Reader(payload)
            kind = TYPES[reader.number("H")]
            name = reader.slice().decode()
            self.asked[name, kind] += 1
            if self.table.get((name, kind)) == "silent":
                continue
            try:
                self.channel.send(ASK["DNS_ANSWER"],
                                  slice_of(self.answer(name, kind)),
                                  number=number)
            except OSError:
                return


class FakeStore(threading.Thread):
    """Keeps policies in a dictionary, {domain: octets of a sts_kept}.
    is_silent: it does not answer."""

    def __init__(self, channel, kept):
        super().__init__(daemon=True)
        self.channel, self.kept = channel, kept
        self.is_silent = False

    def answer(self, kind, payload):
        """(type, payload) of the answer."""
        domain = Reader(payload).slice().decode()
        if kind == ASK["STS_NEXT"]:
            later = sorted(d for d in self.kept if d > domain)
            return ASK["STS_ENTRY"], self.kept[later[0]] if later else \
                kept("", "", 0, 0, "")
        assert kind == ASK["STS_KEEP"], kind
        self.kept[domain] = payload
        if payload.endswith(b"\0\0"):
            del self.kept[domain]
        return ASK["STS_KEPT"], b""

    def run(self):
        while True:
            try:
                message = self.channel.receive(3600)
                if message is None:
                    return
                if not self.is_silent:
                    kind, payload = self.answer(message[0], message[2])
                    self.channel.send(kind, payload, number=message[1])
            except OSError:
                return


def kept(domain, identity, fetched, expires, text):
    """A struct sts_kept."""
    return slice_of(domain) + slice_of(identity) + struct.pack(
        "!QQ", int(fetched), int(expires)) + slice_of(text)


Result = collections.namedtuple(
    "Result", "index stage code enhanced text host passes_dsn")
Reply = collections.namedtuple(
    "Reply", "is_said stage code enhanced text host age_s")


class Results:
    """What became of one job."""

    def __init__(self):
        self.results, self.order = {}, []
        self.is_over = False
        self.is_host_bad = self.tls = self.delay = None
        self.began = time.monotonic()
        self.took = None

    def add(self, reader):
        """A RELAY_RESULT, behind its job."""
        index, stage = reader.number("H"), reader.number("B")
        code, subject, detail = (reader.number(f) for f in "HBB")
        text, host = reader.slice().decode(), reader.slice().decode()
        assert index not in self.results, "two results for %d" % index
        self.results[index] = Result(
            index, STAGES[stage], code, "%d.%d.%d" % (
                code // 100, subject, detail), text, host,
            reader.number("B"))
        self.order.append(index)

    def end(self, reader):
        """A RELAY_RESULTS, behind its job."""
        self.is_host_bad = bool(reader.number("B"))
        self.tls = reader.slice().decode()
        self.delay = reader.number("I")
        self.took = time.monotonic() - self.began
        self.is_over = True

    @property
    def codes(self):
        """By index."""
        return [self.results[i].code for i in sorted(self.results)]

    def __getitem__(self, index):
        return self.results[index]


class Lab:
    """See the top of the file. resolver, store: started Compartments to use
    instead of a table and a dictionary; kept: of policies."""

    def __init__(self, table=None, port=None, config="", secure=(),
                 resolver=None, hostname=None, store=None, kept=None,
                 more="", build=BUILD):
        text = 'relay {\n    port = %d\n%s\n}\n%s' % (port or 25, config,
                                                     more)
        self.relay = Compartment("relay", text, build, {
            "hop": bytes(32), "return": bytes(32)})
        if hostname:
            self.relay.text = self.relay.text.replace(
                'hostname = "mx.example.org"', 'hostname = "%s"' % hostname)
        self.queue, channel, to_store = self.relay.start(
            [("queue",), ("resolver",), ("store",)])
        self.kept = {} if kept is None else kept
        if store is None:
            self.store = FakeStore(to_store, self.kept)
            self.store.is_silent = kept == "silent"
        else:
            self.store = Bridge(to_store, store.peer("relay"))
        to_store.start(self.store)
        self.dns = None
        if resolver is None:
            self.dns = FakeResolver(channel, table or {}, secure)
            channel.start(self.dns)
        else:
            self.bridge = Bridge(channel, resolver.peer("relay"))
            channel.start(self.bridge)
        self.serial = 0
        self.jobs, self.probes = {}, {}
        self.messages = []

    def begin(self, domain, recipients, text, sender="a@example.org",
              smart=False, eight=False, utf8=False, tls=False, ret=0,
              envid="", notify=0, orcpt="", deadline_ms=60000, offset=0, urgent=False):
        """Send a job; its number."""
        self.serial += 1
        job = self.serial
        for i, address in enumerate(recipients):
            self.queue.send(ASK["RELAY_RECIPIENT"], struct.pack(
                "!IH", job, i) + slice_of(address) + bytes(
                    [notify[i] if isinstance(notify, list) else notify]) +
                slice_of(orcpt))
        with tempfile.TemporaryFile() as f:
            f.write(b"\0" * offset + text)
            f.flush()
            payload = struct.pack("!I", job) + slice_of(domain) + bytes(
                [smart]) + slice_of(sender) + bytes([ret]) + \
                slice_of(envid) + bytes([eight, utf8, tls]) + struct.pack(
                    "!QQHB", offset, len(text), len(recipients), urgent)
            read_only = os.open("/proc/self/fd/%d" % f.fileno(), os.O_RDONLY)
            self.queue.send(ASK["RELAY_SEND"], payload, read_only,
                            number=job, deadline_ms=deadline_ms)
            os.close(read_only)
        self.jobs[job] = Results()
        return job

    def ask(self, domain, recipient, sender="prvs=1=a@example.org",
            smart=False, utf8=False, tls=False, deadline_ms=5000):
        """Begin a probe; its number."""
        self.serial += 1
        payload = slice_of(domain) + bytes([smart]) + slice_of(sender) + \
            bytes([utf8, tls]) + slice_of(recipient)
        self.queue.send(ASK["RELAY_PROBE"], payload, number=self.serial,
                        deadline_ms=deadline_ms)
        self.probes[self.serial] = None
        return self.serial

    def heard(self, number, timeout=30):
        """The Reply to a probe."""
        end = time.monotonic() + timeout
        while self.probes[number] is None:
            left = end - time.monotonic()
            assert left > 0 and self.take(left), "no answer:\n" + \
                self.relay.log_text()
        return self.probes[number]

    def probe(self, *args, **kwargs):
        """ask and heard."""
        return self.heard(self.ask(*args, **kwargs))

    def take(self, timeout):
        """One message of relay's. False: none came."""
        message = self.queue.receive(timeout)
        if message is None:
            return False
        kind, number, payload = message
        reader = Reader(payload)
        if kind == ASK["RELAY_PROBED"]:
            assert self.probes[number] is None, "two answers"
            self.probes[number] = self.reply(reader)
            assert reader.at == len(payload)
            return True
        job = reader.number("I")
        if kind == ASK["RELAY_RESULT"]:
            self.jobs[job].add(reader)
        else:
            assert kind == ASK["RELAY_RESULTS"] and number == job
            self.jobs[job].end(reader)
        assert reader.at == len(payload)
        return True

    @staticmethod
    def reply(reader):
        """A hop_reply."""
        said, stage = bool(reader.number("B")), STAGES[reader.number("B")]
        code, subject, detail = (reader.number(f) for f in "HBB")
        text, host = reader.slice().decode(), reader.slice().decode()
        return Reply(said, stage, code, "%d.%d.%d" % (
            code // 100, subject, detail), text, host, reader.number("I"))

    def wait(self, job, timeout=30):
        """Results of a job that is over."""
        end = time.monotonic() + timeout
        while not self.jobs[job].is_over:
            left = end - time.monotonic()
            assert left > 0 and self.take(left), "no answer:\n" + \
                self.relay.log_text()
        return self.jobs[job]

    def send(self, *args, timeout=30, **kwargs):
        """begin and wait."""
        return self.wait(self.begin(*args, **kwargs), timeout)

    def counts(self):
        """What `posternctl relay` says, {name: text}."""
        control = self.relay.peer("control")
        text = Reader(control.answers([control.ask(
            ASK["RELAY_STATUS"], b"")])[1][1]).slice().decode()
        return dict(word.split("=") for word in text.split())

    def tls_report(self, yesterday=False):
        """The rows of `posternctl tls`, {(policy, domain, mx): {key: n}}."""
        control = self.relay.peer("control")
        control.ask(ASK["RELAY_TLS"], bytes([yesterday]))
        _, extra, _, _ = control.socket.recvmsg(4096, 64)
        fd = array.array("i", extra[0][2])[0]
        rows = {}
        for line in os.pread(fd, 1 << 20, 0).decode().splitlines():
            row = dict(word.split("=") for word in line.split())
            assert row.pop("day") == time.strftime(
                "%Y-%m-%d", time.gmtime(time.time() - 86400 * yesterday))
            key = tuple(row.pop(k).strip('"')
                        for k in ("policy", "domain", "mx"))
            rows[key] = {k: int(v) for k, v in row.items()}
        os.close(fd)
        return rows

    def close(self):
        """End it."""
        self.relay.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Bridge(threading.Thread):
    """Carries messages between two channels."""

    def __init__(self, one, other):
        super().__init__(daemon=True)
        self.ends = [one.socket, other.socket]
        one.thread = other.thread = self

    def run(self):
        while True:
            for end in select.select(self.ends, [], [])[0]:
                to = self.ends[1 - self.ends.index(end)]
                try:
                    octets = end.recv(65536)
                    if not octets:
                        return
                    to.send(octets)
                except OSError:
                    return


FEATURES = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "DSN")
USUAL = object()


class Sink:
    """An SMTP server. replies: {stage: text, or a function(session, arg) ->
    text, None to close, "" to say nothing, or USUAL}; stages are greeting,
    ehlo, helo, starttls, auth, mail, rcpt, data, bdat, dot, rset, quit.
    tls: (certificate, key) files.
    lmtp: it speaks that instead, and dot is asked for each recipient.
    path: at that unix socket."""

    def __init__(self, replies=None, features=FEATURES, address="127.0.0.1",
                 port=0, tls=None, name="sink.example", lmtp=False,
                 path=None):
        self.replies = replies or {}
        self.lmtp = lmtp
        self.features = list(features) + (["STARTTLS"] if tls else [])
        self.name = name
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        family = socket.AF_UNIX if path else socket.AF_INET6 \
            if ":" in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(path or (address, port))
        self.listener.listen(200)
        self.port = 0 if path else self.listener.getsockname()[1]
        self.messages = []  # that were taken
        self.ended = []  # of which the end has come
        self.sessions = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        """One thread for each connection."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            session = Session(self, connection)
            self.sessions.append(session)
            threading.Thread(target=session.run, daemon=True).start()

    @property
    def commands(self):
        """Of all sessions, in order."""
        return [c for s in self.sessions for c in s.commands]

    def close(self):
        """No more connections; those that are open go too. Nobody waits for
        a socket any more when its number is given back: a call that a signal
        interrupts begins anew by the number, which may be another sink's."""
        shut_down(self.listener)
        self.thread.join()
        self.listener.close()
        for session in self.sessions:
            session.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Message:
    """One that was taken."""

    def __init__(self, sender, recipients, text):
        self.sender, self.recipients, self.text = sender, recipients, text


class Session:
    """One connection to a Sink."""

    def __init__(self, sink, connection):
        self.sink, self.socket = sink, connection
        self.commands = []
        self.input = b""
        self.sender, self.recipients, self.chunks = None, [], b""
        self.is_tls = False

    def end(self):
        """Its thread closes it."""
        shut_down(self.socket)

    def close(self):
        """At once."""
        try:
            self.socket.close()
        except OSError:
            pass

    def say(self, text):
        """Octets with CRLF."""
        self.socket.sendall(text if isinstance(text, bytes) else
                            text.encode() + b"\r\n")

    def wanted(self, stage, arg, usual):
        """What the test wants to be said."""
        wanted = self.sink.replies.get(stage, usual)
        if callable(wanted):
            wanted = wanted(self, arg)
        return usual if wanted is USUAL else wanted

    def reply(self, stage, arg, usual):
        """False: the connection is to be closed."""
        return self.say_reply(self.wanted(stage, arg, usual))

    def say_reply(self, wanted):
        """The same of what wanted() has returned."""
        if wanted is None:
            return False
        if wanted == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
            return False
        if wanted != "":
            self.say(wanted)
        self.said = wanted if isinstance(wanted, str) else \
            wanted.decode("latin-1")
        return True

    def more(self):
        """Read on; False at the end."""
        octets = self.socket.recv(65536)
        self.input += octets
        return bool(octets)

    def line(self):
        """A line without its end, or None."""
        while b"\n" not in self.input:
            if not self.more():
                return None
        line, _, self.input = self.input.partition(b"\n")
        assert line.endswith(b"\r"), "a bare LF came: %r" % line
        return line[:-1].decode("utf-8", "replace")

    def octets(self, size):
        """Exactly so many."""
        while len(self.input) < size:
            if not self.more():
                return None
        octets, self.input = self.input[:size], self.input[size:]
        return octets

    def run(self):
        """The whole session."""
        try:
            if self.reply("greeting", "", "220 %s ESMTP" % self.sink.name):
                while self.command():
                    pass
        except (OSError, ssl.SSLError):
            pass
        self.close()

    def command(self):
        """One. False: the end."""
        line = self.line()
        if line is None:
            return False
        self.commands.append(line)
        verb, _, arg = line.partition(" ")
        handler = getattr(self, "on_" + verb.lower(), None)
        if handler is None:
            self.say("500 5.5.1 what?")
            return True
        return handler(arg)

    def on_ehlo(self, arg):
        """EHLO."""
        if self.sink.lmtp:
            return self.reply("helo", arg, "500 5.5.1 this is LMTP")
        return self.hello(arg)

    def on_lhlo(self, arg):
        """LHLO."""
        if not self.sink.lmtp:
            return self.reply("helo", arg, "500 5.5.1 what?")
        return self.hello(arg)

    def hello(self, arg):
        """The features."""
        lines = [self.sink.name] + [f for f in self.sink.features
                                    if f != "STARTTLS" or not self.is_tls]
        return self.reply("ehlo", arg, "\r\n".join(
            "250%s%s" % (" " if i == len(lines) - 1 else "-", text)
            for i, text in enumerate(lines)))

    def on_helo(self, arg):
        """HELO."""
        return self.reply("helo", arg, "250 " + self.sink.name)

    def on_starttls(self, arg):
        """STARTTLS."""
        if not self.reply("starttls", arg, "220 go on"):
            return False
        if self.said.startswith("220") and self.sink.context:
            assert self.input == b"", "octets behind STARTTLS"
            self.socket = self.sink.context.wrap_socket(
                self.socket, server_side=True)
            self.is_tls = True
        return True

    def on_auth(self, arg):
        """AUTH."""
        return self.reply("auth", arg, "235 2.7.0 welcome")

    def on_mail(self, arg):
        """MAIL."""
        self.sender, self.recipients, self.chunks = arg, [], b""
        return self.reply("mail", arg, "250 2.1.0 ok")

    def on_rcpt(self, arg):
        """RCPT."""
        if not self.reply("rcpt", arg, "250 2.1.5 ok"):
            return False
        if self.said.startswith("2"):
            self.recipients.append(arg)
        return True

    def taken_each(self, text):
        """LMTP: one reply for each recipient (RFC 2033 4.2)."""
        for recipient in self.recipients:
            wanted = self.wanted("dot", recipient, "250 2.0.0 delivered")
            if wanted is not None and wanted[:1] in ("2", b"2"):
                with self.sink.lock:    # before anybody hears of it
                    self.sink.messages.append(Message(
                        self.sender, [recipient], text))
            if not self.say_reply(wanted):
                return False
        return True

    def taken(self, text):
        """The end of a message has come."""
        if self.sink.lmtp:
            self.sink.ended.append(Message(self.sender, self.recipients,
                                           text))
            return self.taken_each(text)
        message = Message(self.sender, self.recipients, text)
        with self.sink.lock:
            self.sink.ended.append(message)
            if self.recipients and "dot" not in self.sink.replies:
                self.sink.messages.append(message)
        return self.reply("dot", text, "250 2.0.0 taken")

    def on_data(self, arg):
        """DATA and the message."""
        if not self.reply("data", arg, "354 go on" if self.recipients else
                          "554 5.5.1 no recipients"):
            return False
        if not self.said.startswith("354"):
            return True
        self.input = b"\r\n" + self.input
        end, looked_at = -1, 0
        while True:
            end = self.input.find(b"\r\n.\r\n", looked_at)
            if end >= 0:
                break
            looked_at = max(len(self.input) - 5, 0)
            if not self.more():
                return False
        text = self.input[2:end + 2]
        self.input = self.input[end + 5:]
        if text.startswith(b"."):
            text = text[1:]
        text = text.replace(b"\r\n.", b"\r\n")
        return self.taken(text)

    def on_bdat(self, arg):
        """A chunk."""
        size, _, last = arg.partition(" ")
        octets = self.octets(int(size))
        if octets is None:
            return False
        self.chunks += octets
        if last:
            return self.taken(self.chunks)
        return self.reply("bdat", arg, "250 2.0.0 %s octets" % size)

    def on_rset(self, arg):
        """RSET."""
        self.sender, self.recipients, self.chunks = None, [], b""
        return self.reply("rset", arg, "250 2.0.0 ok")

    def on_quit(self, arg):
        """QUIT."""
        self.reply("quit", arg, "221 2.0.0 bye")
        return False
