# SPDX-License-Identifier: ISC
"""relay and TLS: opportunistic, DANE, MTA-STS, REQUIRETLS, a password for
the smart host; and that nothing leaves where a proof fails."""
import base64
import time

import pytest

from postern import IS_ROOT
from relay_lab import FAILED, FEATURES, Lab, Sink
from tls_lab import HTTPS, Authority, PolicyHost, policy

TEXT = b"Subject: x\n\nsecret\n"
BOB = "bob@example.net"
NAME = "mx.example.net"


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def table(port, tlsa=None, mx=(NAME,)):
    """example.net and its hosts."""
    t = {("example.net", "MX"): ["10 " + m for m in mx]}
    for m in mx:
        t[m, "A"] = ["127.0.0.1"]
    if tlsa is not None:
        t["_%d._tcp.%s" % (port, NAME), "TLSA"] = tlsa
    return t


def lab_for(sink, ca, tlsa=None, mode="dane", secure=True, more=""):
    """A relay that trusts the CA."""
    return Lab(table(sink.port, tlsa), sink.port,
               'tls = "%s"\nca_file = "%s"\n%s' % (mode, ca.path, more),
               secure=secure)


# ---- opportunistic ----

def test_opportunistic(ca):
    """TLS where it is offered, whatever the certificate; EHLO again."""
    with Sink(tls=ca.sign("other.example")) as sink, \
            lab_for(sink, ca, mode="opportunistic") as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [250] and r.tls.startswith("TLSv1.3 ")
        assert sink.sessions[0].is_tls
        assert [c.split()[0] for c in sink.commands[:3]] == [
            "EHLO", "STARTTLS", "EHLO"]
        big = b"Subject: big\n\n" + b"0123456789\n" * 300000
        assert lab.send("example.net", [BOB], big).codes == [250]
        assert sink.messages[-1].text == big.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("shorter_by, why", [
    (60, "a certificate in it is damaged"), (None, "there is no cert")])
def test_authorities_that_are_cut_off(ca, tmp_path, shorter_by, why):
    """A disk was full: nobody is proved by that file, and mail goes."""
    path = str(tmp_path / "ca.pem")
    with open(ca.path, encoding="ascii") as whole, \
            open(path, "w", encoding="ascii") as cut:
        cut.write(whole.read()[:-shorter_by] if shorter_by else "")
    with Sink(tls=ca.sign("other.example")) as sink, \
            Lab(table(sink.port), sink.port, 'tls = "opportunistic"\n'
                'ca_file = "%s"' % path) as lab:
        assert why in lab.relay.wait_event("relay_ca")["why"]
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [250] and r.tls.startswith("TLSv1.3 ")


def test_handshake_fails(ca):
    """In the clear after that, where nothing requires TLS; not otherwise."""
    def broken(session, _arg):
        session.say("220 go on")
        session.socket.recv(10)
        session.socket.sendall(b"this is no TLS at all\r\n" * 10)
        time.sleep(0.2)

    def silent(session, _arg):
        session.say("220 go on")
        while session.socket.recv(1000):
            pass

    def reset(session, _arg):
        session.say("220 go on")
        session.socket.recv(10)
        return "reset"

    def gone(_session, _arg):       # without an answer to STARTTLS
        return "reset"
    for mode, code, host in [
            (mode, code, host) for mode, code in (("opportunistic", 250),
                                                  ("required", 451))
            for host in (broken, silent, reset, gone, None, "")]:
        with Sink({"starttls": host}, FEATURES + ("STARTTLS",)) as sink, \
                lab_for(sink, ca, mode=mode,
                        more="command_timeout = 2s") as lab:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [code], r[0]
            assert len(sink.messages) == (code == 250)


def test_starttls_refused(ca):
    """454: in the clear, or not at all."""
    for mode, code in (("opportunistic", 250), ("required", 454)):
        with Sink({"starttls": "454 4.7.0 no"},
                  FEATURES + ("STARTTLS",)) as sink, \
                lab_for(sink, ca, mode=mode) as lab:
            assert lab.send("example.net", [BOB], TEXT).codes == [code]
    with Sink() as sink, lab_for(sink, ca, mode="required") as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [451] and r[0].enhanced == "4.7.5"
        assert r[0].stage == "tls" and not sink.messages


