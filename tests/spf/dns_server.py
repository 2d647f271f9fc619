# SPDX-License-Identifier: ISC
"""A small authoritative DNS server for one scenario of the SPF test suite.

zonedata is the suite's: {name: [{TYPE: value} | "TIMEOUT", ...]}. SPF
entries are served as TXT unless the name has TXT entries of its own ("NONE"
among them is an entry without a record). Questions that an entry TIMEOUT
covers are not answered at all.
"""
import socket
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rrset

IN = dns.rdataclass.IN


def wire_name(text):
    """A name whose labels may hold any octets."""
    labels = [label.encode("latin-1") for label in text.rstrip(".").split(".")]
    return dns.name.Name([label for label in labels if label] + [b""])


def txt(value):
    strings = value if isinstance(value, list) else [value]
    octets = [string.encode("latin-1") for string in strings] or [b""]
    cut = [part[i:i + 255] for part in octets
           for i in range(0, max(1, len(part)), 255)]
    return dns.rdtypes.ANY.TXT.TXT(IN, dns.rdatatype.TXT, cut)


def record(kind, value):
    if kind == "TXT":
        return txt(value)
    if kind == "A":
        return dns.rdtypes.IN.A.A(IN, dns.rdatatype.A, value)
    if kind == "AAAA":
        return dns.rdtypes.IN.AAAA.AAAA(IN, dns.rdatatype.AAAA, value)
    if kind == "MX":
        return dns.rdtypes.ANY.MX.MX(IN, dns.rdatatype.MX, value[0],
                                     wire_name(value[1]))
    if kind == "PTR":
        return dns.rdtypes.ANY.PTR.PTR(IN, dns.rdatatype.PTR,
                                       wire_name(value))
    if kind == "CNAME":
        return dns.rdtypes.ANY.CNAME.CNAME(IN, dns.rdatatype.CNAME,
                                           wire_name(value))
    raise ValueError(kind)


class Zone:
    """What is there: (name, type) -> records, and who never answers."""

    def __init__(self, zonedata):
        self.records = {}
        self.names = set()
        self.silent = set()
        for name, entries in zonedata.items():
            self.add(name.lower().rstrip("."), entries)

    def add(self, name, entries):
        pairs = [next(iter(entry.items())) for entry in entries
                 if isinstance(entry, dict)]
        if "TIMEOUT" in entries:
            self.silent.add(name)
        has_txt = any(kind == "TXT" for kind, _ in pairs)
        for kind, value in pairs:
            if kind == "SPF":
                if has_txt:
                    continue
                kind = "TXT"
            if value != "NONE":
                self.records.setdefault((name, kind), []).append(
                    record(kind, value))
        labels = name.split(".")
        for i in range(len(labels)):
            self.names.add(".".join(labels[i:]))

    def answer(self, query):
        """A message, or None for silence."""
        question = query.question[0]
        name = b".".join(question.name.labels[:-1]).decode("latin-1").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(query, recursion_available=True)
        found = self.records.get((name, kind)) or self.records.get(
            (name, "CNAME"))
        if found:
            reply.answer.append(dns.rrset.from_rdata_list(
                question.name, 60, found))
        elif name in self.silent:
            return None
        elif name not in self.names:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply


class Server:
    """Serves a zone on a free port of loopback until it is closed."""

    def __init__(self, zonedata, address="127.0.0.1"):
        self.zone = Zone(zonedata)
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.settimeout(0.2)
        self.address = "%s@%d" % self.socket.getsockname()
        self.is_open = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.is_open:
            try:
                wire, peer = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            self.asked += 1
            reply = self.zone.answer(dns.message.from_wire(wire))
            if reply is not None:
                self.socket.sendto(reply.to_wire(max_size=4096), peer)
        self.socket.close()

    def close(self):
        self.is_open = False
        self.thread.join()
