# SPDX-License-Identifier: ISC
"""One message of a client who forges his reverse-path: how it is sent (a
Way), what the server answered for each recipient, and whether that was true.

    shot = Shot(["u001@example.org"], "victim-1@elsewhere.test")
    shot.fire(server.port, WAYS["plain"])
    shot.told           {recipient: [final Reply, ...]}
    problems_of(shot, boxes)"""
import collections
import os
import re

from certificates import context
from client import Client, Closed, new_message, wire
from world import CLIENT4, CLIENT6

Way = collections.namedtuple("Way", "host source is_tls is_pipelined")
WAYS = {
    "plain": Way("127.0.0.1", CLIENT4, False, False),
    "ipv6": Way("::1", CLIENT6, False, False),
    "tls": Way("127.0.0.1", CLIENT4, True, False),
    "pipelined": Way("127.0.0.1", CLIENT4, False, True),
    "all": Way("::1", CLIENT6, True, True),
}


class Shot:
    """See the top of the file. may_break: the connection may end before an
    answer, by the server (killed) or the client."""

    def __init__(self, recipients, victim, message=None, params="",
                 is_helo=False):
        self.recipients = [recipients] if isinstance(recipients, str) \
            else list(recipients)
        self.victim = victim
        self.message = message or new_message()
        self.id = re.search(r"Message-ID: (\S+)", self.message).group(1)
        self.params, self.is_helo = params, is_helo
        self.told = collections.defaultdict(list)
        self.accepted = []
        self.extra = []         # answers that nobody had asked for
        self.may_break = self.is_broken = False
        # what happens when RCPT was answered, when 354 was, at the dot
        self.after_rcpt = self.after_354 = self.after_dot = None

    @property
    def answers(self):
        """{recipient: the one final reply}."""
        return {r: replies[-1] for r, replies in self.told.items()}

    @property
    def codes(self):
        """In the order of the recipients; None: none."""
        return [self.told[r][-1].code if self.told.get(r) else None
                for r in self.recipients]

    def fire(self, port, way):
        """The whole session. Returns itself."""
        try:
            with Client((way.host, port), timeout=90,
                        source=way.source) as c:
                self.greet(c, way)
                self.talk(c, way)
        except (Closed, OSError):
            self.is_broken = True
        return self

    def greet(self, c, way):
        """EHLO or HELO, and TLS."""
        if self.is_helo:
            c.expect("HELO client.elsewhere.test", "250")
            return
        words = c.ehlo("client.elsewhere.test")
        if way.is_tls and "STARTTLS" in words:
            if c.command("STARTTLS").code != 220:
                raise Closed("no TLS for now")
            c.sock = context().wrap_socket(c.sock)
            c.ehlo("client.elsewhere.test")

    def talk(self, c, way):
        """MAIL to QUIT."""
        lines = ["MAIL FROM:<%s>%s" % (self.victim, self.params)] + \
            ["RCPT TO:%s" % (r if r.startswith("<") else "<%s>" % r)
             for r in self.recipients]
        is_pipelined = way.is_pipelined and not self.is_helo
        if is_pipelined:
            c.send("".join(line + "\r\n" for line in lines))
            replies = c.replies(len(lines))
        else:
            replies = [c.command(line) for line in lines[:1]]
            if replies[0].code == 250:
                replies += [c.command(line) for line in lines[1:]]
        if replies[0].code != 250:
            for recipient in self.recipients:
                self.told[recipient].append(replies[0])
        else:
            self.take_rcpt(replies[1:])
        if self.accepted:
            self.send_data(c, is_pipelined)
        self.quit(c)

    def take_rcpt(self, replies):
        """A refusal is final."""
        for recipient, reply in zip(self.recipients, replies):
            if reply.code == 250:
                self.accepted.append(recipient)
            else:
                self.told[recipient].append(reply)

    def send_data(self, c, is_pipelined):
        """The message and its answers."""
        if self.after_rcpt:
            self.after_rcpt()
        reply = c.command("DATA")
        has_noop = is_pipelined and not self.after_354 and reply.code == 354
        if reply.code == 354:
            if self.after_354:
                c.send(wire(self.message)[:50])
                self.after_354()
                c.send(wire(self.message)[50:])
            else:
                c.send(wire(self.message) + b"NOOP\r\n" * has_noop)
            if self.after_dot:
                self.after_dot(c)
            reply = c.reply()
        self.conclude(c, reply)
        if has_noop:
            reply = c.reply()
            if reply.code != 250 or "2.0.0" != reply.enhanced:
                self.extra.append(reply)

    def conclude(self, c, reply):
        """One for all, or with PRDR one for each."""
        if reply.code == 353:
            for recipient in self.accepted:
                self.told[recipient].append(c.reply())
            reply = c.reply()
            if len(self.accepted) == 1:
                self.extra.append(reply)
            return
        for recipient in self.accepted:
            self.told[recipient].append(reply)

    def quit(self, c):
        """An answer too many would come before 221. 421 may at any time:
        the server ends."""
        reply = c.command("QUIT")
        if reply.code not in (221, 421):
            self.extra.append(reply)


def mailbox_ids(box):
    """The Message-IDs in a Maildir, or what a function says."""
    if callable(box):
        return box()
    found = []
    for folder in ("new", "cur"):
        path = os.path.join(box, folder)
        if not os.path.isdir(path):
            continue
        for name in os.listdir(path):
            try:
                with open(os.path.join(path, name), "rb") as f:
                    head = f.read(65536).decode("utf-8", "replace")
            except FileNotFoundError:
                continue
            m = re.search(r"(?mi)^Message-ID:\s*(\S+)", head)
            found.append(m.group(1) if m else name)
    return found


def problems_of(shot, boxes, may_be_left=False):
    """What is wrong with the answers. boxes: {recipient: its Maildirs}.
    may_be_left: a kill inside of COMMIT may leave copies behind a 451."""
    problems = ["an answer too many: %r" % r for r in shot.extra]
    if shot.is_broken and not shot.may_break:
        problems.append("the connection broke")
    for recipient in shot.recipients:
        replies = shot.told.get(recipient, [])
        if len(replies) != 1 and (replies or not shot.is_broken):
            problems.append("%s has %d answers: %s" % (
                recipient, len(replies), replies))
        counts = [mailbox_ids(b).count(shot.id) for b in boxes[recipient]]
        if not are_right(counts, replies, may_be_left):
            problems.append("%s was told %r, copies %s" % (
                recipient, replies, counts))
    return problems


def are_right(counts, replies, may_be_left):
    """Copies in the mailboxes of one recipient."""
    if max(counts, default=0) > 1:
        return False
    if replies and replies[-1].code == 250:
        return min(counts, default=1) == 1
    if may_be_left:
        return True
    return not any(counts) or not replies and min(counts) == 1
