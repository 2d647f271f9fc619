# SPDX-License-Identifier: ISC
"""relay and MTA-STS (RFC 8461) over time: policies that outlive relay and
store, that are fetched again, that change; and hosts of policies that are
not what they should be."""
import os
import pwd
import time

import pytest

from compartment import ASK, Compartment
from postern import IS_ROOT, wait_until
from relay_lab import FAILED, Lab, Sink, kept
from tls_lab import HTTPS, Authority, PolicyHost, policy

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="port 443")

TEXT = b"Subject: x\n\nsecret\n"
DOMAIN = "example.net"
NAME = "mx.example.net"
DAY = 86400


@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def lab_of(sink, ca, identity="1", **options):
    """A relay, and a domain with a record of this id."""
    lab = Lab({(DOMAIN, "MX"): ["10 " + NAME], (NAME, "A"): ["127.0.0.1"],
               ("mta-sts." + DOMAIN, "A"): [HTTPS]}, sink.port,
              'tls = "dane"\nca_file = "%s"' % ca.path, **options)
    if identity is not None:
        lab.dns.table["_mta-sts." + DOMAIN, "TXT"] = [
            "v=STSv1; id=%s;" % identity]
    return lab


def send(lab):
    """The code of one recipient there."""
    return lab.send(DOMAIN, ["bob@" + DOMAIN], TEXT).codes[0]


def an_entry(mode="enforce", hosts=(NAME,), age=DAY, fetched=0, left=None,
             identity="1"):
    """What store keeps, fetched so many seconds ago."""
    now = time.time()
    return kept(DOMAIN, identity, now - fetched,
                now + (age - fetched if left is None else left),
                policy(mode, *hosts, age=age))


def test_outlives_restarts(ca):
    """Fetched once; relay and store are killed; its host and its record are
    gone: it holds."""
    good, other = ca.sign(NAME), ca.sign("other.example")
    web = ca.sign("mta-sts." + DOMAIN)
    store = Compartment("store")
    os.mkdir(store.folder + "/store", 0o700)
    os.chown(store.folder + "/store", *store_owner())
    try:
        store.start()
        with Sink(tls=good) as sink:
            with PolicyHost(web, policy("enforce", NAME)) as host, \
                    lab_of(sink, ca, store=store) as lab:
                assert send(lab) == 250 and host.n == 1
                lab.relay.wait_event("mta_sts_read")
                lab.relay.process.kill()
            store.process.kill()
            store.process.wait()
            store.start()
            sink.context.load_cert_chain(*other)
            with lab_of(sink, ca, None, store=store) as lab:
                assert send(lab) == 451
                assert lab.relay.wait_event("mta_sts_read")[
                    "policies"] == "1"
                assert lab.tls_report()["sts", DOMAIN, NAME][
                    "certificate-host-mismatch"] == 1
            sink.context.load_cert_chain(*good)
            with lab_of(sink, ca, None, store=store) as lab:
                assert send(lab) == 250
    finally:
        store.close()


def store_owner():
    """(uid, gid) of store."""
    entry = pwd.getpwnam("postern-store")
    return entry.pw_uid, entry.pw_gid


def test_what_is_kept(ca):
    """Told to store whenever it is fetched; as long as it says."""
    web = ca.sign("mta-sts." + DOMAIN)
    with Sink(tls=ca.sign(NAME)) as sink, \
            PolicyHost(web, policy("enforce", NAME, age=5 * DAY)), \
            lab_of(sink, ca) as lab:
        assert send(lab) == 250
        wait_until(lambda: DOMAIN in lab.kept, 10, "the policy")
        want = an_entry(age=5 * DAY).replace(b"\r", b"")
        got = lab.kept[DOMAIN]
        head = 2 + len(DOMAIN) + 3
        assert got[:head] == want[:head]
        for at in (head, head + 8):
            difference = int.from_bytes(got[at:at + 8], "big") - \
                int.from_bytes(want[at:at + 8], "big")
            assert abs(difference) < 20
        assert b"mode: enforce\nmx: %s\nmax_age: 432000\n" % \
            NAME.encode() in got


