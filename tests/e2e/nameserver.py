# SPDX-License-Identifier: ISC
"""Name servers for tests: a real nsd, and one that misbehaves on purpose.

    with Nameserver({"example.org": "@ MX 10 mx\\nmx A 192.0.2.1"}) as ns:
        server = make_server(more=ns.config())

A zone is the text of its records; SOA, NS and $TTL are added when they are
missing. What nsd would not do is asked for by name:

    ns = Nameserver(zones, {"dead.example": silent,
                            "slow.example": slow(2.0)})

Then the port belongs to a small server of this file, which misbehaves for
these names and all below them and hands everything else to nsd. Everything
listens on 127.0.0.1. ns.asked counts what came, {(name, type): n}.
"""
import atexit
import collections
import contextlib
import glob
import os
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from postern import shut_down

LAST_YEAR = ("-i", "20250101000000", "-e", "20250201000000")

NSD = shutil.which("nsd", path="/usr/sbin:/sbin:/usr/bin")
LEFT = []       # those that run


def close_left():
    """End those that nobody has ended, as their test never came so far: at
    the end of its module (conftest.py), or of this process."""
    for server in list(LEFT):
        server.close()


atexit.register(close_left)


def wait_for_answer(port, process, address="127.0.0.1", timeout=10):
    """Until something at the port answers, whatever it says."""
    query = dns.message.make_query(".", "SOA").to_wire()
    end = time.monotonic() + timeout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.1)
        while time.monotonic() < end:
            assert process is None or process.poll() is None, \
                "nsd ended: %s" % process.returncode
            try:
                s.sendto(query, (address, port))
                return s.recv(4096)
            except OSError:
                continue
    raise AssertionError("no answer from port %d" % port)


def udp_port():
    """A port that is free for UDP and TCP on 127.0.0.1."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, \
                socket.socket() as t:
            u.bind(("127.0.0.1", 0))
            try:
                t.bind(u.getsockname())
                return u.getsockname()[1]
            except OSError:
                continue
    raise RuntimeError("no port is free for both UDP and TCP")


def complete(origin, text):
    """The zone with what each zone must have."""
    origin = origin.rstrip(".") + "."
    ns = "ns." if origin == "." else "ns." + origin
    lines = ["$ORIGIN %s" % origin, "$TTL 300"]
    if " SOA " not in text:
        lines += ["@ SOA %s hostmaster.%s 1 3600 600 86400 60" % (ns, ns),
                  "@ NS %s" % ns, "%s A 127.0.0.1" % ns]
    return "\n".join(lines) + "\n" + text.rstrip("\n") + "\n"


def sign(folder, origin, text, algorithm="ECDSAP256SHA256", times=()):
    """(signed zone, its DS records) of a complete zone; see ldns-signzone.
    times: its -i and -e."""
    origin = origin.rstrip(".") + "."
    label = origin.rstrip(".") or "root"
    plain = os.path.join(folder, label + ".plain")
    with open(plain, "w", encoding="ascii") as f:
        f.write(text)
    keys = []
    for extra in (["-k"], []):
        result = subprocess.run(
            ["ldns-keygen", "-a", algorithm, "-r", "/dev/urandom", *extra,
             origin],
            cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
        keys.append(result.stdout.strip())
    signed = os.path.join(folder, label + ".signed")
    subprocess.run(["ldns-signzone", "-n", *times, "-o", origin, "-f", signed, plain,
                    *keys], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    with open(signed, encoding="ascii") as f:
        zone = f.read()
    ds = ""
    for path in glob.glob(os.path.join(glob.escape(folder), "K*.ds")):
        if os.path.basename(path).startswith(keys[0] + "."):
            with open(path, encoding="ascii") as f:
                ds += f.read()
    return zone, ds


class Nsd:
    """The real thing with these complete zones, on a port of 127.0.0.1 or at
    these addresses, port 53."""

    def __init__(self, folder, zones, addresses=None):
        self.port = 53 if addresses else udp_port()
        addresses = addresses or ["127.0.0.1"]
        self.path = os.path.join(folder, "nsd.conf")
        text = "server:\n" + "".join("    ip-address: %s@%d\n" % (
            a, self.port) for a in addresses) + """    port: %d
    do-ip6: no
    server-count: 1
    username: ""
    chroot: ""
    database: ""
    zonesdir: "%s"
    zonelistfile: "%s/zone.list"
    pidfile: "%s/nsd.pid"
    xfrdfile: "%s/xfrd.state"
    xfrdir: "%s"
    logfile: "%s/nsd.log"
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
""" % ((self.port,) + (folder,) * 6)
        for i, (origin, zone) in enumerate(zones.items()):
            name = "zone-%d" % i
            with open(os.path.join(folder, name), "w",
                      encoding="ascii") as f:
                f.write(zone)
            text += 'zone:\n    name: "%s"\n    zonefile: "%s"\n' % (
                origin.rstrip(".") or ".", name)
        with open(self.path, "w", encoding="ascii") as f:
            f.write(text)
        self.process = subprocess.Popen(
            [NSD, "-d", "-c", self.path], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        LEFT.append(self)
        wait_for_answer(self.port, self.process, addresses[0])

    def close(self):
        """End it, and what it has started."""
        if self not in LEFT:
            return
        LEFT.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise


# ---- misbehaviour: (query, how it came, server) -> octets, or None ----

def silent(_query, _is_tcp, _server):
    """Never answer."""
    return None


def servfail(query, _is_tcp, _server):
    """The server's own failure."""
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.SERVFAIL)
    return answer.to_wire()


