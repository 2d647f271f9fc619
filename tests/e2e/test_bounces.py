# SPDX-License-Identifier: ISC
"""Bounces of our own users' mail: those that come back with the tag with which
it left, and all the others (DESIGN 8)."""
import base64
import errno
import hashlib
import hmac
import os
import re
import threading
import time

import pytest

from client import Closed, new_message, wire
from postern import IS_ROOT, wait_until
from relay_lab import Sink
from test_auth import ALICE, PASSWORD
from test_outbound import REMOTE, Outbound
from test_relay_peers import Exim, Postfix


class Bounces(Outbound):
    """A server whose mail leaves for a sink."""

    def __init__(self, sink, **options):
        super().__init__(sink, **options)
        self.sink = sink

    def sent(self, recipient=REMOTE, sender=ALICE, named="Message-ID: %s",
             **options):
        """A message that has left, as the sink has got it; named: how its
        Message-ID is written."""
        n = len(self.sink.messages)
        text, name = self.text(sender=sender, recipient=recipient, **options)
        text = text.replace("Message-ID: " + name, named % name)
        assert not self.send([recipient], text, sender=sender)
        wait_until(lambda: len(self.sink.messages) > n, 20, "arrival")
        self.wait_sent()
        return self.sink.messages[-1]

    def secret(self, name):
        """Number, day and key of a line of the secrets."""
        with open(self.folder + "/state/secrets", encoding="ascii") as f:
            for line in f:
                words = line.split()
                if words[0] == name:
                    return [int(w) for w in words[1:-1]] + [
                        bytes.fromhex(words[-1])]
        raise AssertionError("no " + name)

    def tag(self, address, days, generation=None):
        """A tag that is good for so many days yet."""
        number, _, key = self.secret("batv")
        number = number if generation is None else generation
        kddd = "%u%03u" % (number, (int(time.time()) // 86400 + days) % 1000)
        mac = hmac.new(key, (kddd + address.lower()).encode(),
                       hashlib.sha256).hexdigest()[:6]
        return "prvs=%s%s=%s" % (kddd, mac, address)

    def trace(self, sender, days):
        """An id as our Received fields have it, of so many days ago."""
        [key] = self.secret("trace")
        text = "k3f9q2m7t-1-%d" % (int(time.time()) // 86400 - days)
        mac = hmac.new(key, ("%s\n%s" % (text, sender)).encode(),
                       hashlib.sha256).digest()
        return text + "-" + base64.b32encode(mac)[:10].decode().lower()

    def bounce(self, to, text, sender=""):
        """The reply to the end of a message from outside."""
        return self.deliver(to, text.replace("\n", "\r\n"), sender=sender)


def sender_of(message):
    """The reverse-path with which it came to the sink."""
    return re.match(r"FROM:<([^>]+)>", message.sender).group(1)


@pytest.fixture(name="server", scope="module")
def fixture_server():
    """One for those that leave it as it was."""
    sink = Sink()
    with Bounces(sink, more='batv {{ exempt = {{ "remote.example" }} }}\n') \
            as server:
        yield server
        assert not server.problems()
    sink.close()


VACATION = """From: bob@remote.example
To: alice@example.org
Subject: away
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <%s@remote.example>

I am away.
"""


# ---- tags at RCPT ----

def test_the_tag_of_our_own_mail_brings_its_bounce_home(server):
    tagged = sender_of(server.sent("bob@tags.example"))
    assert re.match(r"prvs=\d{4}[0-9a-f]{6}=alice@example\.org$", tagged)
    for n, to in enumerate((tagged, tagged.upper())):
        reply = server.bounce(to, VACATION % ("tag%d" % n))
        assert reply.says("250"), reply
        [mail] = [m for m in server.mail("alice")
                  if "<tag%d@" % n in (m.get("Message-ID") or "")]
        assert mail.get("Delivered-To").lower() == ALICE
        assert "prvs" not in "".join(mail.get_all("Received")).lower()


def test_whatever_the_reverse_path(server):
    tagged = sender_of(server.sent("bob@tags.example"))
    assert server.bounce(tagged, VACATION % "answer",
                         sender="bob@remote.example").says("250")


@pytest.mark.parametrize("sender", ["", "bob@remote.example"])
def test_tags_that_are_not_good(server, sender):
    good = server.tag(ALICE, 3)
    assert server.rcpt(good, sender=sender).says("250")
    wrong = good[:9] + "%06x" % (int(good[9:15], 16) ^ 1) + good[15:]
    others = good.replace("alice", "carol")
    for address in (server.tag(ALICE, -1), server.tag(ALICE, -400),
                    server.tag(ALICE, 13), wrong, others):
        reply = server.rcpt(address, sender=sender)
        assert reply.says("550 5.7.1"), (address, reply)
        server.why(reply, "bounce", address)


def test_tags_of_others_are_names(server):
    number = server.secret("batv")[0]
    for address in (server.tag(ALICE, 3, (number + 5) % 10),
                    "btv1==9999aaaaaa==" + ALICE, "prvs=x=" + ALICE):
        assert server.rcpt(address, sender="").says("550 5.1.1")


def test_callback_probes_are_told_the_truth(server):
    assert server.rcpt(ALICE, sender="").says("250")
    assert server.rcpt("nobody@example.org", sender="").says("550 5.1.1")


def test_one_recipient_without_a_reverse_path(server):
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<>", "250")
        client.expect("RCPT TO:<%s>" % server.tag(ALICE, 3), "250")
        client.expect("RCPT TO:<carol@example.org>", "452 4.5.3")
        client.expect("RCPT TO:<alice@example.org>", "250")
        client.quit()


def test_vault_is_away():
    sink = Sink()
    with Bounces(sink) as server:
        good = server.tag(ALICE, 3)
        [vault] = server.children("vault")
        os.kill(vault, 19)
        try:
            assert server.rcpt(good, sender="").says("451 4.3.0")
            assert server.rcpt(ALICE, sender="").says("250")
        finally:
            os.kill(vault, 18)
        wait_until(lambda: server.rcpt(good, sender="").says("250"), 30,
                   "vault")
    sink.close()


def test_refuse_takes_no_bounce_without_a_tag():
    sink = Sink()
    with Bounces(sink, checks="untagged_bounces = refuse") as server:
        assert server.rcpt(ALICE, sender="").says("550 5.7.1")
        assert server.rcpt("nobody@example.org", sender="").says("550 5.1.1")
        assert server.rcpt("postmaster@example.org", sender="").says("250")
        assert server.rcpt(server.tag(ALICE, 0), sender="").says("250")
        assert server.rcpt(ALICE).says("250")
    sink.close()


# ---- proofs at DATA ----

DSN = """From: MAILER-DAEMON@remote.example
To: alice@example.org
Subject: Undelivered Mail Returned to Sender
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <%(serial)s@remote.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.remote.example

Final-Recipient: rfc822; %(recipient)s
Action: %(action)s
Status: 5.1.1

--b
Content-Type: %(type)s

%(header)s

--b--
"""
QMAIL = """From: MAILER-DAEMON@remote.example
To: alice@example.org
Subject: failure notice
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <%(serial)s@remote.example>

Hi. This is the qmail-send program at remote.example.
I'm afraid I wasn't able to deliver your message.

<%(recipient)s>:
No such person.

--- Below this line is a copy of the message.

%(header)s

Hello.
"""
ID_LINE = re.compile(r"(?mi)^Message-ID: .*\n")
RECEIVED = re.compile(r"(?m)^Received: (.*\n)([ \t].*\n)*")


class Original:
    """A message of ours that has left, without a tag."""

    serial = 0

    def __init__(self, server, recipient=REMOTE, **options):
        message = server.sent(recipient, **options)
        assert sender_of(message) == options.get("sender", ALICE)
        text = message.text.decode().replace("\r\n", "\n")
        self.header = text.split("\n\n")[0] + "\n"
        self.recipient = recipient
        self.trace = re.search(r"id (\S+-\S+-\S+-\S{10})\n",
                               self.header).group(1)

    def bounce(self, form=DSN, **changes):
        """Returned by another mail system."""
        Original.serial += 1
        words = dict(serial="bounce%d" % Original.serial, action="failed",
                     type="text/rfc822-headers", recipient=self.recipient,
                     header=self.header)
        words.update(changes)
        return form % words


def arrived(server, text, user="alice"):
    """Whether it is in the mailbox."""
    name = re.search("<bounce[0-9]+@remote.example>", text).group()
    return name in [m.get("Message-ID") for m in server.mail(user)]


def refused(server, text, to=ALICE, sender=""):
    """It is, with a trail that says why; what it says."""
    reply = server.bounce(to, text, sender=sender)
    assert reply.says("550 5.7.1"), reply
    assert not arrived(server, text, to.split("@")[0])
    return server.why(reply, "bounce")


def taken(server, text, sender=""):
    """It is in the mailbox."""
    reply = server.bounce(ALICE, text, sender=sender)
    assert reply.says("250"), reply
    assert arrived(server, text)


FORMS = {
    "headers": dict(),
    "message": dict(type="message/rfc822"),
    "qmail": dict(form=QMAIL),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_we_have_sent_comes_back_once(server, name):
    original = Original(server)
    taken(server, original.bounce(**FORMS[name]))
    assert "before" in refused(server, original.bounce(**FORMS[name]))


@pytest.mark.parametrize("name", FORMS)
def test_message_and_recipient_are_enough(server, name):
    original = Original(server)
    original.header = RECEIVED.sub("", original.header)
    taken(server, original.bounce(**FORMS[name]))
    # and once more with our trace, which is of the same message
    assert "before" in refused(server, original.bounce())


@pytest.mark.parametrize("named", [
    "Message-ID:\r\n %s", "Message-ID: \r\n\t%s\r\n (of a program)",
    "message-id: (as it was <1@x>) %s (or so)"])
def test_however_the_message_id_is_written(server, named):
    original = Original(server, named=named)
    original.header = RECEIVED.sub("", original.header)
    assert "<" in original.header and named[:11] in original.header
    taken(server, original.bounce())
    refused(server, original.bounce(form=QMAIL))


@pytest.mark.parametrize("name", FORMS)
def test_our_trace_is_enough(server, name):
    original = Original(server)
    original.header = ID_LINE.sub("", original.header)
    # it was forwarded to somebody whom we do not know
    other = dict(FORMS[name], recipient="other@else.example")
    taken(server, original.bounce(**other))
    refused(server, original.bounce(**other))


def test_late_is_not_failed(server):
    original = Original(server)
    for action in ("delayed", "delayed", "failed"):
        taken(server, original.bounce(action=action))
    refused(server, original.bounce())


def test_a_bounce_with_a_reverse_path(server):
    original = Original(server)
    sender = "mailer-daemon@remote.example"
    stranger = original.bounce(header="Message-ID: <1@x>\nFrom: a@b\n")
    refused(server, stranger, sender=sender)
    taken(server, original.bounce(), sender=sender)
    refused(server, original.bounce(form=QMAIL), sender=sender)


def explained(server, text):
    """(exit status, text): what the checks would say of it."""
    server.write("bounce.eml", text)
    return server.ctl("explain", "--ip", "127.0.0.1", "--helo", "mx.remote."
                      "example", "--from", "", "--to", ALICE, "--file",
                      server.folder + "/bounce.eml", check=False)


def test_explained(server):
    """Without mail, and nothing is spent by it: pair, trace, neither."""
    original = Original(server)
    for header in (original.header, ID_LINE.sub("", original.header)):
        text = original.bounce(header=header)
        for _ in range(2):
            status, said = explained(server, text)
            assert status == 0 and "returns mail of ours" in said, said
    forged = original.bounce(header=ID_LINE.sub(
        "", original.header).replace(original.trace, "x" + original.trace[1:]))
    status, said = explained(server, forged)
    assert status == 1 and "nothing of ours" in said, said
    taken(server, original.bounce())
    status, said = explained(server, original.bounce())
    assert status == 1 and "before" in said, said


def test_forged(server):
    original = Original(server)
    # somebody else's message, or one that we did not send
    bare = RECEIVED.sub("", original.header)
    why = refused(server, original.bounce(header=bare.replace(
        "Message-ID: <", "Message-ID: <x")))
    assert "nothing of ours" in why and "<x" in why, why
    # a recipient to whom it did not go
    refused(server, original.bounce(
        recipient="other@else.example",
        header=bare.replace(REMOTE, "other@else.example")))
    # nothing returned at all
    refused(server, original.bounce(header=""))
    # a trace with another MAC, number, day
    head = ID_LINE.sub("", original.header)
    session, number, day, mac = original.trace.split("-")
    for trace in ((session, number, day, "a" * 10),
                  (session, number + "1", day, mac),
                  (session, number, str(int(day) - 1), mac)):
        refused(server, original.bounce(
            recipient="other@else.example",
            header=head.replace(original.trace, "-".join(trace))))
    taken(server, original.bounce())


def test_expired(server):
    header = "Received: from x by mx.example.org id %s; now\nSubject: x\n"
    original = Original(server)
    for days, verdict in ((40, refused), (20, taken)):
        verdict(server, original.bounce(
            recipient="other@else.example",
            header=header % server.trace(ALICE, days)))


def test_borrowed(server):
    """What alice has sent proves nothing to carol."""
    original = Original(server)
    for changes in (dict(), dict(header=RECEIVED.sub("", original.header)),
                    dict(header=ID_LINE.sub("", original.header))):
        refused(server, original.bounce(**changes), "carol@example.org")
    taken(server, original.bounce())


def test_what_was_not_delivered_may_come_again():
    """Another check refuses it: its proof is not spent."""
    sink = Sink()
    with Bounces(sink, checks="content = refuse",
                 limits="mime_parts = 10", more='batv {{ exempt = '
                 '{{ "remote.example" }} }}\n') as server:
        original = Original(server)
        text = original.bounce().replace(
            "--b--\n", "--b\n\nmore\n" * 10 + "--b--\n")
        reply = server.bounce(ALICE, text)
        assert reply.code == 554 and not arrived(server, text), reply
        server.why(reply, "content")
        assert reply.enhanced != "5.7.1", reply
        taken(server, original.bounce())
        refused(server, original.bounce())
    sink.close()


def test_many_at_a_time_are_believed_once(server):
    """The same bounce in ten sessions."""
    original = Original(server)
    text = original.bounce()
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(
        server.bounce(ALICE, text))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # a retry whose 250 is not confirmed yet is told 250, and brings no copy
    codes = sorted(r.code for r in replies)
    assert 250 in codes and set(codes) <= {250, 451, 550}, replies
    name = re.search("<bounce[0-9]+@remote.example>", text).group()
    assert [m.get("Message-ID") for m in
            server.mail("alice")].count(name) == 1


def test_mallory_borrows_a_message_id(server):
    """A user of ours who writes another's Message-ID into his own mail has
    neither his bounces nor takes them away."""
    original = Original(server)
    name = re.search("(?mi)^Message-ID: (.*)$", original.header).group(1)
    carol = original.bounce(header=RECEIVED.sub("", original.header).replace(
        "alice@", "carol@"))
    text = "From: carol@example.org\r\nTo: %s\r\nMessage-ID: %s\r\n" \
        "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nHello.\r\n" % (
            REMOTE, name)
    n = len(server.sink.messages)
    with server.submit() as client:
        client.login("carol@example.org", PASSWORD)
        assert not client.sendmail("carol@example.org", [REMOTE], text)
    wait_until(lambda: len(server.sink.messages) > n, 20, "arrival")
    server.wait_sent()
    original.header = RECEIVED.sub("", original.header)
    taken(server, original.bounce())
    refused(server, original.bounce())
    reply = server.bounce("carol@example.org", carol)
    assert reply.says("250"), reply
    refused(server, original.bounce(), "carol@example.org")


def test_a_full_disk_forgets_nothing():
    """Its proof cannot be written, and there is no record that would answer a
    retry: it is believed once all the same."""
    sink = Sink()
    with Bounces(sink, faults=True,
                 settings="\nprocesses {{ smtpd = 1  directory = 1 }}\n",
                 more='batv {{ exempt = {{ "remote.example" }} }}\n') as server:
        original = Original(server)
        text = ID_LINE.sub("", original.bounce(form=QMAIL), count=1)
        assert original.header in text
        index = server.faults.set("kv.commit", "errno", errno.ENOSPC, count=0,
                                  role="store")
        assert server.bounce(ALICE, text).says("250")
        assert server.faults.hits(index) > 0
        for _ in range(2):
            reply = server.bounce(ALICE, text)
            assert reply.says("550 5.7.1"), reply
            assert "before" in server.ctl("why", reply.id)
        server.faults.clear()
        time.sleep(2.5)                 # it is written each second
        server.may_crash = True
        [store] = server.children("store")
        os.kill(store, 9)
        server.wait_event("compartment_died")
        wait_until(lambda: server.bounce(ALICE, text).says("550 5.7.1"), 30,
                   "store, and what it knew")
        assert len(server.mail("alice")) == 1
    sink.close()


def test_a_killed_store_knows_what_was_believed():
    sink = Sink()
    with Bounces(sink, more='batv {{ exempt = {{ "remote.example" }} }}\n') \
            as server:
        original = Original(server)
        taken(server, original.bounce())
        time.sleep(0.5)
        [store] = server.children("store")
        os.kill(store, 9)
        server.wait_event("compartment_died")
        wait_until(lambda: server.bounce(ALICE, original.bounce()).says(
            "550 5.7.1"), 30, "store, and what it knew")
    sink.close()


def lose(server, text, to=ALICE, sender=""):
    """Sent by a client that is gone before it could read the reply."""
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<%s>" % sender, "250")
        client.expect("RCPT TO:<%s>" % to, "250")
        client.expect("DATA", "354")
        client.send(wire(text))
        reply = client.reply()
        client.reset()
    return reply


@pytest.mark.parametrize("sender", ["", "mailer-daemon@remote.example"])
def test_a_lost_250(server, sender):
    """The same report once more is its retry: 250, and no second copy."""
    original = Original(server)
    text = original.bounce()
    name = re.search("<bounce[0-9]+@remote.example>", text).group()

    def copies():
        return [m.get("Message-ID") for m in
                server.mail("alice")].count(name)

    assert lose(server, text, sender=sender).says("250")
    assert copies() == 1
    wait_until(lambda: server.bounce(ALICE, original.bounce(),
                                     sender=sender).says("550 5.7.1"),
               5, "another report of it is not let in")
    replies = [server.bounce(ALICE, text, sender=sender)]
    while replies[-1].code == 451 and len(replies) < 10:
        time.sleep(0.5)         # a machine that is too busy
        replies.append(server.bounce(ALICE, text, sender=sender))
    assert replies[-1].says("250") and copies() == 1, replies
    # what comes after QUIT has confirmed it is a replay; store hears of the
    # QUIT when it can, and until then one more attempt is one more retry
    wait_until(lambda: replies.append(
        server.bounce(ALICE, text, sender=sender)) or
        replies[-1].says("550 5.7.1"), 15, lambda: "refusal: %r" % replies)
    assert {r.code for r in replies} <= {250, 451, 550}, replies
    server.why(replies[-1], "bounce", "before")
    assert copies() == 1


def test_a_lost_250_of_a_program():
    """The same where the bounce went to a program: it has it once."""
    tickets = "tickets@example.org"
    sink = Sink()
    server = Bounces(sink, more='batv {{ exempt = {{ "remote.example" }} }}\n'
                     'sender "%s" {{ may = {{ "%s" }} }}\n' % (ALICE, tickets))
    out = os.path.join(server.folder, "out")
    os.mkdir(out)
    os.chmod(out, 0o777)
    with open(server.folder + "/aliases", "a", encoding="ascii") as f:
        f.write('tickets: "|cat >> %s/mail"\n' % out)
    with server:
        text = Original(server, sender=tickets).bounce()
        assert lose(server, text, to=tickets).says("250")

        def answer():
            replies.append(server.bounce(tickets, text))
            return replies[-1].code != 451
        replies = []
        wait_until(answer, 20, "an answer")
        assert replies[-1].says("250"), replies
        with open(out + "/mail", encoding="ascii") as f:
            assert f.read().count("Return-Path:") == 1
    sink.close()


FAULTY = [("store", "store.before-proof"), ("store", "store.before-commit"),
          ("store", "store.after-commit"), ("smtpd", "smtpd.before-deliver"),
          ("smtpd", "smtpd.after-commit"), ("smtpd", "smtpd.after-take"),
          ("smtpd", "smtpd.before-reply"), ("deliver", "deliver.before-deliver")]


@pytest.fixture(name="faulty", scope="module")
def fixture_faulty():
    """Its compartments die; it lives on."""
    sink = Sink()
    with Bounces(sink, faults=True,
                 settings="\nprocesses {{ smtpd = 1  directory = 1 }}\n",
                 more='batv {{ exempt = {{ "remote.example" }} }}\n') as server:
        server.may_crash = True
        yield server
    sink.close()


@pytest.mark.parametrize("role, point", FAULTY)
def test_killed_while_a_proof_is_spent(faulty, role, point):
    """Nothing is lost, and nothing believed twice."""
    original = Original(faulty)
    text = original.bounce()
    name = re.search("<bounce[0-9]+@remote.example>", text).group()
    index = faulty.faults.set(point, "kill", role=role)
    codes = []

    def attempt():
        try:
            codes.append(faulty.bounce(ALICE, text).code)
        except (OSError, AssertionError, Closed):
            codes.append(None)
        return codes[-1] == 250

    attempt()
    has_died = faulty.faults.hits(index) > 0
    faulty.faults.clear()
    assert has_died, codes
    wait_until(lambda: codes[-1] == 250 or attempt(), 40, str(codes))
    assert set(codes) <= {None, 250, 451}, codes
    assert [m.get("Message-ID") for m in faulty.mail("alice")].count(
        name) == 1
    wait_until(lambda: faulty.bounce(ALICE, original.bounce()).code != 451,
               20, "an answer")
    other = original.bounce()
    assert faulty.bounce(ALICE, other).says("550 5.7.1")
    assert not arrived(faulty, other)


OTHERS = {
    "vacation": VACATION % "bounce0",
    "dmarc": """From: noreply-dmarc@remote.example
Subject: Report Domain: example.org Submitter: remote.example Report-ID: <1>
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce1000@remote.example>
Content-Type: application/gzip

H4sI
""",
    "receipt": """From: bob@remote.example
Subject: Read: hello
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce1001@remote.example>
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b

Read.
--b
Content-Type: message/disposition-notification

Original-Message-ID: <1@example.org>
Disposition: manual-action/MDN-sent-manually; displayed
--b--
""",
    "calendar": """From: bob@remote.example
Subject: Accepted: meeting
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce1002@remote.example>
Content-Type: text/calendar; method=REPLY

BEGIN:VCALENDAR
""",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_bounce_is_not_judged_as_one(server, name):
    taken(server, OTHERS[name])


@pytest.mark.parametrize("subject", [
    "VIRUS IN YOUR MAIL", "Warning: E-mail viruses detected",
    "ScanMail Message: To Sender, virus found and action taken."])
def test_a_scanner_that_writes_to_forged_senders_is_not_heard(
        server, subject):
    """Who warns of viruses otherwise is."""
    def reply(subject, sender):
        return server.deliver("alice@example.org", new_message(
            subject=subject), sender=sender)
    assert reply(subject, "").says("550 5.7.1")
    assert reply(subject, "a@remote.example").code == 250
    assert reply("VIRUS (EICAR) FROM <a@remote.example>", "").code == 250


def test_accept_only_notes_it():
    sink = Sink()
    with Bounces(sink, checks="untagged_bounces = accept",
                 more='batv {{ exempt = {{ "remote.example" }} }}\n') as server:
        original = Original(server)
        for _ in range(2):
            taken(server, original.bounce())
        taken(server, original.bounce(header=""))
    sink.close()


# ---- those of real servers ----

def exim(port):
    """It takes everybody and finds out later."""
    return Exim("""
home:
  driver = manualroute
  domains = example.org
  route_list = * 127.0.0.1
  self = send
  transport = home
gone:
  driver = redirect
  local_parts = gone
  allow_fail
  data = :fail: no such person
""", """
home:
  driver = smtp
  port = %d
  allow_localhost
  hosts_avoid_tls = *
""" % port)


def postfix(port):
    """The same."""
    return Postfix("""transport_maps =
    inline:{{gone@example.net = error:5.1.1 no such person}}
smtpd_reject_unlisted_recipient = no
relayhost = [127.0.0.1]:%d
relay_domains =
""" % port, "smtp unix - - n - - smtp -o smtp_tls_security_level=none\n")


@pytest.mark.skipif(not IS_ROOT, reason="servers want root")
@pytest.mark.parametrize("is_tagged", [True, False])
@pytest.mark.parametrize("make", [exim, postfix])
def test_a_real_server_returns_it(make, is_tagged):
    """Our user writes, another server takes it, and returns it."""
    sink = Sink()
    with Bounces(sink, more="" if is_tagged else
                 'batv {{ exempt = {{ "example.net" }} }}\n') as server, \
            make(server.port) as peer:
        server.write_config(more=server.pieces["more"].replace(
            "127.0.0.1]:%d" % sink.port, "127.0.0.1]:%d" % peer.port))
        server.reload()
        text, name = server.text(recipient="gone@example.net")
        assert not server.send(["gone@example.net"], text)
        wait_until(lambda: any(name in str(m.raw) for m in
                               server.mail("alice")), 60, "the bounce")
        [mail] = [m for m in server.mail("alice") if name in str(m.raw)]
        assert mail.get("Return-Path") == "<>"
        assert "no such person" in str(mail.raw)
        # the peer has read its 250: before that, this would be its retry
        server.wait_confirmed()
        # the same once more: a proof is spent, a tag is not
        again = str(mail.raw, "latin-1") if isinstance(mail.raw, bytes) \
            else mail.raw
        again = again[again.index("\nReceived:", 5) + 1:]
        reply = server.bounce(ALICE, again)
        assert reply.says("250" if is_tagged else "550 5.7.1"), reply
    sink.close()
