# SPDX-License-Identifier: ISC
"""queue by itself: the test is smtpd, control and everybody it asks.

    with QueueLab() as lab:
        queue_id = lab.submit(["bob@example.net"])
        lab.wait(lambda: lab.relay.jobs)
        lab.relay.results = lambda job: {0: (550, "no such user")}

It can be killed and started again on the same spool, at named points too.
"""
import collections
import contextlib
import hashlib
import hmac
import os
import re
import socket
import struct
import threading
import time

from compartment import ASK, Compartment, enum_of, slice_of
from faultctl import Faults
from postern import FAULT_BUILD, IS_ROOT, wait_until

VOUCH, LIST = b"v" * 32, b"l" * 32
AT_RCPT = enum_of("ask_hop.h", "relay_stage")["RELAY_AT_RCPT"]
MESSAGE = b"""Message-ID: <m1@example.org>
From: alice@example.org
To: bob@example.net
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=

Hello.
"""
Job = collections.namedtuple("Job", "number domain reverse_path recipients "
                             "body ret envid flags")


class Cursor:
    """Values of a message, one after the other."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def number(self, form):
        """One integer: B, H, I or Q."""
        size = struct.calcsize("!" + form)
        value, = struct.unpack("!" + form,
                               self.octets[self.at:self.at + size])
        self.at += size
        return value

    def slice(self):
        """One string."""
        size = self.number("H")
        self.at += size
        return self.octets[self.at - size:self.at].decode()


def verdict(code=0, text="", subject=0, detail=0):
    """A struct verdict."""
    return struct.pack("!HBB", code, subject, detail) + slice_of(text)


def sealed(octets):
    """A memfd that nobody can change."""
    fd = os.memfd_create("m", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, octets)
    import fcntl
    fcntl.fcntl(fd, 1033, 1 | 2 | 4 | 8)    # F_ADD_SEALS
    return fd


class Asked(threading.Thread):
    """One that queue asks: answers in a thread until the channel ends."""

    def __init__(self, lab, channel):
        super().__init__(daemon=True)
        self.lab, self.channel = lab, channel
        self.is_silent = False
        self.n_asked = 0

    def run(self):
        while True:
            try:
                octets, ancillary, _, _ = self.channel.socket.recvmsg(
                    65536, socket.CMSG_SPACE(4))
            except OSError:
                return
            if not octets:
                return
            fds = [struct.unpack("i", data[:4])[0]
                   for _, _, data in ancillary]
            kind, _, number, _ = struct.unpack("!HHII", octets[:12])
            self.n_asked += 1
            if not self.is_silent:
                try:
                    self.take(kind, number, Cursor(octets[12:]), fds)
                except OSError:     # it was killed meanwhile
                    pass
            for fd in fds:
                os.close(fd)

    def answer(self, kind, number, payload=b""):
        """Answer the question of this number."""
        self.channel.send(ASK[kind], payload, number=number)


class Store(Asked):
    """Notes what is put into the ledger."""

    def take(self, kind, number, body, fds):
        assert kind == ASK["LEDGER_PUT"], kind
        self.lab.ledger.append((body.slice(), body.slice()))
        body.slice(), body.number("Q")
        self.lab.ledger_ids.append(body.slice())
        self.answer("LEDGER_OK", number)


class Vault(Asked):
    """Makes tags."""

    def take(self, kind, number, body, fds):
        assert kind == ASK["VAULT_TAG"], kind
        body.number("B")
        self.answer("VAULT_TAGGED", number,
                    slice_of("prvs=0123abcdef=" + body.slice()))


class Directory(Asked):
    """Knows everybody's mailbox: the seal holds the account's name."""

    def take(self, kind, number, body, fds):
        assert kind == ASK["MAILBOX_ASK"], kind
        session, user = body.slice(), body.slice()
        self.lab.asked_mailboxes.append(user)
        self.answer("ROUTE_ANSWER", number, struct.pack("!B", 1) +
                    verdict() + b"\0\0\0" + slice_of("") + slice_of("") +
                    slice_of("%s %s" % (session, user)) +
                    struct.pack("!I", 0) + slice_of(""))


class Deliver(Asked):
    """Puts what it is given into lab.mailboxes[user] at COMMIT."""

    def __init__(self, lab, channel):
        super().__init__(lab, channel)
        self.routes, self.prepared = {}, {}
        self.delay_s = 0            # of its next COMMIT

    def take(self, kind, number, body, fds):
        if kind == ASK["PROBE_ASK"]:
            transaction = body.number("Q")
            body.number("H")
            size = body.number("Q")
            session, (bound, user) = body.slice(), body.slice().split(" ")
            assert session == bound
            self.routes[transaction] = user
            refusal = self.lab.refusals.get(user, (0, ""))
            code, text = refusal(size) if callable(refusal) else refusal
            self.answer("PROBE_ANSWER", number,
                        verdict(code, text, 2, 0) + struct.pack("!I", 0))
        elif kind == ASK["PREPARE_ASK"]:
            transaction, size = body.number("Q"), body.number("Q")
            assert body.slice() == "", "it comes as a descriptor"
            body.number("H")
            assert body.number("Q") == 0, "nobody gives it a clearance"
            body.slice(), body.slice()
            assert body.slice() == "", "a DSN has a null reverse-path"
            self.prepared[transaction] = os.pread(fds[0], size + 1, 0)
            assert len(self.prepared[transaction]) == size
            self.answer("PREPARE_ANSWER", number, self.outcome(kind))
        elif kind == ASK["COMMIT_ASK"]:
            transaction = body.number("Q")
            time.sleep(self.delay_s)
            self.delay_s = 0
            outcome, text = self.outcome(kind), self.prepared[transaction]
            if outcome == bytes(5):
                self.lab.mailboxes[self.routes[transaction]].append(text)
                del self.prepared[transaction]
            self.answer("COMMIT_ANSWER", number, outcome)
        elif kind == ASK["RELEASE_ASK"]:
            self.lab.released.append(body.number("Q"))

    def outcome(self, kind):
        """lab.failures: by step, the verdict with which it fails once."""
        for step, failure in self.lab.failures.items():
            if kind == ASK[step]:
                del self.lab.failures[step]
                return struct.pack("!HHBHBB", 1, 0, 0, 0, 1, 0) + failure
        return bytes(5)


class Relay(Asked):
    """Answers each job as lab.results says; keeps what it was given."""

    def __init__(self, lab, channel):
        super().__init__(lab, channel)
        self.told = collections.defaultdict(list)

    def take(self, kind, number, body, fds):
        if kind == ASK["RELAY_RECIPIENT"]:
            job = body.number("I")
            index, address = body.number("H"), body.slice()
            notify, orcpt = body.number("B"), body.slice()
            assert index == len(self.told[job])
            self.told[job].append((address, notify, orcpt))
            return
        if kind == ASK["RELAY_PROBE"]:
            self.probe(number, body)
            return
        assert kind == ASK["RELAY_SEND"], kind
        job, domain = body.number("I"), body.slice()
        body.number("B")
        reverse_path = body.slice()
        ret, envid = body.number("B"), body.slice()
        flags = tuple(body.number("B") for _ in range(3))
        offset, size = body.number("Q"), body.number("Q")
        assert body.number("H") == len(self.told[job])
        job = Job(job, domain, reverse_path, self.told.pop(job),
                  os.pread(fds[0], size, offset), ret, envid, flags)
        self.lab.began(job)
        self.lab.jobs.append(job)
        results = self.lab.results(job)
        if results is None:         # it never says what became of it
            return
        if isinstance(results, dict):
            self.finish(number, job, results)
        else:
            threading.Thread(target=self.later, daemon=True,
                             args=(number, job, results)).start()

    def probe(self, number, body):
        """lab.replies: by address, the octets of a hop_reply, or None."""
        domain, smart, sender = body.slice(), body.number("B"), body.slice()
        utf8, tls = body.number("B"), body.number("B")
        address = body.slice()
        self.lab.probes.append((domain, bool(smart), sender, address,
                                bool(utf8), bool(tls)))
        reply = self.lab.replies.get(address)
        if reply is not None:
            self.answer("RELAY_PROBED", number, reply)

    def later(self, number, job, results):
        """results is (seconds, results)."""
        time.sleep(results[0])
        try:
            self.finish(number, job, results[1])
        except OSError:
            pass

    def finish(self, number, job, results):
        """{index: (code, text[, passes_dsn])}, "bad" or "delay"."""
        for i in range(len(job.recipients)):
            if i not in results and "all" not in results:
                continue
            code, text, *more = results.get(i, results.get("all"))
            self.channel.send(ASK["RELAY_RESULT"], struct.pack(
                "!IHB", job.number, i, AT_RCPT) + verdict(
                    code, text, *((5, 3) if code == 452 else (1, 1))) +
                slice_of("mx.%s[192.0.2.1]" % job.domain) +
                struct.pack("!B", bool(more)))
            if code == 250:
                self.lab.arrived[job.recipients[i][0]] += 1
        self.answer("RELAY_RESULTS", number, struct.pack(
            "!IB", job.number, bool(results.get("bad"))) + slice_of("") +
            struct.pack("!I", results.get("delay", 0)))


PEERS = {"store": Store, "vault": Vault, "directory": Directory,
         "deliver": Deliver, "relay": Relay}


class QueueLab:
    """See the top of the file."""

    def __init__(self, config="", build=None, environment=None):
        options = {"build": build} if build else {}
        self.queue = Compartment("queue", config, secrets={
            "vouch": VOUCH, "list": LIST},
                                 **options)
        self.spool = self.queue.folder + "/spool"
        os.mkdir(self.spool)
        if IS_ROOT:
            import pwd
            owner = pwd.getpwnam("postern-queue")
            os.chown(self.spool, owner.pw_uid, owner.pw_gid)
            os.chmod(self.queue.folder, 0o755)
        self.environment = environment or {}
        self.serial = 0
        self.ledger, self.asked_mailboxes, self.jobs = [], [], []
        self.ledger_ids = []
        self.mailboxes = collections.defaultdict(list)
        self.arrived = collections.Counter()
        self.refusals, self.failures, self.released = {}, {}, []
        self.probes, self.replies = [], {}
        self.results = lambda job: {"all": (250, "ok")}
        self.began = lambda job: None
        self.asked = {}

    # ---- life ----

    def start(self, peers=tuple(PEERS)):
        """Start it; smtpd, control and these are there."""
        os.environ.update(self.environment)
        ends = self.queue.start([("smtpd", 0, 1), ("control",)] +
                                [(p,) for p in peers])
        self.smtpd, self.control = ends[:2]
        for name, end in zip(peers, ends[2:]):
            self.attach(name, end)
        return self

    def attach(self, name, end=None, is_silent=False):
        """Somebody whom it asks, or the next one in his place."""
        self.asked[name] = PEERS[name](self, end or self.queue.peer(name))
        self.asked[name].is_silent = is_silent
        self.asked[name].channel.start(self.asked[name])
        return self.asked[name]

    def kill(self):
        """kill -9, and everybody's channel ends."""
        self.queue.process.kill()
        self.ended()

    def ended(self, timeout=20):
        """It has ended by itself; so do the channels."""
        self.queue.process.wait(timeout)
        for channel in [*self.queue.peers, self.queue.supervisor]:
            channel.end()
        self.queue.peers.clear()

    def close(self):
        """The end."""
        if self.queue.process and self.queue.process.poll() is None:
            self.kill()
        self.queue.supervisor = None
        self.queue.peers.clear()
        self.queue.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- smtpd ----

    @staticmethod
    def voucher(user="alice", address="alice@example.org", expires=None,
                key=VOUCH):
        """As auth makes it."""
        fields = slice_of(user) + slice_of(address) + slice_of("k3f9q2m7t") \
            + struct.pack("!Q", expires or int(time.time()) + 3600)
        return fields + hmac.new(key, fields, hashlib.sha256).digest()

    @staticmethod
    def members(addresses, owner="owner-team@example.org", account="carol",
                session="k3f9q2m7t", expires=None, key=LIST):
        """A list's part elsewhere, as directory seals it."""
        text = struct.pack("!BQ", 1, expires or int(time.time()) + 3600) + \
            b"".join(map(slice_of, ("team@example.org", session, owner,
                                    account))) + \
            struct.pack("!I", len(addresses)) + \
            b"".join(map(slice_of, addresses))
        return text + hmac.new(key, text, hashlib.sha256).digest()

    def tell_members(self, octets):
        """Of the next transaction; a large one as a descriptor."""
        if len(octets) <= 12000:
            self.smtpd.send(ASK["QUEUE_MEMBERS"], struct.pack(
                "!QH", self.serial + 1, len(octets)) + octets +
                struct.pack("!I", 0))
            return
        fd = sealed(octets)
        self.smtpd.send(ASK["QUEUE_MEMBERS"], struct.pack(
            "!QHI", self.serial + 1, 0, len(octets)), fd)
        os.close(fd)

    def prepare(self, recipients, message=MESSAGE, reverse_path=
                "alice@example.org", voucher=None, notify=0, ret=0,
                envid="", orcpt="", flags=0, here=(), lists=()):
        """The transaction and the number of the question."""
        for octets in lists:
            self.tell_members(octets)
        self.serial += 1
        for i, address in enumerate(recipients):
            self.smtpd.send(ASK["QUEUE_RECIPIENT"], struct.pack(
                "!QH", self.serial, i) + slice_of(address) +
                struct.pack("!B", notify.get(address, 0) if isinstance(
                    notify, dict) else notify) + slice_of(orcpt) +
                struct.pack("!B", address in here))
        fd = sealed(message)
        payload = struct.pack("!Q", self.serial) + \
            (voucher or self.voucher()) + slice_of(reverse_path) + \
            struct.pack("!B", ret) + slice_of(envid) + struct.pack(
                "!BQHH", flags, len(message), len(recipients), len(lists))
        self.smtpd.serial += 1
        self.smtpd.send(ASK["QUEUE_PREPARE"], payload, fd,
                        self.smtpd.serial, 20000)
        os.close(fd)
        return self.serial, self.smtpd.serial

    def prepare_lists(self, lists, message=MESSAGE, alone=False,
                      session="k3f9q2m7t"):
        """As an mx does; the number of the question."""
        for octets in lists:
            self.tell_members(octets)
        self.serial += 1
        fd = sealed(message)
        self.smtpd.serial += 1
        self.smtpd.send(ASK["QUEUE_LISTS"], struct.pack("!Q", self.serial) +
                        slice_of(session) + struct.pack(
                            "!BQH", 8 if alone else 0, len(message),
                            len(lists)), fd, self.smtpd.serial, 20000)
        os.close(fd)
        return self.smtpd.serial

    def prepared(self, question, timeout=10):
        """(code, queue id) of its answer."""
        body = Cursor(self.smtpd.answers([question], timeout)[question][1])
        code = body.number("H")
        body.number("H")
        text = body.slice()
        return code, body.slice() or text

    def probe(self, address, sender="alice@example.org", flags=(0, 0),
              deadline_ms=5000, voucher=None):
        """Ask as smtpd would: (is said, code, text, host)."""
        number = self.smtpd.ask(
            ASK["QUEUE_PROBE"], (voucher or self.voucher()) +
            slice_of(sender) + slice_of(address) + bytes(flags), deadline_ms)
        body = Cursor(self.smtpd.answers(
            [number], deadline_ms / 1000)[number][1])
        said, _, code, _ = (body.number(f) for f in "BBHH")
        return bool(said), code, body.slice(), body.slice()

    def commit(self, transaction, timeout=10):
        """Its code: 0 is yes."""
        number = self.smtpd.ask(ASK["QUEUE_COMMIT"],
                                struct.pack("!Q", transaction))
        return Cursor(self.smtpd.answers([number], timeout)[number][1]
                      ).number("H")

    def submit(self, recipients, *arguments, **options):
        """The queue id."""
        transaction, question = self.prepare(recipients, *arguments,
                                             **options)
        code, queue_id = self.prepared(question)
        assert code == 0, queue_id
        assert self.commit(transaction) == 0
        return queue_id

    # ---- control ----

    def command(self, verb, argument="", owner="root"):
        """(is good, text)."""
        verbs = ("list", "show", "hold", "release", "retry", "remove",
                 "flush", "status")
        self.control.serial += 1
        self.control.send(ASK["QUEUE_COMMAND"], struct.pack(
            "!B", verbs.index(verb)) + slice_of(argument) + slice_of(owner),
            number=self.control.serial, deadline_ms=20000)
        self.control.socket.settimeout(20)
        octets, ancillary, _, _ = self.control.socket.recvmsg(
            65536, socket.CMSG_SPACE(4))
        fd = struct.unpack("i", ancillary[0][2][:4])[0]
        with os.fdopen(fd, "rb") as f:
            f.seek(0)
            return bool(octets[12]), f.read().decode()

    def status(self):
        """{name: number}"""
        return {k: int(v) for k, v in
                re.findall(r"(\w+)=(\d+)", self.command("status")[1])}

    # ---- what there is ----

    def files(self):
        """{folder: sorted names} of messages"""
        return {f: sorted(os.listdir(os.path.join(self.spool, f)))
                for f in os.listdir(self.spool) if f != "spare"}

    def envelope(self, queue_id, folder="active"):
        """Its text."""
        with open(os.path.join(self.spool, folder, queue_id),
                  encoding="utf-8") as f:
            return f.read()

    def is_empty(self):
        """Nothing is left but what was damaged."""
        files = self.files()
        return not any(files[f] for f in files if f != "damaged")

    wait = staticmethod(wait_until)


@contextlib.contextmanager
def faulty_lab(tmp_path, settings):
    """A QueueLab of the build with faults, not started; lab.faults."""
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:2]:
        os.chmod(parent, 0o755)
    path = str(tmp_path / "faults")
    faults = Faults(path, create=True)
    lab = QueueLab(settings, build=FAULT_BUILD,
                   environment={"POSTERN_FAULTS": path})
    lab.faults = faults
    yield lab
    lab.close()
    os.environ.pop("POSTERN_FAULTS")
