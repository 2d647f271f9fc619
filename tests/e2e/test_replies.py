# SPDX-License-Identifier: ISC
"""DESIGN 9's table of replies, row by row: each is provoked by a real client
(with EHLO, with HELO and, where it is a plain message, by swaks). Each time:
the reply's digits and enhanced code, the command that it answers, what
posternctl tells about its id, and that no mailbox has anything of it."""
import contextlib
import dataclasses
import errno
import itertools
import os
import re
import signal
import subprocess
import time

import pytest

from client import Reply, new_message, wire
from filters import EICAR, Clamd, Program
from nameserver import Nameserver, silent
from postern import FAULT_BUILD, OTHER_OWNER, OWNER, wait_until

USERS = """alice name="Alice Smith"
bob name="Bob Smith"
small quota=20K
full quota=20K
link
foreign
locked
disk
"""
ALIASES = """postmaster: alice
abuse: alice
root: alice
moved: error:550 5.1.6 moved away
moved-to: error:551 5.1.6 moved to new@elsewhere.example
moved-short: error:551 moved to new@elsewhere.example
off: error:550 5.2.1 closed for now
dead: alice, nosuchuser
loop: pool
pool: alice, loop
unread: :include:{folder}/not-there
"""
ZONES = {
    "example": "elsewhere A 192.0.2.1",
    "good.example": "@ MX 10 mx\nmx A 192.0.2.1",
    "nullmx.example": "@ MX 0 .",
    "fail.example": '@ TXT "v=spf1 -all exp=why.fail.example"\n'
    'why TXT "%{i} is not ours"',
    "broken.example": '@ TXT "v=spf1 ip4:192.0.2.0/33 -all"',
    "hostile.example": r'@ TXT "v=spf1 \010\013check=\027\000 -all"',
    "silent.example": "@ A 192.0.2.1",
    "reject.example": '@ MX 10 mx\n_dmarc TXT "v=DMARC1; p=reject"',
    "black.example": '*.9.127 A 127.0.0.2\n*.9.127 TXT "listed for a test"',
    "grey.example": "*.9.127 A 127.0.0.2",
    "127.in-addr.arpa": "1.0.0 PTR x.good.example.",
}
NO_LIMITS = "unknown_recipients = 0\nerrors_per_session = 0\n"
NOWHERE = """
domain "nowhere.example" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases"
    mailbox = "{folder}/no-such-folder/%u/Maildir"
    {owner}
}}
"""
PERMANENT = "broken_alias = permanent"
LISTS = """dnsbl "black.example" {{ score = 2 }}
dnsbl "grey.example" {{ }}
"""


# ---- the servers ----

def put_mailboxes(server):
    """Mailboxes that must not be used, and one whose disk is full."""
    def box(user, owner=OWNER, mode=0o700):
        path = server.maildir(user)
        for folder in ("", "new", "cur", "tmp"):
            os.makedirs(os.path.join(path, folder), exist_ok=True)
            os.chmod(os.path.join(path, folder), mode)
            server.own_by(os.path.join(path, folder), owner)
        server.own_by(os.path.dirname(path), OWNER)
    box("foreign", OTHER_OWNER, 0o777)
    box("locked", mode=0o500)
    box("elsewhere")
    os.mkdir(os.path.join(server.mail_folder, "link"))
    os.symlink(server.maildir("elsewhere"), server.maildir("link"))


def put_full_disk(server):
    """A disk of its own for one mailbox, with room for small messages."""
    path = os.path.join(server.mail_folder, "disk")
    os.mkdir(path)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs",
                       path], check=False).returncode != 0:
        pytest.skip("mount of a tmpfs is not allowed here")
    server.mounts.append(path)
    server.own_by(path, OWNER)


SETUPS = {
    "plain": dict(limits=NO_LIMITS + "recipients = 2  message_size = 100K\n"
                  "received_fields = 10", domain_keys="names = true"),
    "pregreet": dict(limits="pregreet_delay = 5s"),
    "one session": dict(limits="sessions_per_client = 1"),
    "slowly": dict(limits="sessions_per_minute = 2"),
    "one message": dict(limits="messages_per_client = 1"),
    "lists": dict(checks=LISTS),
    "silent lists": dict(checks='dnsbl "silent.example" {{ }}\n'
                         "dnsbl_refuse_at = 1"),
    "sender": dict(checks="sender_domain = refuse"),
    "spf": dict(checks="spf = refuse"),
    "dmarc": dict(checks=None),
    "permanent": dict(domain_keys=PERMANENT),
    "mailboxes": dict(more=NOWHERE, before=put_mailboxes),
    "disk": dict(before=put_full_disk),
    "faults": dict(faults=True),
    "stopped": dict(),
    "greylist": dict(checks="greylist = refuse"),
    "harvest": dict(limits="unknown_recipients = 3"),
    "content": dict(checks="content = refuse  attachments = refuse\n"
                    "date = refuse", limits="header_fields = 100"),
    "clamd": dict(needs="clamd"), "dead clamd": dict(needs="clamd"),
    "milter": dict(needs="milter"), "dead milter": dict(needs="milter"),
}