def test_injection(ca):
    """Octets behind the 220 in the clear are not taken for what comes."""
    with Sink({"starttls": "220 go on\r\n250 injected"},
              FEATURES + ("STARTTLS",)) as sink, \
            lab_for(sink, ca, mode="required") as lab:
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [451] and "more than its reply" in r[0].text


def test_no_answer_to_starttls(ca):
    """Counted once, and in the clear only where nothing requires TLS."""
    tlsa = ca.tlsa(ca.sign(NAME)[0])
    for records, mode, key, code in (
            (None, "opportunistic", "none", 250),
            ([tlsa], "dane", "tlsa", 451)):
        with Sink({"starttls": None}, FEATURES + ("STARTTLS",)) as sink, \
                lab_for(sink, ca, records, mode) as lab:
            assert lab.send("example.net", [BOB], TEXT).codes == [code]
            assert len(sink.messages) == (code == 250)
            assert lab.tls_report() == {(key, "example.net", NAME): {
                "successful": 0, "failed": 1, "starttls-not-supported": 1}}


# ---- DANE ----

def test_dane(ca):
    """Which records fit; what fails is not delivered, but later."""
    good = ca.sign("other.name.example")
    named = ca.sign(NAME)
    by_domain = ca.sign("example.net")
    tlsa, ta = ca.tlsa, ca.path
    bad = "3 1 1 " + "ab" * 32
    cases = [
        (good, [tlsa(good[0])], 250),		# 3: any name
        (good, [tlsa(good[0], 3, 0, 1)], 250),
        (good, [tlsa(good[0], 3, 1, 2)], 250),
        (good, [tlsa(good[0], 3, 0, 0)], 250),
        (good, [bad, tlsa(good[0])], 250),
        (good, [bad], 451),
        (named, [tlsa(ta, 2, 0, 1)], 250),	# 2: name must fit
        (named, [tlsa(ta, 2, 1, 1)], 250),
        (by_domain, [tlsa(ta, 2, 0, 1)], 250),
        (good, [tlsa(ta, 2, 0, 1)], 451),
        # records that cannot be used: TLS, but no proof
        (good, ["1 1 1 " + "ab" * 32], 250),
        (good, ["3 1 1 abcd"], 250),
        (good, ["1 1 1 " + "ab" * 32, bad], 451),
    ]
    for i, (pair, records, code) in enumerate(cases):
        with Sink(tls=pair) as sink, lab_for(sink, ca, records) as lab:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [code], (i, r[0])
            assert r.codes == [250] or r[0].stage == "tls"
            assert len(sink.messages) == (code == 250)
            if code == 250 and i < 5:
                assert r.tls.endswith(" dane")


def test_dane_needs_tls(ca):
    """Records, and no STARTTLS: an attack, or a mistake; not delivered."""
    for records in (["3 1 1 " + "ab" * 32], ["1 1 1 " + "ab" * 32]):
        with Sink() as sink, lab_for(sink, ca, records) as lab:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [451] and not sink.messages


def test_dane_unknown(ca):
    """The DNS is silent about TLSA: not delivered; MX or addresses that are
    not signed: TLSA is not even asked for."""
    pair = ca.sign(NAME)
    with Sink(tls=pair) as sink, lab_for(sink, ca) as lab:
        lab.dns.table["_%d._tcp.%s" % (sink.port, NAME), "TLSA"] = FAILED
        r = lab.send("example.net", [BOB], TEXT)
        assert r.codes == [451] and not sink.sessions
    for secure in ((), ("example.net",), (NAME,)):
        with Sink(tls=pair) as sink, \
                lab_for(sink, ca, ["3 1 1 " + "ab" * 32],
                        secure=secure) as lab:
            assert lab.send("example.net", [BOB], TEXT).codes == [250]
            assert not any(k == "TLSA" for _, k in lab.dns.asked)


# ---- MTA-STS ----

def sts_lab(sink, ca):
    """A relay, and a domain with a record."""
    lab = lab_for(sink, ca, secure=())
    lab.dns.table["_mta-sts.example.net", "TXT"] = ["v=STSv1; id=1;"]
    lab.dns.table["mta-sts.example.net", "A"] = [HTTPS]
    return lab