def refused(query, _is_tcp, _server):
    """It does not want to."""
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.REFUSED)
    return answer.to_wire()


def truncated(query, is_tcp, server):
    """Nothing but TC over UDP, the truth over TCP."""
    if is_tcp:
        return server.from_nsd(query, is_tcp)
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.TC
    return answer.to_wire()


def garbage(query, _is_tcp, _server):
    """Noise behind the right id."""
    return query.to_wire()[:2] + os.urandom(60)


def wrong_id(query, is_tcp, server):
    """A good answer to another question's id."""
    wire = bytearray(server.from_nsd(query, is_tcp))
    wire[0] ^= 0x55
    return bytes(wire)


def other_name(query, _is_tcp, _server):
    """An answer to a question that nobody asked, with a record for it."""
    other = dns.message.make_query("victim.example", "A")
    other.id = query.id
    answer = dns.message.make_response(other)
    answer.answer.append(dns.rrset.from_text(
        "victim.example.", 3600, "IN", "A", "203.0.113.66"))
    return answer.to_wire()


def slow(seconds):
    """The truth, late: so long after the name was first asked for, as of a
    forwarder that has to find it out."""
    first = {}

    def behave(query, is_tcp, server):
        name = str(query.question[0].name).lower()
        due = first.setdefault(name, time.monotonic()) + seconds
        time.sleep(max(due - time.monotonic(), 0))
        return server.from_nsd(query, is_tcp)
    behave.blocks = True
    return behave


def records(*texts, rcode=dns.rcode.NOERROR):
    """Exactly these records ("TTL IN TYPE DATA") for the name asked; a text
    that begins with a name and a dot has that owner."""
    def behave(query, _is_tcp, _server):
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        answer.set_rcode(rcode)
        for text in texts:
            owner = str(query.question[0].name)
            words = text.split(" ", 4)
            if words[0].endswith("."):
                owner, words = words[0], words[1:]
                words = [" ".join(words)][0].split(" ", 3)
            else:
                words = text.split(" ", 3)
            answer.answer.append(dns.rrset.from_text(
                owner, int(words[0]), words[1], words[2], words[3]))
        return answer.to_wire(max_size=65535)
    return behave


def wire(make):
    """Octets made by make(query), for what no library would write."""
    def behave(query, _is_tcp, _server):
        return make(query)
    return behave


def stripped(query, is_tcp, server):
    """The truth without signatures and keys, as old forwarders have it."""
    plain = dns.message.from_wire(query.to_wire())
    plain.use_edns(False)
    answer = dns.message.from_wire(server.from_nsd(plain, is_tcp))
    for section in (answer.answer, answer.authority, answer.additional):
        section[:] = [r for r in section if r.rdtype not in (
            dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3)]
    answer.id = query.id
    return answer.to_wire()


def stub(query, is_tcp, server):
    """As systemd-resolved with DNSSEC=no: signatures only with CD set."""
    return (server.from_nsd if query.flags & dns.flags.CD else
            lambda q, t: stripped(q, t, server))(query, is_tcp)


def question_of(octets):
    """(name in lower case without the final dot, type's number); quickly, so
    that many silent names do not delay the others."""
    at, labels = 12, []
    while octets[at]:
        labels.append(octets[at + 1:at + 1 + octets[at]])
        at += octets[at] + 1
    name = b".".join(labels).decode("latin-1").lower()
    return name, octets[at + 1] << 8 | octets[at + 2]


