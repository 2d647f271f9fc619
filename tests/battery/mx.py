# SPDX-License-Identifier: ISC
"""The two servers that the battery is run against, each as the MX of
example.org with the same users of passwd and the same aliases.

What a case needs of both is their port; what only one has, a case asks of
the one that it is. more: text of postern.conf; cf: of main.cf; helper: what
the case's options have started."""
import glob
import os
import shutil
import subprocess

from certificates import make_certificate
from postern import OWNER, Server, wait_until
from shots import mailbox_ids
from test_bounces import Bounces
from test_relay_peers import Peer
from test_relay_peers import Postfix as PostfixPeer

SIGNALS = (1, 2, 3, 6, 9, 11, 13, 14, 15)
PROGRAM = """#!/bin/sh
case $1 in
exit)   cat >/dev/null; exit $2 ;;
kill)   cat >/dev/null; kill -$2 $$ ;;
hang)   sleep 20 ;;
flood)  head -c 10000000 /dev/zero ;;
blind)  exec <&- ;;
keep)   cat >"$(mktemp "${0%/*}/kept/XXXXXXXX")" ;;
esac
"""
# {d}: the world's folder
ALIASES = """postmaster: u000
abuse: u000
root: u000
dead-1: dead-2
dead-2: nosuchuser
five: u001, u002, u003, u004, nosuchuser
include-1: u005, :include:{d}/unreadable
include-2: :include:{d}/missing
away-refused: refused@proof.test
away-later: later@proof.test
away: bob@proof.test
exit-mixed: u009, "|{d}/program exit 1"
program-and-box: u009, "|{d}/program exit 0"
hangs: "|{d}/program hang"
floods: "|{d}/program flood"
blind: "|{d}/program blind"
missing: "|{d}/no-program"
keep: u009, "|{d}/program keep"
owner-far: u006
far: u009, far@proof.test
owner-far-refused: u006
far-refused: u009, refused@proof.test
owner-far-dead: u006
far-dead: u009, nosuchuser, far@proof.test
far-alone: u009, refused@proof.test, far@proof.test
""" + "".join("exit-%d: \"|{d}/program exit %d\"\n" % (n, n)
              for n in range(256)) + \
    "".join("kill-%d: \"|{d}/program kill %d\"\n" % (n, n)
            for n in SIGNALS) + \
    "".join("loop-%d: loop-%d\n" % (n, n % 60 + 1) for n in range(1, 61))
N_NAMED = 10        # users whom the aliases name

CONFIG = """hostname = "mx.example.org"
origin = "example.org"
postmaster = "u000@example.org"
state_dir = "{folder}/state"
listen "127.0.0.1:{port}" {{ role = mx }}
listen "[::1]:{port}" {{ role = mx }}
listen "unix:{folder}/submit" {{ role = local }}
limits {{
    unknown_recipients = 0
    errors_per_session = 0
    sessions_per_client = 0
}}
domain "example.org" {{
    users = "passwd"
    aliases = "/etc/aliases"
    mailbox = "~/Maildir"
    names = true
}}
domain "quota.example.org" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases"
    mailbox = "{folder}/mail/%u/Maildir"
    {owner}
}}
resolver {{
    servers = {{ "127.0.0.1@53" }}
    dnssec = off
}}
"""
QUOTA = 1 << 20
LIMITED = ["q%02d" % n for n in range(40)]
FREE = ["t%02d" % n for n in range(50)]


