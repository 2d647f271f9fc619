# SPDX-License-Identifier: ISC
"""The milters that people run: opendkim, opendmarc, rspamd, clamav-milter
and spamass-milter of Debian, as they are."""
import base64
import os
import subprocess

import pytest

from client import new_message
from filters import EICAR, Clamd, Daemon
from postern import free_port

pytestmark = pytest.mark.needs_root       # they change to their own uids

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL" \
    "*C.34X"


def section(*milters):
    """Sections of postern.conf, in this order."""
    return "".join('milter "%s" {{ timeout = 20s }}\n' % m.endpoint
                   for m in milters)


def failed(server):
    """Did a milter break the protocol, or was it given up?"""
    return server.events("milter_failed") + server.events("alarm")


# ---- opendkim ----

class Opendkim(Daemon):
    """Verifies; the keys come from a file instead of the DNS."""

    def __init__(self, keys):
        super().__init__()
        self.write("keys", "".join("%s %s\n" % k for k in keys.items()))
        self.write("opendkim.conf", """
Socket local:%s
Mode v
UserID opendkim
TestDNSData file:%s
AuthservID mx.example.org
AlwaysAddARHeader yes
Syslog no
Background no
UMask 000
On-BadSignature accept
""" % (self.socket, self.path("keys")))
        self.run("opendkim", "-f", "-x", self.path("opendkim.conf"))


@pytest.fixture(scope="module")
def signing_key():
    """(PEM of the private key, TXT record)."""
    pem = subprocess.run(["openssl", "genrsa", "-traditional", "2048"],
                         check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"],
                         input=pem, check=True, capture_output=True).stdout
    return pem, "v=DKIM1;k=rsa;p=" + base64.b64encode(der).decode()


def signed(message, pem):
    """With a DKIM signature of signer.example."""
    import dkim
    octets = message.replace("\n", "\r\n").encode()
    field = dkim.sign(octets, b"s1", b"signer.example", pem,
                      include_headers=[b"From", b"Subject", b"X-Odd"])
    return field.decode().replace("\r\n", "\n") + message


@pytest.fixture(scope="module")
def opendkim(signing_key):
    milter = Opendkim({"s1._domainkey.signer.example": signing_key[1]})
    yield milter
    milter.close()


def test_opendkim(make_server, opendkim, signing_key):
    server = make_server(checks=section(opendkim))
    message = signed(new_message(
        fields="X-Odd:  two spaces\n\tand a fold \n",
        body="Text  with   spaces \n\n.dot\n\n\n"), signing_key[0])
    # a second one, large: opendkim says SKIP when it has enough
    large = signed(new_message(body="0123456789\n" * 50000), signing_key[0])
    with server.connect() as c:
        c.ehlo()
        for m in (message, large):
            assert c.deliver("alice@example.org", m,
                             sender="a@signer.example").code == 250
        assert c.deliver("alice@example.org", message.replace(
            "Text", "Changed"), sender="a@signer.example").code == 250
        assert c.deliver("alice@example.org", new_message()).code == 250
    results = [m.get("Authentication-Results") for m in server.mail("alice")]
    assert "dkim=pass" in results[0] and "signer.example" in results[0]
    assert "dkim=pass" in results[1]
    assert "dkim=fail" in results[2]
    assert "dkim=none" in results[3]
    first = server.mail("alice")[0]
    names = [n for n, _ in first.fields]
    assert names.index("Authentication-Results") < \
        names.index("DKIM-Signature")
    assert first.raw.endswith(message.encode())
    assert not failed(server)


# ---- opendmarc, behind opendkim ----

class Opendmarc(Daemon):
    """Believes the Authentication-Results of mx.example.org; has no DNS."""

    def __init__(self):
        super().__init__()
        self.write("opendmarc.conf", """
Socket local:%s
AuthservID mx.example.org
TrustedAuthservIDs mx.example.org
RejectFailures true
RequiredHeaders true
SoftwareHeader true
IgnoreHosts %s
Syslog false
Background false
UMask 000
""" % (self.socket, self.write("ignored", "192.0.2.1\n")))
        self.run("unshare", "--net", "opendmarc", "-f", "-c",
                 self.path("opendmarc.conf"))