@pytest.mark.parametrize("entry, code", [
    (an_entry(), 451), (an_entry("testing"), 250), (an_entry("none"), 250),
    # expired, or of a clock that was wrong: at most its own max_age
    (an_entry(fetched=DAY + 5), 250), (an_entry(fetched=9, left=-1), 250),
    (an_entry(age=0, left=DAY), 250),
    # not a policy
    (kept(DOMAIN, "1", 0, time.time() + DAY, "mode: enforce"), 250)])
def test_what_store_says(ca, entry, code):
    """The certificate is another's: only a policy that holds minds."""
    with Sink(tls=ca.sign("other.example")) as sink, \
            lab_of(sink, ca, None, kept={DOMAIN: entry}) as lab:
        assert send(lab) == code


def test_malformed_entry(ca):
    """A store that lies: nobody is told that there is no policy."""
    with Sink(tls=ca.sign(NAME)) as sink, \
            lab_of(sink, ca, None, kept={
                DOMAIN: an_entry() + b"x"}) as lab:
        assert send(lab) == 451


def test_store_is_silent(ca):
    """Whether there is a policy is not known: mail waits; then it is."""
    with Sink(tls=ca.sign(NAME)) as sink, \
            lab_of(sink, ca, None, kept="silent") as lab:
        lab.store.kept = {}
        r = lab.send(DOMAIN, ["bob@" + DOMAIN], TEXT)
        assert r.codes == [451] and r[0].enhanced == "4.4.3"
        assert "MTA-STS" in r[0].text and not sink.sessions
        lab.store.is_silent = False
        lab.relay.wait_event("mta_sts_read", 30)
        assert send(lab) == 250


def test_refreshed(ca):
    """Before it ends, without any mail; and again when its day is over."""
    web = ca.sign("mta-sts." + DOMAIN)
    with Sink(tls=ca.sign(NAME)) as sink, \
            PolicyHost(web, policy("enforce", NAME, age=8)) as host, \
            lab_of(sink, ca) as lab:
        assert send(lab) == 250 and host.n == 1
        wait_until(lambda: host.n == 2, 20, "the second fetch")
        first = time.monotonic()
        wait_until(lambda: host.n == 3, 30, "the third fetch")
        assert time.monotonic() - first > 2
        host.text = policy("testing", NAME)
        wait_until(lambda: b"testing" in lab.kept[DOMAIN], 30, "the change")
    old = an_entry(age=30 * DAY, fetched=2 * DAY)
    for record in (["v=STSv1; id=1;"], FAILED):
        with Sink() as sink, PolicyHost(web, policy("testing", NAME)) as \
                host, lab_of(sink, ca, None, kept={DOMAIN: old}) as lab:
            lab.dns.table["_mta-sts." + DOMAIN, "TXT"] = record
            wait_until(lambda: host.n == 1, 20, "the fetch")
            wait_until(lambda: b"testing" in lab.kept[DOMAIN], 5,
                       "the policy")


def test_refresh_fails(ca):
    """The old one holds, mail does not wait for the new one, and the host is
    not asked again at once."""
    web = ca.sign("mta-sts." + DOMAIN)
    old = an_entry(age=30 * DAY, fetched=2 * DAY)
    with Sink(tls=ca.sign(NAME)) as sink, \
            PolicyHost(web, b"", 500) as host, \
            lab_of(sink, ca, kept={DOMAIN: old}) as lab:
        host.delay = 3
        begin = time.monotonic()
        assert send(lab) == 250
        assert time.monotonic() - begin < 2.5
        event = lab.relay.wait_event("mta_sts", 15)
        assert event["effect"] == "the old policy holds"
        sink.context.load_cert_chain(*ca.sign("other.example"))
        for session in sink.sessions:
            session.close()
        assert send(lab) == 451
        time.sleep(6)
        assert host.n == 1
        assert lab.tls_report()["sts", DOMAIN, ""] == {
            "successful": 0, "failed": 1, "sts-policy-fetch-error": 1}