@pytest.mark.skipif(not IS_ROOT, reason="port 443")
def test_sts(ca):
    """What a policy asks of host, TLS and certificate."""
    good, other = ca.sign(NAME), ca.sign("other.example")
    web = ca.sign("mta-sts.example.net")
    cases = [
        (good, policy("enforce", NAME), 250, " verified"),
        (good, policy("enforce", "*.example.net"), 250, " verified"),
        (good, policy("enforce", "mx.example.com"), 451, ""),
        (other, policy("enforce", NAME), 451, ""),
        (None, policy("enforce", NAME), 451, ""),
        (other, policy("testing", NAME), 250, ""),
        (other, policy("none"), 250, ""),
        (None, policy("testing", "mx.example.com"), 250, ""),
        (other, b"no policy at all", 250, ""),
        (other, policy("enforce", NAME) + b"x" * 70000, 250, ""),
    ]
    for i, (pair, text, code, tls) in enumerate(cases):
        with Sink(tls=pair) as sink, PolicyHost(web, text) as host, \
                sts_lab(sink, ca) as lab:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [code], (i, r[0])
            assert len(sink.messages) == (code == 250)
            assert host.n == 1 and host.path == "/.well-known/mta-sts.txt"
            assert r.tls.endswith(tls) or not tls


@pytest.mark.skipif(not IS_ROOT, reason="port 443")
def test_sts_testing(ca):
    """Mode testing looks at what enforce would, counts and logs it, and the
    mail goes on."""
    web = ca.sign("mta-sts.example.net")
    other, old = ca.sign("other.example"), ca.sign(NAME, -1)
    stranger = Authority(ca.folder + "/stranger").sign(NAME)
    good = ca.sign(NAME)
    for pair, hosts, result in (
            (good, [NAME], "successful"),
            (other, [NAME], "certificate-host-mismatch"),
            (old, [NAME], "certificate-expired"),
            (stranger, [NAME], "certificate-not-trusted"),
            (None, [NAME], "starttls-not-supported"),
            (good, ["mx.example.com"], "validation-failure")):
        with Sink(tls=pair) as sink, \
                PolicyHost(web, policy("testing", *hosts)), \
                sts_lab(sink, ca) as lab:
            r = lab.send("example.net", [BOB], TEXT)
            assert r.codes == [250] and len(sink.messages) == 1, result
            is_good = result == "successful"
            want = {"successful": int(is_good), "failed": int(not is_good)}
            want[result] = 1
            assert lab.tls_report() == {
                ("sts", "example.net", NAME): want}, result
            assert r.tls.endswith(" verified") == (pair == good)
            is_logged = pair not in (good, None)
            if is_logged:
                lab.relay.wait_event("tls_unproved")
            assert bool(lab.relay.events("tls_unproved")) == is_logged
            assert lab.tls_report(True) == {}


def test_report(ca):
    """What each session counts as, once."""
    good, other = ca.sign(NAME), ca.sign("other.example")
    bad = ["3 1 1 " + "ab" * 32]
    for pair, records, mode, secure, key, result in (
            (good, [ca.tlsa(good[0])], "dane", True, "tlsa", "successful"),
            (good, bad, "dane", True, "tlsa", "validation-failure"),
            (None, bad, "dane", True, "tlsa", "starttls-not-supported"),
            (good, ["1 1 1 " + "ab" * 32], "dane", True, "tlsa",
             "tlsa-invalid"),
            (other, [ca.tlsa(ca.path, 2, 0, 1)], "dane", True, "tlsa",
             "certificate-host-mismatch"),
            (good, FAILED, "dane", True, "tlsa", "dnssec-invalid"),
            (good, None, "dane", True, "none", "successful"),
            (None, None, "dane", (), "none", "starttls-not-supported"),
            (None, None, "required", (), "none", "starttls-not-supported"),
            (other, None, "required", (), "none",
             "certificate-host-mismatch")):
        with Sink(tls=pair) as sink, lab_for(
                sink, ca, records, mode, secure) as lab:
            lab.send("example.net", [BOB], TEXT)
            is_good = result == "successful"
            want = {"successful": int(is_good), "failed": int(not is_good)}
            want[result] = 1
            assert lab.tls_report() == {
                (key, "example.net", NAME): want}, (key, result)


def test_required_has_a_name(ca):
    """tls = required: not to whom shows another's certificate."""
    for name, code in ((NAME, 250), ("other.example", 451)):
        with Sink(tls=ca.sign(name)) as sink, \
                lab_for(sink, ca, mode="required", secure=()) as lab:
            assert lab.send("example.net", [BOB], TEXT).codes == [code]