def test_opendmarc(make_server, opendkim):
    milter = Opendmarc()
    try:
        server = make_server(checks=section(opendkim, milter))
        assert server.deliver("alice@example.org", new_message(),
                              sender="s@elsewhere.example").code == 250
        results = server.mail("alice")[0].get_all("Authentication-Results")
        assert any("dmarc=" in r for r in results), results
        # RequiredHeaders: two From fields are refused, in its own words
        before = server.all_files()
        reply = server.deliver("alice@example.org", new_message(
            fields="From: other@elsewhere.example\n"))
        assert reply.code == 550, reply
        server.why(reply, "milter")
        assert server.all_files() == before
        assert not failed(server)
    finally:
        milter.close()


# ---- rspamd ----

class Rspamd(Daemon):
    """The proxy that scans by itself; no modules, no maps, no network."""

    def __init__(self):
        super().__init__()
        for name in ("db", "lua"):
            os.mkdir(self.path(name))
            os.chmod(self.path(name), 0o777)
        # the 9,000 of its own take a minute to compile
        self.write("suffixes", "com\norg\nexample\n")
        self.write("rspamd.conf", """
options {
    pidfile = "%(f)s/pid"; tempdir = "%(f)s"; filters = "";
    cache_file = "%(f)s/db/cache"; hs_cache_dir = "%(f)s/db";
    history_file = "%(f)s/db/history"; stats_file = "%(f)s/db/stats";
    rrd = ""; control_socket = "%(f)s/control mode=0600";
    dns { nameserver = ["127.0.0.1:9:1"]; timeout = 0.1s; retransmits = 1; }
    check_all_filters = false; url_tld = "%(f)s/suffixes";
}
logging { type = "file"; filename = "%(f)s/rspamd.log"; level = "info"; }
actions { reject = 15; add_header = 6; }
worker "rspamd_proxy" {
    bind_socket = "%(s)s mode=0666"; count = 1; milter = yes;
    timeout = 20s;
    upstream "local" { default = yes; self_scan = yes; }
}
""" % {"f": self.folder, "s": self.socket})
        self.run("rspamd", "-f", "-i", "-u", "_rspamd", "-g", "_rspamd",
                 "-c", self.path("rspamd.conf"), timeout=90)


def test_rspamd(make_server):
    milter = Rspamd()
    try:
        server = make_server(
            checks=section(milter).replace("20s", "20s reuse = true"),
            settings="processes {{ smtpd = 1 }}\n")
        with server.connect() as c:
            c.ehlo()
            for _ in range(2):
                assert c.deliver("alice@example.org",
                                 new_message()).code == 250
            before = server.all_files()
            reply = c.deliver("alice@example.org",
                              new_message(body=GTUBE + "\n"))
            assert reply.code == 554, reply
            assert reply.raw[0].startswith("554 5.7.1 Gtube pattern")
            assert server.all_files() == before
            assert c.deliver("alice@example.org", new_message()).code == 250
        # the next sessions, on the same connection
        for _ in range(3):
            assert server.deliver("alice@example.org",
                                  new_message()).code == 250
            assert server.deliver("alice@example.org", new_message(
                body=GTUBE + "\n")).code == 554
        assert not failed(server)
    finally:
        milter.close()


# ---- clamav-milter ----

class ClamavMilter(Daemon):
    """In front of a clamd of ours."""

    def __init__(self, clamd):
        super().__init__()
        self.write("milter.conf", """
MilterSocket unix:%s
MilterSocketMode 666
ClamdSocket unix:%s
User clamav
Foreground yes
TemporaryDirectory %s
OnClean Accept
OnInfected Reject
OnFail Defer
AddHeader Add
RejectMsg virus %%v here
PidFile %s
""" % (self.socket, clamd.socket, self.folder, self.path("pid")))
        self.run("clamav-milter", "-c", self.path("milter.conf"))