class House:
    """The servers of this file, each started when a row needs it."""

    def __init__(self, make):
        self.make = make
        self.servers, self.closers = {}, []
        self.nameserver = Nameserver(ZONES, {"silent.example": silent})
        self.closers.append(self.nameserver.close)

    def start(self, name):
        options = dict(users=USERS, aliases=ALIASES, checks="")
        options.update(SETUPS[name])
        before = options.pop("before", lambda server: None)
        needs = options.pop("needs", None)
        if needs:
            program = {"clamd": Clamd, "milter": Program}[needs]()
            self.closers.append(program.close)
            options["checks"] = 'virus = refuse\n%s "%s" ' \
                '{{ timeout = 5s }}\n' % (needs, program.endpoint)
        options["more"] = options.get("more", "") + \
            self.nameserver.config("timeout = 2s")
        server = self.make(start=False, **options)
        server.write("aliases", server.fill(ALIASES))
        before(server)
        server.start()
        if name.startswith("dead"):
            program.kill()
        return server

    def get(self, name):
        """The server of a set-up."""
        if name not in self.servers:
            self.servers[name] = self.start(name)
        return self.servers[name]

    def close(self):
        for close in reversed(self.closers):
            close()


@pytest.fixture(scope="module")
def house(make_module_server):
    it = House(make_module_server)
    yield it
    it.close()


# ---- what is done while the client talks ----

@contextlib.contextmanager
def nothing(_server, _source):
    yield


@contextlib.contextmanager
def one_more_session(server, source):
    with server.connect(source=source):
        yield


@contextlib.contextmanager
def stopped_directory(server, _source):
    pids = server.children("directory")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def broken_disk(server, _source):
    slot = server.faults.set("maildir.write", "errno", errno.EIO)
    yield
    assert server.faults.hits(slot) == 1
    server.faults.clear()


@contextlib.contextmanager
def nearly_full(server, _source):
    """Another session has reserved what is left of a quota."""
    with server.connect() as other:
        other.ehlo()
        other.envelope("full@example.org", params=" SIZE=15000")
        yield


@contextlib.contextmanager
def used_quota(server, _source):
    """Less is left than a message needs that did not say its size."""
    while sum(len(m.raw) for m in server.mail("full")) < 13000:
        assert server.deliver("full@example.org", new_message(
            size=3000)).code == 250
    yield


@contextlib.contextmanager
def harvester(server, source):
    """This client has asked for many who are not here."""
    with server.connect(source=source) as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        for i in range(4):
            c.expect("RCPT TO:<guess%d@example.org>" % i, "550 5.1.1")
        assert c.reply().says("421 4.7.0")
    yield


# ---- the table ----

@dataclasses.dataclass
class Row:
    """One alternative of one row. The client sends MAIL, RCPT, DATA and a
    message until it is refused: that must be want, at that command."""
    name: str
    want: str
    at: str
    check: str                      # of the trail
    setup: str = "plain"
    says: tuple = ()                # in the reply
    told: tuple = ()                # in the trail
    sender: str = "s{n}@elsewhere.example"
    to: tuple = ("alice@example.org",)
    params: str = ""                # of MAIL
    rcpt_params: str = ""
    message: object = None          # str, or octets as they are sent
    line: bytes = None              # a command after EHLO
    early: bool = False             # the client speaks first
    tries: int = 1                  # the last of so many counts
    pause: int = 0                  # seconds between them
    around: object = nothing
    has_alarm: bool = False
    needs_root: bool = False

    @property
    def clients(self):
        """Who can provoke it."""
        if self.params or self.rcpt_params:
            return ["EHLO"]
        if self.at in ("connect",):
            return ["EHLO"]
        is_plain = self.line is None and len(self.to) == 1 and \
            not isinstance(self.message, bytes) and self.around is nothing
        return ["EHLO", "HELO"] + (["swaks"] if is_plain else [])