def test_new_id(ca):
    """Another id: fetched at once; "none" ends it."""
    web = ca.sign("mta-sts." + DOMAIN)
    with Sink(tls=ca.sign("other.example")) as sink, \
            PolicyHost(web, policy("none")) as host, \
            lab_of(sink, ca, "2", kept={DOMAIN: an_entry()}) as lab:
        assert send(lab) == 250 and host.n == 1
        event = lab.relay.wait_event("mta_sts")
        assert event["id"] == "2" and event["mode"] == "none"
        wait_until(lambda: b"mode: none" in lab.kept[DOMAIN], 5, "it")
    # the new one cannot be had: the old one holds
    with Sink(tls=ca.sign("other.example")) as sink, \
            PolicyHost(web, b"", 404) as host, \
            lab_of(sink, ca, "2", kept={DOMAIN: an_entry()}) as lab:
        assert send(lab) == 451 and host.n == 1


def test_hosts_of_policies(ca):
    """What is no answer, and what each counts as."""
    other, good = ca.sign("other.example"), ca.sign("mta-sts." + DOMAIN)
    text = policy("enforce", NAME)
    stranger = Authority(ca.folder + "/stranger").sign("mta-sts." + DOMAIN)
    fetch, web = "sts-policy-fetch-error", "sts-webpki-invalid"
    for pair, status, kind, body, result in (
            (other, 200, "text/plain", text, web),
            (stranger, 200, "text/plain", text, web),
            (ca.sign("mta-sts." + DOMAIN, -1), 200, "text/plain", text, web),
            (good, 301, "text/plain", text, fetch),
            (good, 302, "text/plain", text, fetch),
            (good, 404, "text/plain", text, fetch),
            (good, 200, "text/html", text, fetch),
            (good, 200, "text/plainish", text, fetch),
            (good, 200, "text/plain", text + b"#" * 70000, fetch),
            (good, 200, "text/plain", b"mode: enforce", "sts-policy-invalid"),
            (good, 200, "Text/Plain; charset=utf-8", text, None)):
        with Sink(tls=other) as sink, \
                PolicyHost(pair, body, status, kind) as host, \
                lab_of(sink, ca) as lab:
            code = send(lab)
            assert code == (250 if result else 451), (status, kind, result)
            assert host.n <= 1
            report = lab.tls_report()
            if result:
                assert report["sts", DOMAIN, ""] == {
                    "successful": 0, "failed": 1, result: 1}
                assert not lab.kept
            else:
                assert ("sts", DOMAIN, "") not in report


def test_many(ca):
    """Domains without a policy do not wash one out."""
    with Sink(tls=ca.sign("other.example")) as sink, \
            lab_of(sink, ca, None, kept={DOMAIN: an_entry()}) as lab:
        jobs = [lab.begin("d%d.example" % i, ["bob@d%d.example" % i], TEXT)
                for i in range(1500)]
        jobs += [lab.begin("e%d.example" % i, ["bob@e%d.example" % i], TEXT)
                 for i in range(1700)]
        for job in jobs:
            lab.wait(job)
        assert send(lab) == 451


def test_store_refuses_what_is_no_policy():
    """Store believes relay nothing that it can see is wrong."""
    store = Compartment("store")
    os.mkdir(store.folder + "/store", 0o700)
    os.chown(store.folder + "/store", *store_owner())
    with store:
        store.start()
        now = time.time()
        for payload in (kept("", "1", now, now + 9, "x"),
                        kept("Example.org", "1", now, now + 9, "x"),
                        kept("example.org", "1", now, now + 400 * DAY, "x"),
                        kept("example.org", "1", now + 2 * DAY,
                             now + 3 * DAY, "x"),
                        kept("example.org", "1", now, now + 9, "x") + b"y",
                        kept("example.org", "1", now, now + 9,
                             "x" * 14001)):
            relay = store.peer("relay")
            relay.socket.settimeout(10)
            relay.ask(ASK["STS_KEEP"], payload)
            assert relay.socket.recv(100) == b""
        # what is queue's to ask
        relay = store.peer("relay")
        relay.socket.settimeout(10)
        relay.send(ASK["LEDGER_PUT"])
        assert relay.socket.recv(100) == b""
        wait_until(lambda: len(store.events("suspected_break_in")) == 7)