def test_clamav_milter(make_server):
    clamd = Clamd()
    milter = ClamavMilter(clamd)
    try:
        server = make_server(checks=section(milter))
        assert server.deliver("alice@example.org", new_message()).code == 250
        mail = server.mail("alice")[0]
        assert mail.get("X-Virus-Status") == "Clean"
        assert mail.get("X-Virus-Scanned")
        before = server.all_files()
        reply = server.deliver("alice@example.org",
                               new_message(body=EICAR + "\n"))
        assert reply.code == 550 and reply.enhanced == "5.7.1", reply
        assert "virus Test.Eicar.UNOFFICIAL here" in reply.text
        assert server.all_files() == before
        # its own clamd is gone: it defers
        clamd.kill()
        reply = server.deliver("alice@example.org", new_message())
        assert reply.code == 451, reply
        assert server.all_files() == before
    finally:
        milter.close()
        clamd.close()


# ---- spamass-milter ----

class Spamd(Daemon):
    """SpamAssassin with one rule of ours."""

    def __init__(self):
        super().__init__(free_port())
        os.mkdir(self.path("rules"))
        os.mkdir(self.path("site"))
        os.mkdir(self.path("state"))
        for name in ("rules", "site", "state"):
            os.chmod(self.path(name), 0o777)
        self.write("site/init.pre", "loadplugin "
                   "Mail::SpamAssassin::Plugin::Check\n")
        self.write("rules/our.cf", """
body SPAMMY /buy these pills/
score SPAMMY 6
body VERY_SPAMMY /buy all these pills/
score VERY_SPAMMY 20
required_score 5
report_safe 0
clear_headers
add_header all Status "_YESNO_, score=_SCORE_"
add_header spam Flag _YESNOCAPS_
rewrite_header Subject [SPAM]
use_bayes 0
""")
        self.run("spamd", "--max-children=2", "-i", "127.0.0.1",
                 "-p", str(self.socket), "--siteconfigpath",
                 self.path("site"), "--configpath", self.path("rules"),
                 "-L", "-x", "-u", "nobody", "-s", "stderr",
                 "--nouser-config", HOME=self.path("state"))


class SpamassMilter(Daemon):
    """Asks spamd by spamc."""

    def __init__(self, spamd):
        super().__init__()
        self.run("spamass-milter", "-p", self.socket, "-r", "15", "--",
                 "-d", "127.0.0.1", "-p", str(spamd.socket))


def test_spamass_milter(make_server):
    spamd = Spamd()
    milter = SpamassMilter(spamd)
    try:
        server = make_server(checks=section(milter))
        assert server.deliver("alice@example.org", new_message()).code == 250
        assert "No, score=" in server.mail("alice")[-1].get("X-Spam-Status")
        assert server.deliver("alice@example.org", new_message(
            body="buy these pills\n")).code == 250
        mail = server.mail("alice")[-1]
        assert mail.get("X-Spam-Flag") == "YES"
        assert mail.get("Subject").startswith("[SPAM]")
        assert mail.body == b"buy these pills\n"
        before = server.all_files()
        reply = server.deliver("alice@example.org", new_message(
            body="buy all these pills\n"))
        assert reply.code == 550, reply
        assert server.all_files() == before
        assert not failed(server)
    finally:
        milter.close()
        spamd.close()


# ---- all in a row ----

def test_in_a_row(make_server, opendkim):
    clamd = Clamd()
    milter = ClamavMilter(clamd)
    try:
        server = make_server(checks=section(opendkim, milter) +
                             'virus = refuse\nclamd "%s" {{ }}\n' %
                             clamd.endpoint)
        assert server.deliver("alice@example.org", new_message()).code == 250
        mail = server.mail("alice")[0]
        assert "dkim=none" in mail.get("Authentication-Results")
        assert mail.get("X-Virus-Status") == "Clean"
        assert not failed(server)
    finally:
        milter.close()
        clamd.close()