@pytest.mark.skipif(not IS_ROOT, reason="port 443")
def test_sts_host_is_false(ca):
    """No policy from a host without the right certificate, with another
    type or status: and no redirection is followed."""
    other = ca.sign("other.example")
    for web, status, kind in (
            ("mta-sts.example.com", 200, "text/plain"),
            ("mta-sts.example.net", 301, "text/plain"),
            ("mta-sts.example.net", 404, "text/plain"),
            ("mta-sts.example.net", 200, "text/html")):
        with Sink(tls=other) as sink, \
                PolicyHost(ca.sign(web), policy("enforce", NAME), status,
                           kind), sts_lab(sink, ca) as lab:
            assert lab.send("example.net", [BOB], TEXT).codes == [250]
            assert lab.relay.wait_event("mta_sts")["effect"] == "no policy"


@pytest.mark.skipif(not IS_ROOT, reason="port 443")
def test_sts_is_kept(ca):
    """Fetched once; it holds when its host is gone and the record too."""
    good, other = ca.sign(NAME), ca.sign("other.example")
    web = ca.sign("mta-sts.example.net")
    with Sink(tls=good) as sink, sts_lab(sink, ca) as lab:
        with PolicyHost(web, policy("enforce", NAME)) as host:
            for _ in range(3):
                assert lab.send("example.net", [BOB], TEXT).codes == [250]
            assert host.n == 1
        sink.context.load_cert_chain(*other)
        for session in sink.sessions:
            session.close()
        time.sleep(0.2)
        lab.dns.table["_mta-sts.example.net", "TXT"] = FAILED
        assert lab.send("example.net", [BOB], TEXT).codes == [451]


# ---- REQUIRETLS, smart host ----

def test_requiretls(ca):
    """Only to a proved host that says REQUIRETLS; else the sender is told."""
    good, other = ca.sign(NAME), ca.sign("other.example")
    more = FEATURES + ("REQUIRETLS",)
    for pair, features, secure, code in (
            (good, more, True, 250), (good, FEATURES, True, 550),
            (good, more, (), 550), (other, more, True, 451),
            (None, more, True, 451)):
        with Sink(features=features, tls=pair) as sink, \
                lab_for(sink, ca, secure=secure) as lab:
            r = lab.send("example.net", [BOB], TEXT, tls=True)
            assert r.codes == [code], r[0]
            assert len(sink.messages) == (code == 250)
            if code == 250:
                assert " REQUIRETLS" in [c for c in sink.commands
                                         if c.startswith("MAIL")][0]
            if code == 550:
                assert r[0].enhanced == "5.7.30"


def test_requiretls_is_of_one_message(ca):
    """Others need not wait for a host that has no TLS."""
    with Sink() as sink, lab_for(sink, ca, secure=True) as lab:
        for _ in range(2):
            assert lab.send("example.net", [BOB], TEXT,
                            tls=True).codes == [451]
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        assert len(sink.messages) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_smart_host(ca, tmp_path, mechanism):
    """A password goes over TLS to the host that it is for, nowhere else."""
    secret = tmp_path / "password"
    secret.write_text("pass word\n", encoding="ascii")
    more = 'smart_host = "smtp:[localhost]:25"\nsmart_host_user = "user"\n' \
        'smart_host_password_file = "%s"' % secret
    heard = []

    def auth(session, arg):
        if arg == "LOGIN":
            session.say("334 VXNlcm5hbWU6")
            heard.append(base64.b64decode(session.line()))
            session.say("334 UGFzc3dvcmQ6")
            heard.append(base64.b64decode(session.line()))
        else:
            heard.extend(base64.b64decode(arg.split()[1]).split(b"\0")[1:])
        return "235 2.7.0 ok" if heard[1] == b"pass word" else "535 5.7.8 no"
    features = FEATURES + ("AUTH " + mechanism,)
    dns = {("smart.example", "A"): ["127.0.0.1"]}
    config = 'ca_file = "%s"\n%s' % (ca.path, more)
    for pair, code in ((ca.sign("smart.example"), 250),
                       (ca.sign("other.example"), 451), (None, 451)):
        heard.clear()
        with Sink({"auth": auth}, features, tls=pair) as sink, \
                Lab(dns, sink.port, config) as lab:
            r = lab.send("smtp:[smart.example]:%d" % sink.port, [BOB], TEXT,
                         smart=True)
            assert r.codes == [code], r[0]
            assert heard == ([b"user", b"pass word"] if code == 250 else [])
    with Sink({"auth": "535 5.7.8 no"}, features,
              tls=ca.sign("smart.example")) as sink, \
            Lab(dns, sink.port, config) as lab:
        r = lab.send("smtp:[smart.example]:%d" % sink.port, [BOB], TEXT,
                     smart=True)
        assert r.codes == [451] and r[0].stage == "auth"
        assert "535" in r[0].text