def to(*names):
    return tuple(n if "@" in n else n + "@example.org" for n in names)


def octets(text):
    """A message with something in it that does not belong there."""
    return b"Subject: x\r\n\r\n" + text + b"\r\n.\r\n"


def received(n):
    return "".join("Received: from h%d.example by h%d.example; "
                   "Tue, 14 Nov 2023 22:13:20 +0000\n" % (i, i + 1)
                   for i in range(n))


DMARC = new_message().replace("From: Sender <sender@elsewhere.example>",
                              "From: x@reject.example")
PROGRAM = new_message(
    fields='MIME-Version: 1.0\nContent-Type: application/x-msdownload; '
    'name="setup.exe"\n', body="MZ\n")

ROWS = [
    Row("speaks before the greeting", "554 5.5.1", "connect", "greeting",
        "pregreet", early=True, says=("wait for the greeting",)),
    Row("too many sessions", "421 4.7.0", "connect", "sessions",
        "one session", around=one_more_session),
    Row("too many connections", "421 4.7.0", "connect", "rate", "slowly",
        tries=3),
    Row("too many messages", "421 4.7.0", "MAIL", "rate", "one message",
        tries=2, told=("messages_per_client",)),

    Row("lists, first contact", "450 4.7.1", "RCPT", "dnsbl", "lists",
        says=("black.example",), told=("score 3 of 3", "grey.example 1")),
    Row("lists, later", "550 5.7.1", "RCPT", "dnsbl", "lists", tries=2,
        pause=11,
        says=("black.example", "listed for a test"),
        told=("A 1.", "(127.0.0.2)", "score 3 of 3", "grey.example 1")),
    Row("lists, silent", "451 4.4.3", "RCPT", "dnsbl", "silent lists",
        told=("silent.example",)),

    Row("sender's domain does not exist", "550 5.1.8", "MAIL",
        "sender_domain", "sender", sender="a@nosuch.example", says=("nosuch.example",),
        told=("nosuch.example", "does not exist")),
    Row("null MX", "550 5.7.27", "MAIL", "sender_domain", "sender",
        sender="a@nullmx.example", says=("null MX",),
        told=("MX nullmx.example: ok", "(.)")),
    Row("sender's domain, silent", "451 4.4.3", "MAIL", "sender_domain",
        "sender", sender="a@silent.example", told=("silent.example",)),
    Row("size at MAIL", "552 5.3.4", "MAIL", "size",
        params=" SIZE=200000", told=("200000 octets, at most 102400",)),
    Row("size at DATA", "552 5.3.4", "message", "size",
        message=new_message(size=200000),
        told=("more than 102400 octets",)),

    Row("SPF fail", "550 5.7.23", "MAIL", "spf", "spf",
        sender="a@fail.example", says=("is not ours",),
        told=("fail (mailfrom fail.example)", "(v=spf1 -all")),
    Row("SPF temperror", "451 4.7.24", "MAIL", "spf", "spf",
        sender="a@silent.example", told=("no answer",)),
    Row("SPF permerror", "550 5.7.24", "MAIL", "spf", "spf",
        sender="a@broken.example", told=("broken.example",)),
    Row("SPF permerror, hostile record", "550 5.7.24", "MAIL", "spf", "spf",
        sender="a@hostile.example", told=("(v=spf1 ",)),

    Row("not our domain", "550 5.7.1", "RCPT", "recipient",
        to=to("x@elsewhere.example"), told=("x@elsewhere.example",)),

    Row("unknown", "550 5.1.1", "RCPT", "recipient", to=to("nobody"),
        says=("<nobody@example.org>",)),
    Row("ambiguous", "553 5.1.4", "RCPT", "recipient", to=to("smith")),
    Row("moved", "550 5.1.6", "RCPT", "recipient", to=to("moved"),
        says=("moved away",)),
    Row("moved with a new address", "551 5.1.6", "RCPT", "recipient",
        to=to("moved-to"), says=("new@elsewhere.example",)),
    Row("moved, code left out", "551 5.1.6", "RCPT", "recipient",
        to=to("moved-short"), says=("new@elsewhere.example",)),
    Row("disabled", "550 5.2.1", "RCPT", "recipient", to=to("off"),
        says=("closed for now",)),

    Row("dead leaf", "451 4.2.4", "RCPT", "recipient", to=to("dead"),
        told=("nosuchuser", "aliases:"), has_alarm=True),
    Row("alias loop", "451 4.4.6", "RCPT", "recipient", to=to("loop"),
        has_alarm=True),
    Row("alias file unreadable", "451 4.3.5", "RCPT", "recipient",
        to=to("unread"), has_alarm=True),
    Row("dead leaf, permanent", "550 5.2.4", "RCPT", "recipient",
        "permanent", to=to("dead"), has_alarm=True),
    Row("alias loop, permanent", "550 5.4.6", "RCPT", "recipient",
        "permanent", to=to("loop"), has_alarm=True),
    Row("alias file unreadable, permanent", "550 5.3.5", "RCPT", "recipient",
        "permanent", to=to("unread"), has_alarm=True),

    Row("over quota at RCPT", "452 4.2.2", "RCPT", "mailbox",
        to=to("full"), params=" SIZE=15000", around=nearly_full),
    Row("over quota at DATA", "452 4.2.2", "message", "delivery",
        to=to("full"), says=("<full@example.org>",),
        message=new_message(size=14000), around=used_quota),
    Row("never fits at RCPT", "550 5.2.3", "RCPT", "mailbox",
        to=to("small"), params=" SIZE=30000"),
    Row("never fits at DATA", "552 5.2.2", "message", "delivery",
        to=to("small"), message=new_message(size=30000)),

    Row("home missing", "451 4.2.0", "RCPT", "mailbox", "mailboxes",
        to=to("alice@nowhere.example"), has_alarm=True),
    Row("foreign owner", "451 4.2.0", "RCPT", "mailbox", "mailboxes",
        to=to("foreign"), has_alarm=True, needs_root=True),
    Row("symlink", "451 4.2.0", "RCPT", "mailbox", "mailboxes",
        to=to("link"), has_alarm=True, needs_root=True),
    Row("not writable", "451 4.2.0", "RCPT", "mailbox", "mailboxes",
        to=to("locked"), has_alarm=True, needs_root=True),

    Row("directory cannot answer", "451 4.4.3", "RCPT", "recipient",
        "stopped", around=stopped_directory),
    Row("scanner cannot answer", "451 4.3.0", "message", "virus",
        "dead clamd", told=("none: ",)),
    Row("milter cannot answer", "451 4.3.0", "MAIL", "milter",
        "dead milter", told=("unix:", "none: ")),

    Row("greylisted", "451 4.7.1", "RCPT", "greylist", "greylist",
        says=("try again in",)),
    Row("too many recipients", "452 4.5.3", "RCPT", "recipients",
        to=to("alice", "alice+1", "alice+2"),
        told=("2 are accepted",)),

    Row("virus", "554 5.7.1", "message", "virus", "clamd",
        says=("Test.Eicar",), told=("Test.Eicar",),
        message=new_message(body=EICAR + "\n")),
    Row("content policy: attachment", "554 5.7.1", "message", "attachments",
        "content", says=("setup.exe",), message=PROGRAM),
    Row("content policy: fields", "554 5.6.0", "message", "content",
        "content", message=new_message(fields="X: y\n" * 101)),
    Row("content policy: date", "550 5.6.0", "message", "date", "content",
        message=new_message(has_id=False)),
    Row("milter's own code", "550 5.7.9", "message", "milter", "milter",
        says=("no, says eom",), message=new_message(fields="X-End: code\n")),
    Row("milter's reject", "550 5.7.1", "message", "milter", "milter",
        message=new_message(fields="X-End: reject\n")),
    Row("milter's code for one recipient", "550 5.7.9", "RCPT", "milter",
        "milter", sender="rcpt-code@elsewhere.example",
        says=("no, says rcpt",)),

    Row("DMARC", "550 5.7.26", "message", "dmarc", "dmarc", message=DMARC,
        says=("reject.example",), told=("p=reject",)),

    Row("hops", "554 5.4.6", "message", "loop", says=("hops",),
        message=new_message(fields=received(11)),
        told=("11 Received fields, at most 10",)),
    Row("Delivered-To", "554 5.4.6", "message", "loop",
        message=new_message(fields="Delivered-To: alice@example.org\n"),
        told=("Delivered-To: alice@example.org",)),

    Row("disk full", "452 4.3.1", "message", "delivery", "disk",
        to=to("disk"), message=new_message(size=80000), needs_root=True),
    Row("I/O error", "451 4.3.0", "message", "delivery", "faults",
        around=broken_disk),

    Row("bare LF", "550 5.5.2", "message", "line ends",
        message=octets(b"a\nb"), told=("bare LF in the message",)),
    Row("bare CR", "550 5.5.2", "message", "line ends",
        message=octets(b"a\rb"), told=("bare CR in the message",)),
    Row("NUL", "550 5.5.2", "message", "line ends",
        message=octets(b"a\0b"), told=("NUL in the message",)),
    Row("bare LF before a dot", "550 5.5.2", "message", "line ends",
        message=octets(b"a\n.\nMAIL FROM:<b@c.example>")),
    Row("bare LF in a command", "500 5.5.2", "line", "syntax",
        line=b"NOOP a\nRSET"),
    Row("bare CR in a command", "500 5.5.2", "line", "syntax",
        line=b"NOOP a\rb"),
    Row("NUL in a command", "500 5.5.2", "line", "syntax",
        line=b"NOOP a\0b"),

    Row("harvest, afterwards", "450 4.7.1", "RCPT", "harvest", "harvest",
        around=harvester, told=("unknown_recipients",)),
    Row("harvest, afterwards, unknown", "450 4.7.1", "RCPT", "harvest",
        "harvest", to=to("nobody"), around=harvester),

    Row("DSN at MAIL: RET", "555 5.5.4", "MAIL", "syntax",
        params=" RET=HDRS"),
    Row("DSN at MAIL: ENVID", "555 5.5.4", "MAIL", "syntax",
        params=" ENVID=x"),
    Row("DSN at RCPT: NOTIFY", "555 5.5.4", "RCPT", "syntax",
        rcpt_params=" NOTIFY=FAILURE"),
    Row("DSN at RCPT: ORCPT", "555 5.5.4", "RCPT", "syntax",
        rcpt_params=" ORCPT=rfc822;a@b.example"),
]


