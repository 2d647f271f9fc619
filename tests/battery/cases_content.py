# SPDX-License-Identifier: ISC
"""Cases of content: viruses, scanners and milters that are gone, bounces
without proof, and a spool file that somebody put there by hand."""
import contextlib
import hashlib
import os
import re

from cases import case
from client import Client, new_message
from filters import EICAR, Clamd, Program
from postern import wait_until
from test_bounces import DSN, ID_LINE, RECEIVED
from test_clamd import attachment, mime, zipped
from world import CLIENT4, CLIENT6


# ---- scanners ----

@contextlib.contextmanager
def with_clamd():
    """The options of a server that asks it."""
    daemon = Clamd()
    try:
        yield {"more": 'checks {{\n    virus = refuse\n    clamd "%s" '
               "{{ timeout = 5s }}\n}}\n" % daemon.endpoint,
               "helper": daemon}
    finally:
        daemon.close()


@contextlib.contextmanager
def with_milter():
    """The options of a server that asks one."""
    milter = Program()
    try:
        yield {"more": 'checks {{ milter "%s" {{ timeout = 5s }} }}\n' %
               milter.endpoint, "helper": milter}
    finally:
        milter.close()


@case("virus nested in archives", own=with_clamd)
def virus(run):
    for times in (0, 1, 3):
        data = zipped(EICAR.encode(), times=times) if times \
            else EICAR.encode()
        run.want(run.send(run.user(2), message=mime(attachment(data))),
                 554, 554)
    run.want(run.send(run.user(), message=mime(attachment(b"clean"))), 250)


@case("scanner gone, before MAIL and after RCPT", "postern", with_clamd)
def scanner_gone(run):
    user = run.user()
    first = run.shot([user])
    first.after_rcpt = run.mx.helper.kill
    run.want(first.fire(run.mx.port, run.way).answers, 451)
    run.want(run.send(run.user()), 451)
    run.mx.helper.start()
    run.persist([user], first)


@case("milter gone, before MAIL and after RCPT", "postern", with_milter)
def milter_gone(run):
    user = run.user()
    run.want(run.send(run.user()), 250)
    first = run.shot([user])
    first.after_rcpt = run.mx.helper.kill
    run.want(first.fire(run.mx.port, run.way).answers, 451)
    os.unlink(run.mx.helper.socket)
    run.want(run.send(run.user()), 451)
    run.mx.helper.again()
    run.persist([user], first)


# ---- a host in front of us ----

WICKED = "MIME-Version: 1.0\nContent-Type: application/octet-stream; " \
    'name="invoice.exe"\n'


@case("content refused behind a relay_peer", "postern", {
    "more": 'checks {{ attachments = refuse  relay_peer = {{ "%s", "%s" }} '
            '}}\n' % (CLIENT4, CLIENT6)})
def behind_peer(run):
    """Our 5yz would be its bounce to the victim: into .Junk. Where there is
    none, and whom there is not, it is refused."""
    users = run.user(2)
    for user in users:
        run.boxes[user] = [run.mx.box(user) + "/.Junk"]
    wicked = new_message(fields=WICKED)
    run.want(run.send(users, message=wicked), 250, 250)
    run.want(run.send(run.user()), 250)
    run.want(run.send("nobody@example.org"), 550)
    for name in ("far", "away", "exit-0"):
        run.want(run.send(name + "@example.org", message=new_message(
            fields=WICKED)), 550)


# ---- bounces ----

ROOT = "root@example.org"


def our_mail(run, to):
    """Our own user's message has left; as the sink has got it."""
    with Client(run.mx.folder + "/submit") as c:
        c.ehlo()
        c.deliver(to, new_message(), sender=ROOT)
        c.quit()
    received = run.world.sink.received
    wait_until(lambda: received.get(to), 30, "our mail at the sink")
    return received[to][-1]


class Proofs:
    """Bounces of one message of ours, true and false."""

    def __init__(self, run):
        self.run, self.serial = run, 0
        self.to = "bob-%s@proof.test" % run.victim.partition("@")[0]
        message = our_mail(run, self.to)
        self.tagged = re.match("FROM:<([^>]+)>", message.sender).group(1)
        self.header = message.text.decode().replace(
            "\r\n", "\n").split("\n\n")[0] + "\n"
        self.senders = ("", run.victim)

    def text(self, header=None, recipient=None):
        """A DSN that returns this header, that of our message if None."""
        self.serial += 1
        return DSN % {
            "serial": "%s-%d" % (self.run.victim.partition("@")[0],
                                 self.serial),
            "action": "failed", "type": "text/rfc822-headers",
            "recipient": recipient or self.to,
            "header": self.header if header is None else header}

    def send(self, code, text, to=ROOT, home="u000@example.org",
             senders=None):
        """From nobody, and from the victim. A mailer's reverse-path makes a
        report one that must be proven too."""
        for sender in self.senders if senders is None else senders:
            self.run.stands_for(to, home)
            shot = self.run.shot([to], message=text)
            shot.victim = sender
            self.run.want(shot.fire(self.run.mx.port,
                                    self.run.way).answers, code)
            text = text.replace("Message-ID: <", "Message-ID: <x", 1)


