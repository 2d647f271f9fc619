# SPDX-License-Identifier: ISC
"""relay and the servers that others run: Debian's Exim and Postfix, with a
DNSSEC-signed zone, a real nsd and our real resolver in between."""
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from certificates import make_certificate
from compartment import Compartment
from nameserver import Nameserver
from postern import IS_ROOT, wait_until
from relay_lab import Lab
from test_relay_tls import Authority

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="servers want root")
BOB, EVE = "bob@example.net", "eve@example.net"
TEXT = "From: a@example.org\nSubject: grüße\n\n.dot\n..\nlast é\n".encode()
BIG = b"Subject: big\n\n" + b"".join(
    b".%d %s\n" % (i, b"x" * (i % 200)) for i in range(20000))


def free_port():
    """A port at which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def greets(port):
    """Somebody speaks SMTP at the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            return s.recv(100).startswith(b"220")
    except OSError:
        return False


class Peer:
    """A server whose mail lands in one mbox file."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-peer-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.box = os.path.join(self.folder, "box")
        self.port = free_port()
        make_certificate(self.folder, "mx", "mx.example.net")
        self.process = None

    def file(self, name, text, mode=0o644):
        """Write one."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def mail(self):
        """All that has come."""
        text = b""
        for path in glob.glob(self.box + "*/*") or glob.glob(self.box):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    text += f.read()
        return text

    def run(self, argv, env=None):
        """Start it, wait for its greeting."""
        with open(self.folder + "/output", "wb") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, env=env)
        wait_until(lambda: greets(self.port), 20, "a greeting: %s" %
                   argv)

    def close(self):
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Exim(Peer):
    """Debian's exim4."""

    def __init__(self, routers="", transports=""):
        super().__init__()
        spool = self.folder + "/spool"
        os.mkdir(spool)
        shutil.chown(spool, "Debian-exim", "Debian-exim")
        shutil.chown(self.folder, "Debian-exim", "Debian-exim")
        os.chmod(self.folder + "/mx.key", 0o644)
        config = self.file("exim.conf", """primary_hostname = exim.example
spool_directory = %(d)s/spool
log_file_path = %(d)s/exim-%%slog
pid_file_path = %(d)s/exim.pid
daemon_smtp_ports = %(p)d
local_interfaces = 127.0.0.1
keep_environment =
never_users =
tls_advertise_hosts = *
tls_certificate = %(d)s/mx.pem
tls_privatekey = %(d)s/mx.key
dsn_advertise_hosts = *
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny local_parts = refused
       message = no such person
  defer local_parts = later
  accept
data:
  deny condition = ${if match{$h_subject:}{spam}}
       message = we do not want\\nthis
  accept
begin routers
%(routers)s
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = %(d)s/box
  user = Debian-exim
%(transports)s
""" % {"d": self.folder, "p": self.port, "routers": routers,
       "transports": transports})
        self.run(["/usr/sbin/exim4", "-C", config, "-bdf"])


class Postfix(Peer):
    """Debian's package, unpacked: it cannot be installed beside Exim."""

    def __init__(self, more="", services=""):
        super().__init__()
        root = self.unpack()
        for name in ("queue", "data", "box"):
            os.mkdir(os.path.join(self.folder, name))
        for name in ("data", "box"):
            shutil.chown(os.path.join(self.folder, name), "news")
        self.file("main.cf", """compatibility_level = 3.6
queue_directory = %(d)s/queue
data_directory = %(d)s/data
daemon_directory = %(r)s/usr/lib/postfix/sbin
command_directory = %(r)s/usr/sbin
shlib_directory = %(r)s/usr/lib/postfix
meta_directory = %(r)s/etc/postfix
import_environment = LD_LIBRARY_PATH MAIL_CONFIG
mail_owner = news
setgid_group = uucp
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = example.net
virtual_mailbox_base = %(d)s/box
virtual_mailbox_maps = static:all
virtual_uid_maps = static:%(u)d
virtual_gid_maps = static:%(u)d
virtual_minimum_uid = 1
maillog_file = %(d)s/maillog
maillog_file_prefixes = %(d)s
smtpd_tls_security_level = may
smtpd_tls_chain_files = %(d)s/mx.key, %(d)s/mx.pem
smtpd_recipient_restrictions =
    check_recipient_access inline:{{refused@=550 5.1.1 no such person},
    {later@=450 4.2.0 later}}, permit_mynetworks, reject
%(m)s
""" % {"d": self.folder, "r": root, "u": os.stat(
            self.folder + "/box").st_uid, "m": more})
        lines = ["127.0.0.1:%d inet n - n - - smtpd" % self.port]
        for line in """pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
error unix - - n - - error
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""".splitlines() + services.splitlines():
            lines.append(line)
        self.file("master.cf", "\n".join(lines) + "\n")
        env = dict(os.environ, LD_LIBRARY_PATH=root + "/usr/lib/postfix",
                   MAIL_CONFIG=self.folder)
        subprocess.run([root + "/usr/sbin/postfix", "-c", self.folder,
                        "check"], env=env, check=False,
                       capture_output=True)
        self.run([root + "/usr/lib/postfix/sbin/master", "-c", self.folder,
                  "-d"], env)

    @staticmethod
    def unpack():
        """The package's files, once."""
        root = "/tmp/postern-postfix-root"
        if not os.path.exists(root + "/complete"):
            shutil.rmtree(root, ignore_errors=True)
            os.makedirs(root)
            result = subprocess.run(
                ["apt-get", "-o", "APT::Sandbox::User=root", "download",
                 "postfix"], cwd=root, capture_output=True, check=False)
            debs = glob.glob(root + "/postfix_*.deb")
            if result.returncode or not debs:
                pytest.skip("Debian's postfix cannot be had")
            subprocess.run(["dpkg", "-x", debs[0], root], check=True)
            with open(root + "/complete", "w", encoding="ascii"):
                pass
        return root