# ---- one try ----

_N = itertools.count(1)


def dialogue(server, row, hello, source, sender):
    """(the refusal, the command it answers)."""
    with server.connect(source=source, greet=False) as c:
        if row.early:
            c.send("EHLO early.example\r\n")
        reply = c.reply()
        if reply.code != 220:
            assert c.is_closed()
            return reply, "connect"
        c.expect(hello + " client.example", "250")
        lines = [("line", row.line)] if row.line else \
            [("MAIL", "MAIL FROM:<%s>%s" % (sender, row.params))] + \
            [("RCPT", "RCPT TO:<%s>%s" % (address, row.rcpt_params))
             for address in row.to] + [("DATA", "DATA")]
        for at, line in lines:
            reply = c.command(line)
            if reply.code >= 400:
                return reply, at
        message = row.message or new_message()
        c.send(message if isinstance(message, bytes) else wire(message))
        return c.reply(), "message"


def swaks(server, row, source, sender):
    """The same by swaks."""
    path = server.write("message.eml", row.message or new_message())
    said = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(server.port),
         "--local-interface", source, "--ehlo", "client.example",
         "--from", sender, "--to", row.to[0], "--data", "@" + path,
         "--timeout", "60", "--hide-informational"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", timeout=120, check=False).stdout
    found = re.search(r"(?s)^(.*?)\n((?:<\*\* [^\n]*\n)+)", said)
    if found is None:
        return None, "all accepted"
    before, refusal = found.groups()
    at = re.findall(r"(?m)^ -> (\S*)", before)[-1]
    return Reply(re.findall(r"(?m)^<\*\* (.*)$", refusal)), \
        {".": "message"}.get(at, at)


