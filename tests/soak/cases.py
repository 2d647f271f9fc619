# SPDX-License-Identifier: ISC
"""What clients do: each case is one message (or one attack) that is sent until
somebody has had the last word. A case is a function (lab, rng) that enters
its message in lab.book and returns (mail, attempt); attempt() is one try: the
code of its last reply, or None when it broke off. CASES has their weights;
those of cases_each.py are beside them."""
import random
import smtplib

from cases_each import EACH
from client import Client
from model import boxes, home, hosts, junk, runs
from ways import BROKEN, CONTEXT, PEER, Way, is_last

STRANGER = "bob@remote.example"


def body(rng):
    """Mostly small, sometimes large."""
    size = rng.choice([10, 200, 3000, 3000, 9000, 40000, 200000])
    return ("%078d\r\n" % rng.randrange(10 ** 9)) * (size // 80 + 1)


def here(users):
    """Their addresses."""
    return [user + "@example.org" for user in sorted(users)]


def some(lab, rng, least, most):
    """So many users."""
    return rng.sample(lab.users, rng.randint(least, most))


def from_outside(lab, mail, rng, to, sender=STRANGER, text=None, way=None):
    """attempt() for mail from another host; its word is that of whom it went
    worst, which is 250 where it should not be."""
    text = text or mail.text(body(rng), to=to[0])
    way = way or Way(rng, is_prdr=rng.random() < 0.2)
    said = {recipient: [] for recipient in to}

    def attempt():
        told = way.deliver(lab, sender, to, text, said)
        if not all(map(is_last, said.values())):
            return None if None in told.values() else 451
        codes = [codes[-1] for codes in said.values()]
        return max(codes) if mail.may_pass else min(codes)
    return mail, attempt


# ---- into mailboxes here ----

def to_some(lab, rng):
    mail = lab.book.new("mailboxes")
    users = some(lab, rng, 1, rng.choice([1, len(lab.users)]))
    mail.targets = boxes(*users)
    return from_outside(lab, mail, rng, here(users))


def to_alias(lab, rng):
    mail = lab.book.new("alias")
    mail.targets = boxes("alice", "bob", "carol")
    return from_outside(lab, mail, rng, ["team@example.org"])


# ---- our own users' mail ----

def by_smtplib(client, sender, recipients, text):
    """The first code that is not 250, or the last one."""
    client.ehlo("client.example")
    code = client.mail(sender)[0]
    for recipient in recipients:
        if code != 250:
            return code
        code = client.rcpt(recipient)[0]
    return client.data(text)[0] if code == 250 else code


def log_in(lab, rng):
    """At the port of TLS, or at that of STARTTLS."""
    if rng.random() < 0.5:
        client = lab.server.submit()
    else:
        client = smtplib.SMTP("127.0.0.1", lab.server.starttls_port,
                              timeout=30)
        client.ehlo("client.example")
        client.starttls(context=CONTEXT)
        client.ehlo("client.example")
    client.login("alice@example.org", lab.password)
    return client


def submitted(lab, mail, rng, to, sender="alice@example.org"):
    text = mail.text(body(rng), sender=sender, to=to[0])

    def attempt():
        try:
            with log_in(lab, rng) as client:
                return by_smtplib(client, sender, to, text)
        except smtplib.SMTPResponseException as error:
            # no login is no refusal of the message
            return error.smtp_code if error.smtp_code < 500 else None
        except BROKEN:
            return None
    return mail, attempt


def somebody(rng, name="to"):
    return "%s%d@d%d.elsewhere.example" % (name, rng.randrange(100),
                                           rng.randrange(5))


def submission(lab, rng):
    mail = lab.book.new("submission")
    to = {somebody(rng) for _ in range(rng.randint(1, 3))}
    to |= {"%s@%s.example" % (rng.choice("xyz"), rng.choice(
        ["fronted", "lmtp", "unix"])) for _ in range(rng.randint(0, 1))}
    mail.targets = hosts(*to)
    return submitted(lab, mail, rng, sorted(to))


def submission_mixed(lab, rng):
    mail = lab.book.new("submission, mixed")
    there, users = somebody(rng), some(lab, rng, 1, 1)
    mail.targets = {**hosts(there), **boxes(*users)}
    return submitted(lab, mail, rng, [there] + here(users))


def submission_run(lab, rng):
    """A program here is the last participant, too."""
    mail = lab.book.new("submission, program")
    there = {somebody(rng) for _ in range(rng.randint(0, 1))}
    mail.targets = {**hosts(*there), **runs("helpdesk"), **boxes("dave")}
    return submitted(lab, mail, rng, ["helpdesk@example.org"] + sorted(there))


def submission_fails(lab, rng):
    """The next host refuses it: its sender is told at home."""
    mail = lab.book.new("submission, refused there")
    there = somebody(rng, "refused")
    mail.targets = home(there)
    return submitted(lab, mail, rng, [there])


def submission_list(lab, rng):
    """A list with a member elsewhere."""
    mail = lab.book.new("submission, list")
    mail.targets = {**boxes("bob"), **hosts("friend@elsewhere.example")}
    return submitted(lab, mail, rng, ["friends@example.org"])


# ---- bounces ----

def bounce_tagged(lab, rng):
    """Of mail that has left: its tag is proof."""
    sender = lab.taken.a_sender("tagged", rng)
    if sender is None:
        return None
    mail = lab.book.new("bounce")
    mail.targets = boxes("alice")
    return from_outside(lab, mail, rng, [sender], sender="")


def bounce_forged(lab, rng):
    mail = lab.book.new("bounce, forged")
    mail.may_pass = False
    text = mail.text("This is the mail system.\r\n\r\n--- Below this line is "
                     "a copy of the message.\r\n\r\nMessage-ID: <%d@x.example>"
                     "\r\nTo: victim@elsewhere.example\r\n\r\nspam\r\n" %
                     rng.randrange(10 ** 9), sender="MAILER-DAEMON@x.example")
    text = text.replace("Subject: bounce, forged",
                        "Subject: Undelivered Mail Returned to Sender")
    return from_outside(lab, mail, rng, ["alice@example.org"], sender="",
                        text=text)


def bounce_of_forward(lab, rng):
    """To the address that a forward has left with: it goes on to the
    sender, if SPF had vouched for him, which a dead resolver does not."""
    sender = lab.taken.a_sender("forward", rng)
    if sender is None:
        return None
    mail = lab.book.new("bounce of a forward")
    mail.targets, mail.may_refuse = hosts(STRANGER), True
    return from_outside(lab, mail, rng, [sender], sender="")


def bounce_of_forward_forged(lab, rng):
    """Another sender in it, another MAC, or no bounce at all."""
    sender = lab.taken.a_sender("forward", rng)
    if sender is None:
        return None
    mail = lab.book.new("bounce of a forward, forged")
    mail.may_pass = False
    letter = "B" if sender[5] == "A" else "A"
    to, path = rng.choice([
        (sender.replace("=bob@", "=victim@"), ""),
        (sender[:5] + letter + sender[6:], ""),
        (sender.replace("remote.example", "elsewhere.example"), ""),
        ("SRS1=AAAAAAAA=elsewhere.example==x=y=z=victim@example.org", ""),
        (sender, "spammer@remote.example")])
    return from_outside(lab, mail, rng, [to], sender=path)


# ---- what must not get in ----

def hostile_recipient(lab, rng):
    mail = lab.book.new("unknown recipient")
    mail.may_pass = False
    return from_outside(lab, mail, rng, [rng.choice([
        "nobody%d@example.org" % rng.randrange(1000),
        "victim@elsewhere.example", "alice%victim.example@example.org",
        "@example.org:victim@elsewhere.example"])])


def hostile_octets(lab, rng):
    """Smuggling, bare ends of lines, NUL, lines without end."""
    mail = lab.book.new("hostile")
    mail.may_pass = False
    text = mail.text()
    smuggled = "MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\n" \
        "DATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    wicked = rng.choice([
        text + "\n.\n" + smuggled, text + "\r.\r" + smuggled,
        text + "\n.\r\n" + smuggled, text + "a\nb\r\n", text + "a\rb\r\n",
        text + "a\0b\r\n", text + "x" * 70000 + "\r\n"])
    way = Way(rng)

    def data(client, _, reply=None):
        reply = reply or client.command("DATA")
        if reply.code == 354:
            client.send(wicked.encode() + b"\r\n.\r\n")
            reply = client.reply()
        return reply
    way.data, way.is_bdat = data, False
    return from_outside(lab, mail, rng, ["alice@example.org"], way=way)


