# SPDX-License-Identifier: ISC
"""What was sent, what each client was told, and whether the mailboxes and the
hosts elsewhere hold just that.

    accepted    250: one copy in each of its mailboxes, and one or more at
                each of its recipients elsewhere
    refused     5yz, and no try broke off: no copy anywhere
    unknown     given up without a last word: at most one copy in a mailbox
"""
import collections
import os
import re
import threading

from postern import Mail as Mailed

MINE = re.compile(rb"<soak\.[0-9]+\.[0-9]+@client\.example>")


class Mail:
    """One message: where it belongs, and what its client has read."""

    def __init__(self, number, seed, kind):
        self.id = "<soak.%d.%d@client.example>" % (number, seed)
        self.kind = kind
        self.boxes = set()          # users who are to have it
        self.remote = set()         # recipients elsewhere
        self.fails = set()          # ... of whom home is told that it failed
        self.may_pass = True        # False: 250 would be a fault
        self.codes = []             # of all tries; None: it broke off
        self.is_over = False

    def text(self, body="x\r\n", sender="bob@remote.example", to="you"):
        """The message, with CRLF."""
        return ("From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: %s\r\n"
                "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\n%s" % (
                    sender, to, self.kind, self.id, body))

    @property
    def fate(self):
        """See above."""
        last = self.codes[-1] if self.codes else None
        if last == 250:
            return "accepted"
        if last is not None and last >= 500 and None not in self.codes:
            return "refused"
        return "unknown"


class Book:
    """All messages of a run."""

    def __init__(self, seed):
        self.seed = seed
        self.mails = {}
        self.lock = threading.Lock()
        self.faults = []            # texts
        self.counts = collections.Counter()

    def new(self, kind):
        """A message, entered."""
        with self.lock:
            mail = Mail(len(self.mails) + 1, self.seed, kind)
            self.mails[mail.id] = mail
            return mail

    def fault(self, text):
        """Something that must not be."""
        with self.lock:
            self.faults.append(text)
            print("FAULT " + text, flush=True)

    # ---- the end ----

    def check(self, server, users, taken):
        """Compare; taken: [(Message-ID, {recipients})] of hosts elsewhere."""
        here, home = self.look(server, users)
        there = collections.Counter()
        for name, recipients in taken:
            mail = self.mails.get(name)
            if mail is None:
                self.fault("%s left, which nobody has sent" % name)
                continue
            for recipient in recipients:
                there[name, recipient] += 1
                if recipient not in mail.remote:
                    self.fault("%s (%s) left for %s" % (name, mail.kind,
                                                        recipient))
        for (user, name), n in here.items():
            if name not in self.mails or user not in self.mails[name].boxes:
                self.fault("%s: %d copies in a mailbox of %s" % (
                    name, n, user))
        return sum(self.check_mail(m, here, there, home)
                   for m in self.mails.values())

    @staticmethod
    def look(server, users):
        """({(user, Message-ID): copies}, ids that a DSN at home names)."""
        here, home = collections.Counter(), set()
        for user in users:
            for folder in "new", "cur", ".Junk/new":
                path = os.path.join(server.maildir(user), folder)
                for name in os.listdir(path) if os.path.isdir(path) else []:
                    mail = Mailed(os.path.join(path, name))
                    if mail.get("Auto-Submitted") == "auto-replied":
                        home |= {m.decode() for m in MINE.findall(mail.raw)}
                    else:
                        here[user, mail.get("Message-ID")] += 1
        return here, home

    def check_mail(self, mail, here, there, home):
        """True: all of it is as it should be."""
        n_faults = len(self.faults)
        what = "%s (%s, %s)" % (mail.id, mail.kind, mail.codes)
        fate = mail.fate
        self.counts[fate] += 1
        if fate == "accepted" and not mail.may_pass:
            self.fault(what + ": must not be accepted")
        if fate == "refused" and mail.may_pass:
            self.fault(what + ": refused for nothing")
        for user in mail.boxes:
            self.check_box(what, fate, here[user, mail.id], user)
        for recipient in mail.remote:
            self.check_remote(what, fate, there[mail.id, recipient],
                              recipient)
        if fate == "accepted" and mail.fails and mail.id not in home:
            self.fault(what + ": nobody was told that it failed")
        return len(self.faults) == n_faults

    def check_box(self, what, fate, n, user):
        self.counts["copies here"] += n
        if n > 1:
            self.fault("%s: %d copies for %s" % (what, n, user))
        elif fate == "accepted" and n == 0:
            self.fault("%s: lost for %s" % (what, user))
        elif fate == "refused" and n:
            self.fault("%s: refused, and %s has it" % (what, user))
        elif fate == "unknown" and n:
            self.counts["left behind"] += 1

    def check_remote(self, what, fate, n, recipient):
        self.counts["copies elsewhere"] += n
        if fate == "accepted" and n == 0:
            self.fault("%s: lost for %s" % (what, recipient))
        elif fate == "refused" and n:
            self.fault("%s: refused, and sent to %s" % (what, recipient))
        elif n > 1:
            self.counts["sent more than once"] += n - 1