class _Front:
    """In front of nsd: misbehaves for some names."""

    def __init__(self, nsd, behaviours, asked):
        self.nsd = nsd
        self.asked = asked
        self.behaviours = behaviours
        self.port = udp_port()
        self.lock = threading.Lock()
        front = self

        class Tcp(socketserver.BaseRequestHandler):
            """One connection with any number of queries."""

            def handle(self):
                while True:
                    head = self.request.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        return
                    size, = struct.unpack("!H", head)
                    answer = front.answer(
                        self.request.recv(size, socket.MSG_WAITALL), True)
                    if answer is not None:
                        self.request.sendall(
                            struct.pack("!H", len(answer)) + answer)

        class TcpServer(socketserver.ThreadingTCPServer):
            """One thread a connection."""
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

        self.tcp = TcpServer(("127.0.0.1", self.port), Tcp)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.udp.bind(("127.0.0.1", self.port))
        self.is_closed = False
        self.threads = [threading.Thread(target=self.tcp.serve_forever,
                                         daemon=True),
                        threading.Thread(target=self.serve_udp, daemon=True)]
        for thread in self.threads:
            thread.start()

    def serve_udp(self):
        """All datagrams in one thread, those that wait in their own."""
        while True:
            try:
                octets, client = self.udp.recvfrom(65535)
            except OSError:
                return
            if self.is_closed:
                return
            behave = self.behaviour(octets)
            if getattr(behave, "blocks", False):
                threading.Thread(target=self.reply, args=(octets, client),
                                 daemon=True).start()
            else:
                self.reply(octets, client)

    def reply(self, octets, client):
        """Answer one datagram, or not."""
        answer = self.answer(octets, False)
        if answer is not None and not self.is_closed:
            self.udp.sendto(answer, client)

    def behaviour(self, octets):
        """What is agreed for this name, or what is above it."""
        text = question_of(octets)[0]
        while True:
            if text in self.behaviours:
                return self.behaviours[text]
            if not text:
                return None
            text = text.partition(".")[2]

    def answer(self, octets, is_tcp):
        """The answer to one message, or None."""
        behave = self.behaviour(octets)
        name, number = question_of(octets)
        with self.lock:
            self.asked[name, dns.rdatatype.to_text(number)] += 1
        if behave is None:
            return self.from_nsd(octets, is_tcp)
        if behave is silent:
            return None
        return behave(dns.message.from_wire(octets), is_tcp, self)

    def from_nsd(self, query, is_tcp):
        """What nsd says to this, the same way."""
        octets = query if isinstance(query, bytes) else query.to_wire()
        if is_tcp:
            with socket.create_connection(("127.0.0.1", self.nsd.port),
                                          5) as s:
                s.sendall(struct.pack("!H", len(octets)) + octets)
                head = s.recv(2, socket.MSG_WAITALL)
                return s.recv(struct.unpack("!H", head)[0],
                              socket.MSG_WAITALL)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(octets, ("127.0.0.1", self.nsd.port))
            return s.recv(65535)

    def close(self):
        """End it. Its threads have ended when the ports are free again: one
        that waited on would keep them, or take the next one's queries."""
        self.is_closed = True
        self.tcp.shutdown()
        shut_down(self.udp)
        for thread in self.threads:
            thread.join()
        self.tcp.server_close()
        self.udp.close()


class Nameserver:
    """See the top of the file. signed: True, or origins to sign; the trust
    anchor is that of the root zone if it is signed, else of each. expired:
    those whose signatures are of last year."""

    def __init__(self, zones, behaviours=None, signed=(), front=None,
                 change_signed=None, expired=()):
        self.folder = tempfile.mkdtemp(prefix="postern-dns-", dir="/tmp")
        self.nsd = self.front = None
        LEFT.append(self)
        os.chmod(self.folder, 0o755)
        self.asked = collections.Counter()
        self.anchors = ""
        zones = {o: complete(o, t) for o, t in zones.items()}
        for origin in zones if signed is True else signed:
            zones[origin], ds = sign(
                self.folder, origin, zones[origin],
                times=LAST_YEAR if origin in expired else ())
            self.anchors += ds
        if change_signed is not None:
            zones = {o: change_signed(o, t) for o, t in zones.items()}
        self.anchor_path = os.path.join(self.folder, "anchor")
        with open(self.anchor_path, "w", encoding="ascii") as f:
            f.write(self.anchors)
        self.nsd = Nsd(self.folder, zones)
        self.front = _Front(self.nsd, behaviours or {}, self.asked) \
            if behaviours is not None or front else None

    @property
    def port(self):
        """Where the answers are."""
        return (self.front or self.nsd).port

    def behave(self, name, behaviour):
        """Change what happens for a name; None: nsd answers again."""
        if behaviour is None:
            self.front.behaviours.pop(name, None)
        else:
            self.front.behaviours[name] = behaviour

    def config(self, more=""):
        """The section of postern.conf that has it asked."""
        keys = 'servers = {{ "127.0.0.1@%d" }}' % self.port
        if "dnssec" not in more:
            keys += "\n    trust_anchor = \"%s\"" % self.anchor_path \
                if self.anchors else "\n    dnssec = off"
        return "resolver {{\n    %s\n    %s\n}}\n" % (keys, more)

    def close(self):
        """End it, and remove its folder."""
        if self not in LEFT:
            return
        LEFT.remove(self)
        if self.front is not None:
            self.front.close()
        if self.nsd is not None:
            self.nsd.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