def hostile_noise(lab, rng):
    mail = lab.book.new("noise")
    mail.may_pass = False

    def attempt():
        noise = random.Random(rng.random())
        try:
            with Client(("127.0.0.1", lab.server.port), timeout=60) as client:
                for _ in range(noise.randrange(1, 20)):
                    client.send(noise.choice([
                        noise.randbytes(noise.randrange(1, 600)),
                        b"EHLO x\r\n", b"MAIL FROM:<a@b.example>\r\n",
                        b"RCPT TO:<alice@example.org>\r\n", b"RSET\r\n",
                        b"BDAT 99999999999999999999 LAST\r\n",
                        b"AUTH PLAIN AAAA\r\n", b"\r\n" * 50]))
        except BROKEN:
            pass
        return 599      # nobody waits for the last word on noise
    return mail, attempt


# ---- through a host in front of us ----

WICKED = "MIME-Version: 1.0\r\nContent-Type: application/octet-stream; " \
    'name="invoice.exe"\r\n'


def wicked_from_peer(lab, rng):
    """What a stranger is refused goes into .Junk."""
    mail = lab.book.new("relay_peer, refused content")
    users = some(lab, rng, 1, len(lab.users))
    mail.targets = junk(*users)
    return from_outside(lab, mail, rng, here(users), text=mail.text(
        body(rng), fields=WICKED), way=Way(rng, source=PEER))