@pytest.mark.parametrize("text", [None, "", "\npass word\n"])
def test_smart_host_without_its_password(ca, tmp_path, text):
    """relay runs all the same, and what is for that host waits."""
    secret = tmp_path / "password"
    if text is not None:
        secret.write_text(text, encoding="ascii")
    config = 'ca_file = "%s"\nsmart_host = "smtp:[localhost]:25"\n' \
        'smart_host_user = "user"\nsmart_host_password_file = "%s"' % (
            ca.path, secret)
    with Sink({}, FEATURES + ("AUTH PLAIN",),
              tls=ca.sign("smart.example")) as sink, \
            Lab({("smart.example", "A"): ["127.0.0.1"]}, sink.port,
                config) as lab:
        hop = "smtp:[smart.example]:%d" % sink.port
        r = lab.send(hop, [BOB], TEXT, smart=True)
        assert r.codes == [451] and r[0].stage == "auth", r[0]
        assert "smart_host_password_file has no password" in r[0].text
        assert not any(c.startswith(("AUTH", "MAIL"))
                       for c in sink.commands)
        assert lab.send(hop, [BOB], TEXT).codes == [250]


def test_smart_host_that_is_a_next_hop_too(ca, tmp_path):
    """What is not for the smart host goes without its password, and what is
    does not go without."""
    secret = tmp_path / "password"
    secret.write_text("pass word\n", encoding="ascii")
    more = 'smart_host = "smtp:[localhost]:25"\nsmart_host_user = "user"\n' \
        'smart_host_password_file = "%s"' % secret

    def mail(session, _arg):
        return "250 ok" if any(c.startswith("AUTH") for c in session.commands
                               ) == (session.sink.smart) else "530 5.7.0 who?"
    with Sink({"mail": mail}, FEATURES + ("AUTH PLAIN",),
              tls=ca.sign("smart.example")) as sink, \
            Lab({("smart.example", "A"): ["127.0.0.1"]}, sink.port,
                'ca_file = "%s"\n%s' % (ca.path, more)) as lab:
        for sink.smart in (False, True, False):
            r = lab.send("smtp:[smart.example]:%d" % sink.port, [BOB], TEXT,
                         smart=sink.smart)
            assert r.codes == [250], r[0]
        assert len(sink.sessions) == 2 and lab.counts()["reused"] == "1"


def test_an_idle_connection_that_proved_nothing(ca):
    """It is not used for a domain whose hosts have to prove who they are."""
    with Sink() as sink:
        dns = table(sink.port, ["3 1 1 " + "00" * 32])
        dns["signed.example", "MX"] = ["10 " + NAME]
        tlsa = "_%d._tcp.%s" % (sink.port, NAME)
        with Lab(dns, sink.port, 'ca_file = "%s"' % ca.path,
                 secure=("signed.example", NAME, tlsa)) as lab:
            assert lab.send("example.net", [BOB], TEXT).codes == [250]
            r = lab.send("signed.example", [BOB], TEXT)
            assert r.codes == [451] and r[0].stage == "tls", r[0]
            assert len(sink.messages) == 1
    # nor for a message that requires a proof of the same domain's
    with Sink({}, FEATURES + ("REQUIRETLS",),
              tls=ca.sign("other.example")) as sink, \
            lab_for(sink, ca, secure=()) as lab:
        assert lab.send("example.net", [BOB], TEXT).codes == [250]
        r = lab.send("example.net", [BOB], TEXT, tls=True)
        assert r.codes == [550] and r[0].enhanced == "5.7.30", r[0]
        assert len(sink.messages) == 1