def check_trail(server, row, reply):
    """The check, what it asked, what it was told and how long it took."""
    text = server.why(reply, *row.told, "%d" % reply.code)
    for key, value in (("Check", re.escape(row.check)), ("Asked", r"\S.*"),
                       ("Answer", r"\S.*"), ("Took", r"[\d.]+ (us|ms|s)")):
        assert re.search(r"(?m)^\s*%s:?\s+%s" % (key, value), text), \
            "no %s %s in:\n%s" % (key, value, text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), repr(text)
    return text


def is_alarmed(server, row):
    """The log tells the postmaster which address or mailbox it is."""
    user = row.to[0].partition("@")[0]
    return server.events("alarm", recipient=row.to[0]) or [
        e for e in server.events("mailbox_unusable")
        if "/%s/Maildir" % user in e["maildir"]]


def cases():
    for row in ROWS:
        for client in row.clients:
            yield pytest.param(
                row, client, id="%s-%s" % (row.name, client),
                marks=[pytest.mark.needs_root] if row.needs_root else [])


@pytest.mark.parametrize("row, client", cases())
def test_row(house, row, client):
    if row.setup == "faults" and not os.path.exists(FAULT_BUILD + "/postern"):
        pytest.skip("needs make FAULTS=1 BUILD=build-faults")
    server, n = house.get(row.setup), next(_N)
    source = "127.9.%d.1" % n
    sender = row.sender.replace("{n}", str(n))
    with row.around(server, source):
        for i in range(row.tries):
            time.sleep(row.pause if i > 0 else 0)
            before = server.all_files()
            reply, at = swaks(server, row, source, sender) \
                if client == "swaks" else \
                dialogue(server, row, client, source, sender)
        after = server.all_files()
    code, enhanced = row.want.split()
    assert (reply.code, at) == (int(code), row.at), (reply, at)
    assert reply.enhanced == (None if client == "HELO" else enhanced), reply
    for word in row.says:
        assert word in reply.text, reply
    check_trail(server, row, reply)
    assert after == before
    if row.has_alarm:
        wait_until(lambda: is_alarmed(server, row), 5, "an alarm")