class PosternMx(Server):
    """The server of this tree, with its fault points."""

    name = "postern"
    secret, tag, trace = Bounces.secret, Bounces.tag, Bounces.trace

    def __init__(self, world, more="", helper=None, cf=""):
        super().__init__(
            config=CONFIG + more, faults=True, aliases=
            "postmaster: t00\nabuse: t00\nroot: t00\n",
            users="".join("%s quota=%d\n" % (n, QUOTA) for n in LIMITED) +
            "".join(n + "\n" for n in FREE))
        self.world, self.helper, self.cf = world, helper, cf
        self.limited, self.free = list(LIMITED), list(FREE)
        make_certificate(self.folder, "mx")
        with open(self.config_path, "a", encoding="ascii") as f:
            f.write('tls "mx.example.org" {\n    certificate = "%s/mx.pem"\n'
                    '    key = "%s/mx.key"\n}\n' % ((self.folder,) * 2))

    def box(self, address):
        """A user's Maildir."""
        user, _, domain = address.partition("@")
        if domain == "quota.example.org":
            return self.maildir(user)
        return os.path.join(self.world.home(user), "Maildir")

    def take_limited(self, n_left):
        """The address of a mailbox with room for so many octets."""
        user = self.limited.pop()
        box = self.maildir(user)
        size = QUOTA - n_left
        for path in ("", "/new", "/cur", "/tmp"):
            os.makedirs(box + path, mode=0o700, exist_ok=True)
        with open("%s/cur/1.1.host,S=%d:2,S" % (box, size), "wb") as f:
            f.write(b"Message-ID: <filler>\n\n")
            f.truncate(size)
        subprocess.run(["chown", "-R", OWNER + ":", os.path.dirname(box)],
                       check=True)
        return user + "@quota.example.org"

    def take_free(self, n):
        """Addresses of n mailboxes of one uid."""
        return [self.free.pop() + "@quota.example.org" for _ in range(n)]

    def all_boxes(self):
        """Every Maildir there is."""
        return glob.glob(self.world.folder + "/home/*/Maildir") + \
            glob.glob(self.mail_folder + "/*/Maildir")

    def own_mail(self):
        """{Maildir: Message-IDs} of those that end with this server."""
        return {box: mailbox_ids(box) for box in
                glob.glob(self.mail_folder + "/*/Maildir")}

    @staticmethod
    def waiting(_address):
        """Messages from this address that it still holds: settle() is not
        over before there are none."""
        return 0

    def walk_spool(self):
        """Files of messages that one walk meets."""
        return [os.path.join(folder, name) for folder, _, names in
                os.walk(self.folder + "/state/spool")
                if os.path.basename(folder) != "spare" for name in names]

    def spooled(self):
        """Files of messages in the queue; a walk can miss what is renamed
        meanwhile, so "none" is what two of them say."""
        return self.walk_spool() or self.walk_spool()

    def settle(self):
        """Until nothing is left to be sent."""
        wait_until(lambda: not self.spooled(), 30, "an empty queue")


MAIN_CF = """compatibility_level = 3.6
queue_directory = %(d)s/queue
data_directory = %(d)s/data
daemon_directory = %(r)s/usr/lib/postfix/sbin
command_directory = %(r)s/usr/sbin
shlib_directory = %(r)s/usr/lib/postfix
meta_directory = %(r)s/etc/postfix
import_environment = LD_LIBRARY_PATH MAIL_CONFIG
maillog_file = %(d)s/maillog
maillog_file_prefixes = %(d)s
myhostname = mx.example.org
mydestination = $myhostname, example.org, localhost
myorigin = example.org
alias_maps = hash:%(d)s/aliases
mynetworks = 127.0.0.0/8 [::1]/128
"""
MASTER_CF = """127.0.0.1:%(p)d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
anvil unix - - n - 1 anvil
local unix - n n - - local
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
flush unix n - n 1000? 0 flush
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class PostfixMx(Peer):
    """Debian's package with its default settings: main.cf says where it
    lies and for whom it is the MX, and nothing else."""

    name = "postfix"

    def __init__(self, world, more="", helper=None, cf=""):
        super().__init__()
        self.world, self.helper, self.more = world, helper, more
        self.root = PostfixPeer.unpack()
        for name in ("queue", "data"):
            os.mkdir(os.path.join(self.folder, name))
        shutil.chown(self.folder + "/data", "postfix")
        words = {"d": self.folder, "r": self.root, "p": self.port}
        self.file("main.cf", MAIN_CF % words + cf)
        shutil.copy("/etc/aliases", self.folder)
        self.file("master.cf", MASTER_CF % words)
        self.env = dict(os.environ, MAIL_CONFIG=self.folder,
                        LD_LIBRARY_PATH=self.root + "/usr/lib/postfix")

    def tool(self, name, *arguments):
        """One of its programs."""
        return subprocess.run(
            ["%s/usr/sbin/%s" % (self.root, name), *arguments],
            env=self.env, check=False, capture_output=True, text=True)

    def __enter__(self):
        return self.start()

    def start(self):
        """Its queue's folders, the aliases, and itself."""
        self.tool("postfix", "-c", self.folder, "check")
        self.tool("postalias", "hash:%s/aliases" % self.folder)
        self.run([self.root + "/usr/lib/postfix/sbin/master", "-c",
                  self.folder, "-d"], self.env)
        return self

    def queued(self, *folders):
        """Files of its queue."""
        found = []
        for folder in folders:
            for path, _, names in os.walk(os.path.join(
                    self.folder, "queue", folder)):
                found += [os.path.join(path, n) for n in names]
        return found

    def settle(self):
        """Until nothing is under way; what it tries again later stays."""
        wait_until(lambda: not self.queued("incoming", "active", "maildrop"),
                   120, "an idle queue", every=0.5)

    @staticmethod
    def own_mail():
        """Its mailboxes are not looked at."""
        return {}

    def waiting(self, address):
        """Messages from this address that it still holds."""
        found = 0
        for path in self.queued("deferred", "hold", "active", "incoming"):
            with open(path, "rb") as f:
                found += address.encode() in f.read(4096)
        return found
