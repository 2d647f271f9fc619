# SPDX-License-Identifier: ISC
"""What was sent, what each client was told, and whether the mailboxes, the
programs and the hosts elsewhere hold just that.

    accepted = delivered + forwarded + run by a program (+ told at home)

    accepted    250: one copy at each of its targets
    refused     5yz, and no try broke off: no copy anywhere
    unknown     given up without a last word: at most one copy in a mailbox

A target is ("box", user), ("junk", user), ("host", recipient elsewhere),
("run", program) or ("home", recipient elsewhere who refuses: our own user, or
the owner of the list, is told of it). One that cannot take back what it has
may have another copy for each time that it took one without saying so, and
where something was killed (RFC 1047); anybody else never.
"""
import collections
import os
import re
import threading

from postern import Mail as Mailed

MINE = re.compile(rb"<soak\.[0-9]+\.[0-9]+@client\.example>")
KINDS = {"box": "delivered", "junk": "delivered", "host": "forwarded",
         "run": "run by a program", "home": "told at home"}


def boxes(*users):
    """Targets: mailboxes here."""
    return {("box", user): None for user in users}


def junk(*users):
    """Targets: folders .Junk."""
    return {("junk", user): None for user in users}


def hosts(*addresses):
    """Targets: recipients elsewhere."""
    return {("host", address): None for address in addresses}


def runs(*names):
    """Targets: programs."""
    return {("run", name): None for name in names}


def home(*addresses):
    """Targets: recipients elsewhere of whom home is told."""
    return {("home", address): None for address in addresses}


def fate_of(codes):
    """See above; codes: of all tries."""
    last = codes[-1] if codes else None
    if last == 250:
        return "accepted"
    if last is not None and last >= 500 and None not in codes:
        return "refused"
    return "unknown"


class Mail:
    """One message: where it belongs, and what its client has read."""

    def __init__(self, number, seed, kind, among_kills):
        self.id = "<soak.%d.%d@client.example>" % (number, seed)
        self.kind = kind
        self.among_kills = among_kills
        self.targets = {}           # {target: its recipient, None: all}
        self.may_pass = True        # False: 250 would be a fault
        self.may_refuse = False     # True: 5yz is none
        self.codes = []             # of all tries; None: it broke off
        self.told = {}              # {recipient: the same for him alone}
        self.never = set()          # recipients of whom 250 is a fault

    def text(self, body="x\r\n", sender="bob@remote.example", to="you",
             fields=""):
        """The message, with CRLF."""
        return ("From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: %s\r\n"
                "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n%s\r\n%s" % (
                    sender, to, self.kind, self.id, fields, body))

    @property
    def fate(self):
        """Of all of it."""
        return fate_of(self.codes)

    def fate_at(self, target):
        """Of the recipient who leads there."""
        recipient = self.targets[target]
        return self.fate if recipient is None else \
            fate_of(self.told.get(recipient, []))

    def wrong_words(self):
        """What its client should not have read."""
        found = []
        if self.fate == "accepted" and not self.may_pass:
            found.append("must not be accepted")
        if self.fate == "refused" and self.may_pass and not self.may_refuse:
            found.append("refused for nothing")
        for recipient, codes in self.told.items():
            if codes and codes[-1] == 250 and recipient in self.never:
                found.append("%s must not be accepted" % recipient)
            if fate_of(codes) == "refused" and recipient not in self.never:
                found.append("%s refused for nothing" % recipient)
        return found


class Book:
    """All messages of a run."""

    def __init__(self, seed):
        self.seed = seed
        self.mails = {}
        self.lock = threading.Lock()
        self.faults = []            # texts
        self.counts = collections.Counter()
        self.sums = collections.Counter()
        self.among_kills = True     # of the mail that is made now

    def new(self, kind):
        """A message, entered."""
        with self.lock:
            mail = Mail(len(self.mails) + 1, self.seed, kind,
                        self.among_kills)
            self.mails[mail.id] = mail
            return mail

    def fault(self, text):
        """Something that must not be."""
        with self.lock:
            self.faults.append(text)
            print("FAULT " + text, flush=True)

    # ---- the end ----

    def check(self, found, unsure):
        """Compare; both {(target, Message-ID): copies}, unsure those of which
        nobody was told. How many messages are where they belong."""
        for (target, name), n in found.items():
            mail = self.mails.get(name)
            if mail is None or target not in mail.targets:
                self.fault("%s (%s): %d copies for %s %s" % (
                    name, mail.kind if mail else "nobody has sent it", n,
                    *target))
        passed = sum(self.check_mail(m, found, unsure)
                     for m in self.mails.values())
        promised = self.sums.pop("accepted", 0)
        print("accepted %d = %s" % (promised, " + ".join(
            "%s %d" % row for row in sorted(self.sums.items()))), flush=True)
        if promised != sum(self.sums.values()):
            self.fault("the sum is wrong")
        return passed

    def check_mail(self, mail, found, unsure):
        """True: all of it is as it should be."""
        n_faults = len(self.faults)
        what = "%s (%s, %s)" % (mail.id, mail.kind, mail.told or mail.codes)
        self.counts[mail.fate] += 1
        for words in mail.wrong_words():
            self.fault("%s: %s" % (what, words))
        for target in mail.targets:
            self.check_target(mail, what, target, (
                found[target, mail.id], unsure[target, mail.id]))
        return len(self.faults) == n_faults

    def check_target(self, mail, what, target, copies):
        """What one of its targets has."""
        (n, n_unsure), fate = copies, mail.fate_at(target)
        place = "%s %s" % target
        if fate == "accepted":
            self.sums["accepted"] += 1
            self.sums[KINDS[target[0]]] += n > 0
        if fate == "accepted" and n == 0:
            self.fault("%s: lost for %s" % (what, place))
        elif fate == "refused" and n:
            self.fault("%s: refused, and %s has it" % (what, place))
        elif fate == "unknown" and n and target[0] in ("box", "junk"):
            self.counts["left behind"] += 1
        if n > 1:
            self.check_copies(mail, "%s: %d copies (%d unsure) for %s" % (
                what, n, n_unsure, place), target, n - n_unsure)

    def check_copies(self, mail, what, target, n_sure):
        """More than one."""
        if target[0] in ("box", "junk") or \
                n_sure > 1 and not mail.among_kills:
            self.fault(what)
        else:
            self.counts["sent more than once"] += 1


def look(server, users):
    """{(target, Message-ID): copies} of the mailboxes, and of what DSNs at
    home return: {Message-ID}."""
    found, returned = collections.Counter(), set()
    for user in users:
        for folder, kind in (("new", "box"), ("cur", "box"),
                             (".Junk/new", "junk"), (".Junk/cur", "junk")):
            path = os.path.join(server.maildir(user), folder)
            for name in os.listdir(path) if os.path.isdir(path) else []:
                mail = Mailed(os.path.join(path, name))
                if mail.get("Auto-Submitted") == "auto-replied":
                    returned |= {m.decode() for m in MINE.findall(mail.raw)}
                else:
                    found[(kind, user), mail.get("Message-ID")] += 1
    return found, returned