def good_from_peer(lab, rng):
    mail = lab.book.new("relay_peer")
    users = some(lab, rng, 1, len(lab.users))
    mail.targets = boxes(*users)
    return from_outside(lab, mail, rng, here(users),
                        way=Way(rng, source=PEER))


def refused_of_peer(lab, rng):
    """Where there is no .Junk, and whoever is unknown."""
    mail = lab.book.new("relay_peer, refused")
    mail.may_pass = False
    to = rng.choice(["x@fronted.example", "robot@example.org",
                     "away@example.org", "pair@example.org",
                     "friends@example.org", "nobody@example.org"])
    return from_outside(lab, mail, rng, [to], text=mail.text(
        body(rng), fields=WICKED), way=Way(rng, source=PEER))


def wicked_from_stranger(lab, rng):
    mail = lab.book.new("refused content")
    mail.may_pass = False
    to = rng.choice([here(some(lab, rng, 1, len(lab.users))),
                     ["x@lmtp.example"], ["robot@example.org"],
                     ["friends@example.org"]])
    return from_outside(lab, mail, rng, to, text=mail.text(
        body(rng), fields=WICKED))


# ---- through us ----

def forwarded(lab, rng):
    """A domain that we front: the next hop's answer is ours."""
    mail = lab.book.new("next hop")
    to = {"%s@fronted.example" % rng.choice("xyz")
          for _ in range(rng.randint(1, 2))}
    mail.targets = hosts(*to)
    return from_outside(lab, mail, rng, sorted(to))


def forwarded_refused(lab, rng):
    """At RCPT, or after the dot."""
    mail = lab.book.new("next hop, refused")
    mail.may_pass = False
    return from_outside(lab, mail, rng, ["%s@%s.example" % (
        rng.choice(["refused", "late-refused"]),
        rng.choice(["fronted", "lmtp", "unix"]))])


def forwarded_alias(lab, rng):
    """An address that leads elsewhere, and a mailbox here beside it."""
    mail = lab.book.new("forward")
    users = some(lab, rng, 0, 1)
    mail.targets = {**hosts("away@moved.elsewhere.example"), **boxes(*users)}
    return from_outside(lab, mail, rng, ["away@example.org"] + here(users))


CASES = [
    (8, to_some), (2, to_alias), (3, submission), (2, submission_mixed),
    (1, submission_run), (1, submission_fails), (1, submission_list),
    (2, bounce_tagged), (1, bounce_forged), (2, bounce_of_forward),
    (1, bounce_of_forward_forged), (1, hostile_recipient),
    (1, hostile_octets), (1, hostile_noise), (2, wicked_from_peer),
    (1, good_from_peer), (1, refused_of_peer), (1, wicked_from_stranger),
    (3, forwarded), (1, forwarded_refused), (3, forwarded_alias),
] + EACH