@case("forged bounce proofs", "postern",
      {"more": 'batv {{ exempt = {{ "proof.test" }} }}\n'})
def forged(run):
    proofs = Proofs(run)
    bare = RECEIVED.sub("", proofs.header)
    proofs.send(550, proofs.text(bare.replace("Message-ID: <",
                                              "Message-ID: <x")))
    proofs.send(550, proofs.text(header=""))
    proofs.send(550, proofs.text(bare, recipient=run.victim))
    trace = re.search(r"id (\S+-\S+-\S+-\S{10})\n", proofs.header).group(1)
    proofs.send(550, proofs.text(
        ID_LINE.sub("", proofs.header).replace(trace, trace[:-10] + "a" * 10),
        recipient=run.victim))
    good = run.mx.tag(ROOT, 3)
    wrong = good[:9] + "%06x" % (int(good[9:15], 16) ^ 1) + good[15:]
    proofs.send(550, new_message(), to=wrong)
    proofs.send(250, proofs.text(), senders=[""])


@case("expired bounce proofs", "postern", {})
def expired(run):
    proofs = Proofs(run)
    for days in (-1, -30, -400):
        proofs.send(550, new_message(), to=run.mx.tag(ROOT, days))
    header = "Received: from x by mx.example.org id %s; now\nSubject: x\n"
    proofs.send(550, proofs.text(header % run.mx.trace(ROOT, 40),
                                 recipient=run.victim))
    proofs.send(250, new_message(), to=run.mx.tag(ROOT, 3))


@case("replayed bounce proofs", "postern",
      {"more": 'batv {{ exempt = {{ "proof.test" }} }}\n'})
def replayed(run):
    proofs = Proofs(run)
    proofs.send(250, proofs.text(), senders=[""])
    proofs.send(550, proofs.text())
    proofs.send(550, proofs.text(RECEIVED.sub("", proofs.header)))


@case("borrowed bounce proofs", "postern",
      {"more": 'batv {{ exempt = {{ "proof.test" }} }}\n'})
def borrowed(run):
    """What root has sent proves nothing to somebody else."""
    proofs = Proofs(run)
    other = run.user()
    proofs.send(550, proofs.text(), to=other, home=other)
    proofs.send(550, proofs.text(RECEIVED.sub("", proofs.header)), to=other,
                home=other)
    tag = run.mx.tag(ROOT, 3)
    proofs.send(550, new_message(), to=tag.replace(ROOT, other), home=other)
    proofs.send(250, proofs.text(), senders=[""])


# ---- the queue ----

def envelope_of(mx):
    """(path, lines without the last one) of the only message that waits."""
    folder = mx.folder + "/state/spool/active"
    [name] = os.listdir(folder)
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return os.path.join(folder, name), f.read().splitlines()[:-1]


@case("spool file of outside origin, put there by hand", "postern", {})
def by_hand(run):
    run.send(run.user())
    for account in (None, run.victim):
        refused = "refused-%s@proof.test" % run.victim.partition("@")[0]
        with Client(run.mx.folder + "/submit") as c:
            c.ehlo()
            c.deliver(refused.replace("refused", "later"), new_message(),
                      sender=ROOT)
            c.quit()
        run.mx.wait_event("deferred")
        run.mx.stop()
        path, lines = envelope_of(run.mx)
        text = "".join(forge(line, run.victim, refused, account)
                       for line in lines)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "end %s\n" % hashlib.sha256(
                text.encode()).hexdigest())
        run.mx.start()
        wait_until(lambda: not run.mx.spooled() or
                   run.mx.events("damaged"), 30, "its end")
    take_reports(run)


def forge(line, victim, recipient, account):
    """A line of the envelope, as of a message from outside."""
    words = {"from": victim, "to": recipient, "user": account,
             "home": account}
    key = line.split()[0]
    if line.startswith((" tries", " next", " last", " host", "tag")):
        return ""
    return "%s %s\n" % (key, words[key]) if words.get(key) else line + "\n"


def take_reports(run):
    """Bounces stay home: those of this case are here, and nobody's
    message."""
    box, n = run.mx.box("u000@example.org"), 0
    for folder in ("new", "cur"):
        for name in os.listdir(os.path.join(box, folder)):
            path = os.path.join(box, folder, name)
            with open(path, "rb") as f:
                if b"refused-" + run.victim.encode().partition(
                        b"@")[0] in f.read():
                    os.unlink(path)
                    n += 1
    if not n:
        run.problems.append("nobody here heard of it")
