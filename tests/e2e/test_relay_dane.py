# SPDX-License-Identifier: ISC
"""relay and DANE (RFC 7672) over a real resolver and signed zones: what is
known by DNSSEC, what cannot be known now and so waits, what is known to be
none; and below which name TLSA records are."""
import pytest

from compartment import Compartment
from nameserver import Nameserver, servfail, silent, stripped
from relay_lab import Lab, Sink
from tls_lab import Authority

TEXT = b"Subject: x\n\nsecret\n"
BAD = "3 1 1 " + "ab" * 32
HOST = "127.0.0.1"


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


class Net:
    """Zones, a resolver that validates them, a relay that asks it, and a
    host that takes mail."""

    def __init__(self, ca, zones, pair=None, behaviours=None, more="",
                 **options):
        self.sink = Sink(tls=pair or ca.sign("other.example"))
        self.sent = []
        zones = {o: t % {"port": self.sink.port} for o, t in zones.items()}
        self.ns = Nameserver(zones, behaviours or {}, **options)
        config = self.ns.config(more) if not more.startswith("resolver") \
            else more % self.ns.folder
        self.resolver = Compartment("resolver", config.format())
        self.resolver.start([("control",)])
        self.lab = Lab(port=self.sink.port, resolver=self.resolver,
                       config='tls = "dane"\nca_file = "%s"' % ca.path)

    def send(self, domain):
        """The result of one recipient there."""
        taken = len(self.sink.messages)
        self.sent = self.lab.send(domain, ["bob@" + domain], TEXT)
        assert len(self.sink.messages) == taken + (self.sent.codes == [250])
        return self.sent[0]

    def close(self):
        """End all of it."""
        for part in (self.lab, self.resolver, self.ns, self.sink):
            part.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tlsa(name, text):
    """A line of a zone; the port is filled in later."""
    return "_%%(port)d._tcp.%s TLSA %s" % (name, text)


def test_validation(ca):
    """Each domain's MX names a host of its own; only answers that are bogus,
    late or missing make mail wait, and "there is none" must be signed."""
    pair = ca.sign("other.example")
    good = ca.tlsa(pair[0])
    names = ("good", "tampered", "silent", "servfail", "nodata", "nxdomain",
             "wrong")
    signed = "\n".join(["%s MX 10 mx.%s" % (n, n) for n in names] +
                       ["mx.%s A %s" % (n, HOST) for n in names] +
                       [tlsa("mx." + n, good) for n in (
                           "good", "silent", "servfail")] + [
        tlsa("mx.tampered", "3 1 1 " + "cd" * 32), tlsa("mx.wrong", BAD),
        "_%(port)d._tcp.mx.nodata TXT nothing",
        # a host below a delegation without keys, one with bad addresses
        "delegated MX 10 mx.plain", "plain NS ns.plain",
        "ns.plain A 127.0.0.1", "address MX 10 mx.address",
        "mx.address A 127.0.0.99", "badmx MX 10 mx.tampermx",
        "mx.tampermx A " + HOST,
        "two MX 10 mx.silent", "two MX 20 mx.nodata"])

    def tamper(origin, text):
        return text.replace("cd" * 32, "ce" * 32).replace(
            "127.0.0.99", HOST).replace("mx.tampermx.example.net.\n",
                                        "mx.nodata.example.net.\n", 1)

    with Net(ca, {"example.net": signed,
                  "plain.example.net": "mx A %s\n%s" % (
                      HOST, tlsa("mx", BAD)),
                  "example.com": "@ MX 10 mx.good.example.net."},
             pair, {}, signed=["example.net"], change_signed=tamper) as net:
        port = net.sink.port
        net.ns.behave("_%d._tcp.mx.silent.example.net" % port, silent)
        net.ns.behave("_%d._tcp.mx.servfail.example.net" % port, servfail)
        for name, code, stage, tls in (
                ("good", 250, None, " dane"),
                ("wrong", 451, "tls", ""),
                ("tampered", 451, "tls", ""),
                ("servfail", 451, "tls", ""),
                ("silent", 451, "tls", ""),
                ("nodata", 250, None, ""), ("nxdomain", 250, None, ""),
                ("delegated", 250, None, ""),
                ("address", 451, "dns", ""), ("badmx", 451, "dns", ""),
                ("two", 250, None, "")):
            r = net.send(name + ".example.net")
            assert r.code == code, (name, r)
            assert stage in (None, r.stage), (name, r)
            assert net.sent.tls.endswith(tls), name
            if code == 250 and not tls:
                assert "dane" not in net.sent.tls.lower(), name
        # of two hosts the one that nobody knows about was left out
        assert net.sent[0].host.startswith("mx.nodata.")
        # an MX that is not signed: whoever forges it names his own host
        assert net.send("example.com").code == 250
        assert "dane" not in net.sent.tls


