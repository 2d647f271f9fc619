# SPDX-License-Identifier: ISC
"""Messages to recipients of all kinds, in one transaction as far as the server
goes along: each is sent to until he has had his last word, and what each was
told is compared with what he has. As cases.py."""
from client import Closed, wire
from model import boxes, home, hosts, runs
from ways import Way, is_last

STRANGER = "bob@remote.example"


def candidates(lab, rng):
    """[(recipient, his targets)], all of whom must be taken."""
    found = [(user + "@example.org", boxes(user)) for user in lab.users]
    for domain in ("fronted", "lmtp", "lmtp", "unix"):
        to = "each%d@%s.example" % (rng.randrange(100), domain)
        found.append((to, hosts(to)))
    return found + [
        ("robot@example.org", runs("robot")),
        ("helpdesk@example.org", {**runs("helpdesk"), **boxes("dave")}),
        ("away@example.org", hosts("away@moved.elsewhere.example")),
        ("pair@example.org", {**hosts("pair@moved.elsewhere.example"),
                              **boxes("carol")}),
        ("friends@example.org", {**hosts("friend@elsewhere.example"),
                                 **boxes("bob")}),
        ("crew@example.org", {
            **runs("crew"), **boxes("carol"),
            **hosts("m3@d3.elsewhere.example")}),
        ("board@example.org", {
            **hosts("m1@d1.elsewhere.example", "m2@d2.elsewhere.example"),
            **boxes("dave"), **home("refused9@d1.elsewhere.example")})]


def refused(rng):
    """Nobody whom anybody takes, at RCPT or at the end."""
    return ["nobody%d@example.org" % rng.randrange(100),
            "refuses@example.org", "refused1@fronted.example",
            "refused2@lmtp.example", "late-refused3@lmtp.example",
            "late-refused4@unix.example"]


def choose(mail, rng, people, most):
    """Some of them who have no target together; his recipients."""
    for recipient, targets in rng.sample(people, rng.randint(1, most)):
        if not set(targets) & set(mail.targets) and \
                recipient not in mail.targets.values():
            mail.targets.update(dict.fromkeys(targets, recipient))
    return sorted(set(mail.targets.values()))


def sent_to_each(lab, mail, rng, to, way):
    """attempt() for those who are left."""
    text = mail.text("%078d\r\n" % rng.randrange(10 ** 9) * rng.choice(
        [1, 40, 40, 500, 2500]), to=to[0])
    mail.told = {recipient: [] for recipient in to}

    def attempt():
        told = way.deliver(lab, STRANGER, to, text, mail.told)
        if all(map(is_last, mail.told.values())):
            return max((codes[-1] for codes in mail.told.values()),
                       key=lambda code: code == 250)
        return None if None in told.values() else 451
    return mail, attempt


def each(lab, rng):
    """Alike for all, or each by himself."""
    is_prdr = rng.random() < 0.5
    mail = lab.book.new("each, PRDR" if is_prdr else "each")
    to = choose(mail, rng, candidates(lab, rng), 6)
    mail.never = set(rng.sample(refused(rng), rng.choice([0, 0, 0, 1, 2])))
    to += mail.never
    rng.shuffle(to)
    return sent_to_each(lab, mail, rng, to, Way(rng, is_prdr))


def one_last(lab, rng):
    """The same to one next hop, program or server of LMTP, and mailboxes."""
    is_prdr = rng.random() < 0.5
    mail = lab.book.new("last participant, PRDR" if is_prdr
                        else "last participant")
    last = [c for c in candidates(lab, rng) if c[0].split("@")[0]
            not in lab.users]
    domain = rng.choice(["fronted", "lmtp", "unix", None])
    if domain:
        last = []
        for i in range(rng.randint(2, 4)):
            to = "each%d@%s.example" % (i, domain)
            last.append((to, hosts(to)))
    choose(mail, rng, last, len(last) if domain else 1)
    to = choose(mail, rng, candidates(lab, rng)[:len(lab.users)], 2)
    if domain and domain != "fronted" and rng.random() < 0.3:
        mail.never = {"late-refused5@%s.example" % domain}
    to += mail.never
    rng.shuffle(to)
    return sent_to_each(lab, mail, rng, to, Way(rng, is_prdr))


class Vanishing(Way):
    """The first try, or more of them, is gone before it reads its reply."""

    def __init__(self, lab, rng):
        super().__init__(rng)
        self.lab, self.n_left = lab, rng.randint(1, 3)

    def vanish(self, client, octets):
        """Once the end was sent, mostly, and perhaps a while after."""
        self.n_left -= 1
        client.send(octets[:self.rng.choice(
            [len(octets), len(octets), len(octets) // 2])])
        self.lab.pause(self.rng.random() * self.rng.choice([0.05, 0.05, 2]))
        if self.rng.random() < 0.7:
            client.reset()
        raise Closed

    def data(self, client, text, reply=None):
        if self.n_left > 0:
            reply = reply or client.command("DATA")
            if reply.code != 354:
                return reply
            self.vanish(client, wire(text))
        return Way.data(client, text, reply)

    def bdat(self, client, text):
        if self.n_left > 0:
            octets = text.encode()
            self.vanish(client, b"BDAT %d LAST\r\n" % len(octets) + octets)
        return super().bdat(client, text)


def vanishing(lab, rng):
    """Where it was going on is to be known when he comes again."""
    mail = lab.book.new("vanishing")
    people = [c for c in candidates(lab, rng)
              if c[0].split("@")[0] not in ("friends", "crew", "board")]
    to = choose(mail, rng, people[:4] + people, 3)
    return sent_to_each(lab, mail, rng, to, Vanishing(lab, rng))


EACH = [(8, each), (6, one_last), (6, vanishing)]