PEERS = {"exim": Exim, "postfix": Postfix}
ONE = {("example.net", "MX"): ["10 mx.example.net"],
       ("mx.example.net", "A"): ["127.0.0.1"]}


@pytest.mark.parametrize("name", PEERS)
def test_peer(name):
    """Everything that they offer is used, and understood."""
    with PEERS[name]() as peer, Lab(ONE, peer.port) as lab:
        r = lab.send("example.net", [BOB, "refused@example.net",
                                     "later@example.net", EVE], TEXT,
                     eight=True, notify=4, ret=2, envid="abc")
        assert [c // 100 for c in r.codes] == [2, 5, 4, 2], r.results
        assert "no such person" in r[1].text and r[0].passes_dsn
        assert r.tls.startswith("TLSv1.3")
        r = lab.send("example.net", [BOB], BIG)
        assert r.codes == [250], r.results
        wait_until(lambda: BIG.split(b"\n\n", 1)[1] in peer.mail(), 20,
                   "the large message")
        assert b"\n.dot\n..\nlast \xc3\xa9\n" in peer.mail()
        # one connection, the second message without another EHLO
        assert lab.dns.asked["example.net", "MX"] == 1


def test_exim_refuses_at_the_end():
    """Several lines, one text."""
    with Exim() as peer, Lab(ONE, peer.port) as lab:
        r = lab.send("example.net", [BOB], b"Subject: spam\n\nx\n")
        assert r.codes == [550] and r[0].stage == "end"
        assert r[0].text == "we do not want this"


def test_postfix_without_8bitmime():
    """Converted on the way; PIPELINING and CHUNKING are off too."""
    with Postfix("smtpd_discard_ehlo_keywords = 8bitmime pipelining "
                 "chunking dsn smtputf8") as peer, \
            Lab(ONE, peer.port) as lab:
        text = "Subject: x\n\ngrüße\n".encode()
        r = lab.send("example.net", [BOB], text, eight=True)
        assert r.codes == [250], r.results
        wait_until(lambda: b"gr=C3=BC=C3=9Fe\n" in peer.mail(), 20, "mail")
        assert not r[0].passes_dsn


# ---- DNSSEC ----

@pytest.fixture(scope="module", name="ca")
def _ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def test_dane_signed_zone(ca):
    """MX, addresses and TLSA from a signed zone: what fits is delivered,
    what does not fit is not, and bogus answers are silence."""
    with Exim() as peer:
        good = ca.tlsa(peer.folder + "/mx.pem")
        zone = "\n".join([
            "@ MX 10 mx", "mx A 127.0.0.1",
            "_%d._tcp.mx TLSA %s" % (peer.port, good),
            "wrong MX 10 w", "w A 127.0.0.1",
            "_%d._tcp.w TLSA 3 1 1 %s" % (peer.port, "ab" * 32)])
        zones = {"example.net": zone, "plain.example": "\n".join([
            "@ MX 10 mx", "mx A 127.0.0.1",
            "_%d._tcp.mx TLSA 3 1 1 %s" % (peer.port, "ab" * 32)])}
        with Nameserver(zones, signed=["example.net"]) as ns:
            resolver = Compartment("resolver", ns.config().format())
            with resolver:
                resolver.start()
                time.sleep(2.5)  # it finds out whether it can validate
                check_dane(peer, resolver)


def check_dane(peer, resolver):
    """The three domains."""
    with Lab(port=peer.port, resolver=resolver) as lab:
        r = lab.send("example.net", [BOB], TEXT, eight=True)
        assert r.codes == [250] and r.tls.endswith(" dane"), r.results
        r = lab.send("wrong.example.net", [BOB], TEXT, eight=True)
        assert r.codes == [451] and r[0].stage == "tls", r.results
        # not signed: its TLSA record binds nobody
        r = lab.send("plain.example", [BOB], TEXT, eight=True)
        assert r.codes == [250] and not r.tls.endswith(" dane")
