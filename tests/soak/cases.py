# SPDX-License-Identifier: ISC
"""What clients do: each case is one message (or one attack) that is sent until
somebody has had the last word. A case is a function (lab, rng) that enters
its message in lab.book and returns (mail, attempt); attempt() is one try: the
code of its last reply, or None when it broke off. CASES has their weights."""
import random
import smtplib
import ssl

from client import Client, Closed, wire

BROKEN = (OSError, Closed, smtplib.SMTPException, AssertionError, ValueError)
STRANGER = "bob@remote.example"


def body(rng):
    """Mostly small, sometimes large."""
    size = rng.choice([10, 200, 3000, 3000, 9000, 40000, 200000])
    return ("%078d\r\n" % rng.randrange(10 ** 9)) * (size // 80 + 1)


def envelope(client, sender, recipients, params=""):
    """The first code that is not 250, or 250."""
    code = client.command("MAIL FROM:<%s>%s" % (sender, params)).code
    for recipient in recipients:
        if code != 250:
            break
        code = client.command("RCPT TO:<%s>" % recipient).code
    return code


def by_data(client, sender, recipients, text, _):
    code = envelope(client, sender, recipients)
    if code == 250:
        code = client.command("DATA").code
    if code == 354:
        client.send(wire(text))
        code = client.reply().code
    return code


def by_bdat(client, sender, recipients, text, rng):
    code = envelope(client, sender, recipients)
    if code != 250:
        return code
    octets = text.encode()
    at = rng.randrange(len(octets))
    client.send(b"BDAT %d\r\n" % at + octets[:at] + b"BDAT %d LAST\r\n" %
                (len(octets) - at) + octets[at:])
    code = client.reply().code
    return client.reply().code if code == 250 else code


def pipelined(client, sender, recipients, text, _):
    client.send("".join(["MAIL FROM:<%s>\r\n" % sender] + [
        "RCPT TO:<%s>\r\n" % r for r in recipients] + ["DATA\r\n"]))
    codes = [r.code for r in client.replies(len(recipients) + 2)]
    if codes[-1] != 354:
        return next((c for c in codes if c != 250), None)
    good = [c == 250 for c in codes[:-1]]
    if not all(good):       # a part of it is not what we want
        client.reset()
        return 450
    client.send(wire(text))
    return client.reply().code


def by_prdr(client, sender, recipients, text, _):
    """All of them or another try: one of several is not enough here."""
    code = envelope(client, sender, recipients, " PRDR")
    if code != 250:
        return code
    code = client.command("DATA").code
    if code != 354:
        return code
    client.send(wire(text))
    code = client.reply().code
    if code != 353:
        return code
    codes = [client.reply().code for _ in range(len(recipients) + 1)]
    return None if len(set(codes)) > 1 else codes[0]


WAYS = [by_data, by_data, by_bdat, pipelined]


def from_outside(lab, mail, rng, to, way=None, sender=STRANGER, text=None):
    """attempt() for mail from another host."""
    text = text or mail.text(body(rng), to=to[0])
    way = way or rng.choice(WAYS)

    def attempt():
        try:
            with lab.server.connect(timeout=60) as client:
                client.ehlo()
                code = way(client, sender, to, text, rng)
                if code is not None:
                    client.command("QUIT")
                return code
        except BROKEN:
            return None
    return mail, attempt


# ---- into mailboxes here ----

def to_one(lab, rng):
    mail = lab.book.new("one")
    mail.boxes = {rng.choice(lab.users)}
    return from_outside(lab, mail, rng, [u + "@example.org"
                                         for u in mail.boxes])


def to_many(lab, rng):
    mail = lab.book.new("many")
    mail.boxes = set(rng.sample(lab.users, rng.randint(2, len(lab.users))))
    way = rng.choice(WAYS + [by_prdr])
    return from_outside(lab, mail, rng, [u + "@example.org"
                                         for u in sorted(mail.boxes)], way)


def to_alias(lab, rng):
    mail = lab.book.new("alias")
    mail.boxes = {"alice", "bob", "carol"}
    return from_outside(lab, mail, rng, ["team@example.org"])


def with_starttls(lab, rng):
    mail = lab.book.new("starttls")
    mail.boxes = {rng.choice(lab.users)}
    text = mail.text(body(rng))
    context = ssl._create_unverified_context()

    def attempt():
        try:
            with smtplib.SMTP("127.0.0.1", lab.server.port,
                              timeout=60) as client:
                client.ehlo("client.example")
                code = client.starttls(context=context)[0]
                if code != 220:
                    return code
                return by_smtplib(client, STRANGER, [
                    u + "@example.org" for u in mail.boxes], text)
        except BROKEN:
            return None
    return mail, attempt


def by_smtplib(client, sender, recipients, text):
    """As by_data."""
    client.ehlo("client.example")
    code = client.mail(sender)[0]
    for recipient in recipients:
        if code != 250:
            return code
        code = client.rcpt(recipient)[0]
    return client.data(text)[0] if code == 250 else code


def vanishing(lab, rng):
    """The first try, or more of them, is gone before it reads its reply."""
    mail = lab.book.new("vanishing")
    mail.boxes = set(rng.sample(lab.users, rng.randint(1, 2)))
    to = [u + "@example.org" for u in sorted(mail.boxes)]
    text = mail.text(body(rng))
    left = [rng.randint(1, 3)]
    _, attempt = from_outside(lab, mail, rng, to, by_data, text=text)

    def vanish():
        left[0] -= 1
        if left[0] < 0:
            return attempt()
        try:
            with lab.server.connect(timeout=60) as client:
                client.ehlo()
                if envelope(client, STRANGER, to) == 250 and \
                        client.command("DATA").code == 354:
                    octets = wire(text)
                    client.send(octets[:rng.choice(
                        [len(octets), len(octets), len(octets) // 2])])
                    lab.pause(rng.random() * 0.05)
                    if rng.random() < 0.7:
                        client.reset()
        except BROKEN:
            pass
        return None
    return mail, vanish


# ---- our own users' mail ----

def submitted(lab, mail, rng, to, sender="alice@example.org"):
    text = mail.text(body(rng), sender=sender, to=to[0])

    def attempt():
        try:
            with lab.server.submit() as client:
                client.login("alice@example.org", lab.password)
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
    mail.remote = {somebody(rng) for _ in range(rng.randint(1, 3))}
    return submitted(lab, mail, rng, sorted(mail.remote))


def submission_mixed(lab, rng):
    mail = lab.book.new("submission, mixed")
    mail.remote = {somebody(rng)}
    mail.boxes = {rng.choice(lab.users)}
    return submitted(lab, mail, rng, sorted(mail.remote) + [
        u + "@example.org" for u in mail.boxes])


def submission_fails(lab, rng):
    """The next host refuses it: its sender is told at home."""
    mail = lab.book.new("submission, refused there")
    mail.fails = {somebody(rng, "refused")}
    return submitted(lab, mail, rng, sorted(mail.fails))


def to_list(lab, rng):
    """A list with a member elsewhere."""
    mail = lab.book.new("list")
    mail.boxes, mail.remote = {"bob"}, {"friend@elsewhere.example"}
    return submitted(lab, mail, rng, ["friends@example.org"])


# ---- bounces ----

def bounce_tagged(lab, rng):
    """Of mail that has left: its tag is proof."""
    mail = lab.book.new("bounce")
    sender = lab.sink.a_sender(rng)
    if sender is None:
        return None
    mail.boxes = {"alice"}
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


# ---- what must not get in ----

def hostile_recipient(lab, rng):
    mail = lab.book.new("unknown recipient")
    mail.may_pass = False
    return from_outside(lab, mail, rng, [rng.choice([
        "nobody%d@example.org" % rng.randrange(1000),
        "victim@elsewhere.example", "alice%victim.example@example.org",
        "@example.org:victim@elsewhere.example"])], by_data)


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

    def way(client, sender, recipients, _, __):
        code = envelope(client, sender, recipients)
        if code == 250:
            code = client.command("DATA").code
        if code == 354:
            client.send(wicked.encode() + b"\r\n.\r\n")
            code = client.reply().code
        return code
    return from_outside(lab, mail, rng, ["alice@example.org"], way,
                        text="x")


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


# ---- through us ----

def forwarded(lab, rng):
    """A domain that we front: the next hop's answer is ours."""
    mail = lab.book.new("next hop")
    mail.remote = {"%s@fronted.example" % rng.choice(["x", "y", "z"])
                   for _ in range(rng.randint(1, 2))}
    return from_outside(lab, mail, rng, sorted(mail.remote),
                        rng.choice([by_data, by_bdat]))


def forwarded_alias(lab, rng):
    """An address that leads elsewhere, and a mailbox here beside it."""
    mail = lab.book.new("forward")
    mail.remote = {"away@moved.elsewhere.example"}
    mail.boxes = set(rng.sample(lab.users, rng.randint(0, 1)))
    return from_outside(lab, mail, rng, ["away@example.org"] + [
        u + "@example.org" for u in sorted(mail.boxes)],
        rng.choice([by_data, by_bdat]))


CASES = [
    (6, to_one), (4, to_many), (2, to_alias), (1, with_starttls),
    (4, vanishing), (4, submission), (2, submission_mixed),
    (1, submission_fails), (1, to_list), (2, bounce_tagged),
    (1, bounce_forged), (1, hostile_recipient), (1, hostile_octets),
    (1, hostile_noise), (3, forwarded), (2, forwarded_alias),
]