# ---- what is more than one reply ----

def test_harvest(house):
    """The 421 that ends the session; then all are answered alike without a
    look at who lives here, so in equal time."""
    server, source = house.get("harvest"), "127.9.%d.1" % next(_N)
    with server.connect(source=source) as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        for i in range(4):
            c.expect("RCPT TO:<guess%d@example.org>" % i, "550 5.1.1")
        reply = c.reply()
        assert reply.says("421 4.7.0") and c.is_closed()
    server.why(reply, "harvest", "4 unknown", "unknown_recipients")
    with stopped_directory(server, source), \
            server.connect(source=source, timeout=5) as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        for name in ("alice", "nobody", "moved", "dead", "alice"):
            c.expect("RCPT TO:<%s@example.org>" % name, "450 4.7.1")
    # whoever must be reachable is
    with server.connect(source=source) as c:
        c.ehlo()
        c.envelope(["postmaster@example.org", "abuse@example.org",
                    "Postmaster"])
    assert server.all_files() == []


def test_prdr_with_verdicts_that_differ(house):
    """One is told 552 by name, with an id of his own; the other has it. What
    is wrong with the message itself is everybody's and has one reply."""
    server, message = house.get("plain"), new_message(size=30000)
    before = len(server.mail("alice")), len(server.mail("small"))
    with server.connect() as c:
        c.ehlo()
        c.envelope(["alice@example.org", "small@example.org"],
                   sender="prdr@elsewhere.example", params=" PRDR")
        c.expect("DATA", "354")
        c.send(wire(message))
        replies = c.replies(4)
        assert [r.code for r in replies] == [353, 250, 552, 250], replies
        assert replies[2].enhanced == "5.2.2"
        assert "<small@example.org>" in replies[2].text
        c.envelope(["alice@example.org", "small@example.org"],
                   params=" PRDR")
        assert c.data(new_message(fields=received(11))).says("554 5.4.6")
        c.expect("NOOP", "250")
    check_trail(server, Row("", "", "", "delivery", told=(
        "small@example.org",)), replies[2])
    assert (len(server.mail("alice")), len(server.mail("small"))) == \
        (before[0] + 1, before[1])
    assert server.tmp_files("small") == server.tmp_files("alice") == []


@pytest.mark.skipif(not os.path.exists(FAULT_BUILD + "/postern"),
                    reason="needs make FAULTS=1 BUILD=build-faults")
def test_a_trail_tells_of_its_own_session(make_server):
    """While its copies are undone, another session asks for something; what
    that was does not appear in the first one's account."""
    server = make_server(faults=True, users=USERS, checks="",
                         settings="\nprocesses {{ smtpd = 1 }}\n")
    with server.connect() as one, server.connect() as other:
        one.ehlo()
        other.ehlo()
        one.envelope("alice@example.org", sender="one@elsewhere.example")
        one.expect("DATA", "354")
        server.faults.set("maildir.write", "errno", errno.EIO)
        slot = server.faults.set("store.before-withdraw", "sleep", 1000)
        one.send(wire(new_message()))
        wait_until(lambda: server.faults.hits(slot) == 1, 5, "withdrawal")
        other.expect("NOOP of-another-session\0", "500")
        reply = one.reply()
    assert reply.says("451 4.3.0"), reply
    text = server.why(reply, "one@elsewhere.example")
    assert "of-another-session" not in text, text
    assert server.all_files() == []