def test_expired(ca):
    """Signatures of last year are no reason to do without."""
    zones = {"example.net": "@ MX 10 mx\nmx A %s\n%s" % (
        HOST, tlsa("mx", BAD)), "example.com": "@ MX 10 mx\nmx A " + HOST}
    # the first anchor is the one whose keys are tried
    with Net(ca, dict(reversed(zones.items())), None, signed=zones,
             expired=["example.net"]) as net:
        r = net.send("example.net")
        assert r.code == 451 and r.stage == "dns"
        assert net.send("example.com").code == 250
    with Net(ca, zones, None, signed=zones,
             expired=["example.net", "example.com"]) as net:
        net.resolver.wait_event("dnssec_off", 20)
        for domain in zones:
            assert net.send(domain).code == 451


def test_stripped_signatures(ca):
    """A forwarder that leaves them out: no DANE, and it is said."""
    zones = {"example.net": "@ MX 10 mx\nmx A %s\n%s" % (
        HOST, tlsa("mx", BAD))}
    with Net(ca, zones, None, {"example.net": stripped},
             signed=True) as net:
        net.resolver.wait_event("dnssec_off", 20)
        assert net.send("example.net").code == 250
        assert net.sent.tls.endswith(", DANE is off")
        assert net.lab.relay.wait_event("dane_off")["jobs"] == "1"
        assert net.lab.relay.wait_event("relay")["tls"].endswith(
            ", DANE is off")


def test_wrong_anchor(ca, tmp_path):
    """Whoever forges keys makes mail wait, and nothing else."""
    anchor = tmp_path / "anchor"
    anchor.write_text("example.net. IN DS 1234 13 2 %s\n" % ("ab" * 32),
                      encoding="ascii")
    tmp_path.chmod(0o755)
    zones = {"example.net": "@ MX 10 mx\nmx A " + HOST}
    with Net(ca, zones, None, signed=True, more='dnssec = auto\n'
             'trust_anchor = "%s"' % anchor) as net:
        event = net.resolver.wait_event("dnssec_off", 20)
        assert "waits" in event["effect"]
        r = net.send("example.net")
        assert r.code == 451 and r.stage == "dns"


def test_base_domain(ca):
    """Records below where CNAMEs lead if all of the way is signed, else
    below the name itself if that is signed; SNI and names go by it."""
    by_name = {n: ca.sign(n) for n in (
        "mx.example.net", "real.example.net", "alias.example.net",
        "example.net", "domain.example.net", "evil.example")}
    anchor = ca.tlsa(ca.path, 2, 0, 1)
    zones = {
        "example.net": "\n".join([
            # all signed: the expanded name has records, or only the first
            "a MX 10 alias", "alias CNAME middle", "middle CNAME real",
            "real A " + HOST, tlsa("real", anchor),
            "b MX 10 second", "second CNAME bare", "bare A " + HOST,
            tlsa("second", anchor),
            # neither has any
            "c MX 10 third", "third CNAME bare",
            # the expanded name's are not known
            "d MX 10 fourth", "fourth CNAME lost", "lost A " + HOST,
            tlsa("fourth", anchor),
            # it leads to what is not signed
            "e MX 10 fifth", "fifth CNAME mx.example.com.",
            tlsa("fifth", anchor),
            # the domain itself is an alias of a domain with MX
            "f CNAME domain", "domain MX 10 real",
            # no MX: the name itself
            "g CNAME real"]),
        "example.com": "mx A %s\nh MX 10 alias.example.net." % HOST}

    with Net(ca, zones, by_name["mx.example.net"],
             signed=["example.net"]) as net:
        port = net.sink.port
        net.ns.behave("_%d._tcp.lost.example.net" % port, servfail)
        seen = []
        net.sink.context.sni_callback = \
            lambda _socket, name, _context: seen.append(name)

        def tries(domain, host, names):
            """The certificates of these names, and no others, are taken;
            the name that is asked for."""
            for name, pair in by_name.items():
                net.sink.context.load_cert_chain(*pair)
                for session in net.sink.sessions:
                    session.close()
                r = net.send(domain + ".example.net")
                assert r.code == (250 if name in names else 451), (
                    domain, name, r)
                assert r.code == 451 or net.sent.tls.endswith(" dane")
                assert seen[-1] == host, domain

        tries("a", "real.example.net", ["real.example.net"])
        tries("f", "real.example.net", [
            "real.example.net", "domain.example.net"])
        tries("g", "real.example.net", ["real.example.net"])
        net.sink.context.load_cert_chain(*ca.sign("second.example.net"))
        assert net.send("b.example.net").code == 250
        assert seen[-1] == "second.example.net"
        net.sink.context.load_cert_chain(*by_name["evil.example"])
        assert net.send("c.example.net").code == 250
        assert "dane" not in net.sent.tls
        assert net.send("d.example.net").code == 451
        assert net.send("e.example.net").code == 451
        assert seen[-1] == "fifth.example.net"
        net.sink.context.load_cert_chain(*ca.sign("fifth.example.net"))
        assert net.send("e.example.net").code == 250
        assert net.sent.tls.endswith(" dane")
        # usage 3: whatever the name
        assert net.send("h.example.com").code == 250
        assert "dane" not in net.sent.tls
