# SPDX-License-Identifier: ISC
"""Cases in which somebody else must take the message: a next hop that refuses
at each step or is gone, and an address that forwards."""
import contextlib
import re
import socket
import time

import relay_lab
from cases import LARGE, case
from cases_faults import ONE_EACH, Killer, kill_at
from client import Closed, new_message
from postern import wait_until
from shots import WAYS, Shot
from test_bounces import DSN

FRONT = "@front.example.org"
# what a hop says, by the local part of the recipient
AT_RCPT = {"nobody": "550 5.1.1 no such user", "busy": "450 4.2.1 later",
           "bye": "421 4.3.2 going down"}
AT_DOT = {"refused": "550 5.7.1 not this", "later": "451 4.3.0 not now",
          "down": "421 4.3.2 going down", "closes": None}


class Hop(relay_lab.Sink):
    """A back end that does what a recipient's local part says."""

    def __init__(self, **options):
        super().__init__({"rcpt": self.on_rcpt, "dot": self.on_dot},
                         **options)
        self.taken = []         # (address, Message-ID)

    @staticmethod
    def on_rcpt(_session, arg):
        """Look at whom it is for."""
        return AT_RCPT.get(local_part(arg), "250 2.1.5 ok")

    def on_dot(self, session, arg):
        """For all, or with LMTP for each."""
        recipients = [arg] if self.lmtp else session.recipients
        for recipient in recipients:
            if local_part(recipient) in AT_DOT:
                return AT_DOT[local_part(recipient)]
        text = session.sink.ended[-1].text if self.lmtp else arg
        name = re.search(rb"(?mi)^Message-ID: (\S+)", text).group(1).decode()
        self.taken += [(address_of(r), name) for r in recipients]
        return "250 2.0.0 taken"

    def close(self):
        """Also for the thread that waits for a connection."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        super().close()

    def box(self, address):
        """The Message-IDs that this address has got."""
        return lambda: [name for a, name in self.taken if a == address]


def address_of(arg):
    """TO:<address> ..."""
    return re.search("<(.*?)>", arg).group(1).lower()


def local_part(arg):
    """Without what makes it another user's of the same kind."""
    return address_of(arg).partition("@")[0].partition("-")[0]


def with_hop(protocol="smtp", more=""):
    """The options of a server that fronts a domain of it."""
    @contextlib.contextmanager
    def options():
        with Hop(lmtp=protocol == "lmtp") as hop:
            where = "%s:[127.0.0.1]:%d" % (protocol, hop.port)
            yield {"more": 'domain "front.example.org" {{\n'
                           '    next_hop = "%s"\n}}\n' % where + more,
                   "cf": "relay_domains = front.example.org\n"
                   "transport_maps = inline:{front.example.org=%s}\n" %
                   where.replace("lmtp:", "lmtp:inet:"),
                   "helper": hop}
    return options


def hop_user(run, name):
    """An address behind the hop."""
    address = name + FRONT
    run.stands_for(address)
    if run.is_postern:
        run.boxes[address] = [run.mx.helper.box(address)]
    return address


def refusals(run, names, *codes):
    """Alone, with one who would take it, with a mailbox here."""
    for name, code in zip(names, codes):
        run.want(run.send(hop_user(run, name)), code)
        run.send([hop_user(run, name), hop_user(run, "ok")])
        run.send([run.user(), hop_user(run, name + "-2")])


@case("forward refused at RCPT", own=with_hop())
def refused_at_rcpt(run):
    refusals(run, ("nobody", "busy"), 550, 450)
    run.want(run.send(hop_user(run, "ok")), 250)


@case("forward refused after the dot", own=with_hop())
def refused_at_dot(run):
    refusals(run, ("refused", "later"), 550, 451)
    run.want(run.send([hop_user(run, "ok"), run.user()]), 250, 250)


@case("forward: 421 at RCPT, after the dot", own=with_hop())
def says_421(run):
    refusals(run, ("bye", "down"), 451, 451)


@case("forward closed after the dot", own=with_hop())
def closed_after_dot(run):
    refusals(run, ("closes",), 451)


@case("back end refuses some after DATA", own=with_hop("lmtp"))
def differs(run):
    """Who has taken it never gets it twice, who has not hears why."""
    people = [hop_user(run, n) for n in ("ok-1", "refused", "ok-2")]
    shot = run.shot(people).fire(run.mx.port, run.way)
    final = dict(shot.answers)
    for _ in range(5):
        left = [r for r in people if final[r].code // 100 == 4]
        if left:
            retry = Shot(left, run.victim, message=shot.message)
            final.update(retry.fire(run.mx.port, run.way).answers)
    run.want(final, 250, 550, 250)
    run.shots.remove(shot)      # a 451 stands for what only some have
    counts = [run.boxes[r][0]().count(shot.id) for r in people] \
        if run.is_postern else [1, 0, 1]
    if counts != [1, 0, 1]:
        run.problems.append("copies %s" % counts)
    run.send(hop_user(run, "refused-2"))


@case("back end and full mailbox beside others, with PRDR", "postern",
      with_hop("lmtp"))
def differs_with_prdr(run):
    """Each has his own answer, at once."""
    large = new_message(size=LARGE)
    run.want(run.send([run.limited(LARGE // 2), run.user(),
                       hop_user(run, "ok"), hop_user(run, "refused"),
                       hop_user(run, "later")], params=" PRDR",
                      message=large), 452, 250, 250, 550, 451)
    run.want(run.send([run.user(), hop_user(run, "closes")], params=" PRDR"),
             250, 451)


@case("back end gone", own=with_hop())
def gone(run):
    run.mx.helper.close()
    run.want(run.send(hop_user(run, "ok")), 451)
    run.send([run.user(), hop_user(run, "ok")])


@case("back end takes all and bounces later", own=with_hop())
def bounces_later(run):
    """It hands its bounce to the host that it has the message from."""
    run.want(run.send(hop_user(run, "ok")), 250)
    shot = run.shot([run.victim], message=DSN % {
        "serial": "late-" + run.victim, "action": "failed",
        "type": "text/rfc822-headers", "recipient": "ok" + FRONT,
        "header": run.shots[0].message.split("\n\n")[0] + "\n"})
    shot.victim = ""
    shot.fire(run.mx.port, run.way)
    run.want(shot.answers, 550)


# role, point; a star: the hop may have it, and gets it once more (RFC 1047)
FORWARD_KILLS = [p.split() for p in """
smtpd smtpd.before-hop-rcpt
smtpd smtpd.after-hop-rcpt
smtpd smtpd.before-last
smtpd smtpd.after-last *
relay relay.before-sent *
""".strip().splitlines()]


@case("kill -9 at each step of a back end of LMTP", "postern",
      with_hop("lmtp", ONE_EACH["more"]))
@case("kill -9 at each step of a forward", "postern",
      with_hop(more=ONE_EACH["more"]))
def killed(run):
    killer = Killer(run)
    for n, (role, point, *star) in enumerate(FORWARD_KILLS):
        there = hop_user(run, "ok-%d" % n)
        box = run.boxes[there][0]
        both = [run.user(), there]
        if star:
            run.boxes[there] = []
        kill_at(run, killer, (role, point), both)
        if not 1 <= box().count(run.shots[-1].id) <= 1 + len(star):
            run.problems.append("%s: the hop has %s" % (point, box()))


@case("client vanishes at the dot of a forward and comes back",
      own=with_hop(more=ONE_EACH["more"]))
def vanishes(run):
    """Its retry finds what the next hop has taken meanwhile."""
    for n, step in enumerate(("smtpd.before-last", "smtpd.after-last",
                              "smtpd.before-reply")):
        both = [run.user(), hop_user(run, "ok-%d" % n)]
        slot = run.mx.faults.set(step, "sleep", 150) \
            if run.is_postern else None

        def leave(c, step=step, slot=slot):
            if slot is not None:
                wait_until(lambda: run.mx.faults.hits(slot) == 1, 10, step,
                           every=0.005)
            c.reset()
            raise Closed
        first = run.shot(both)
        first.may_break, first.after_dot = True, leave
        first.fire(run.mx.port, run.way)
        time.sleep(0.4)     # what it began is over: a 451 is about the retry
        if run.is_postern:
            run.persist(both, first)
        else:
            run.send(both, message=first.message)


@case("address that forwards, refused there")
def alias_refused(run):
    run.want(run.send("away-refused@example.org"), 550)
    run.want(run.send("away-later@example.org"), 450)
    run.send([run.user(), "away-refused@example.org"])


def forwarded(run):
    """The reverse-path with which the sink has got a message to away@."""
    run.send("away@example.org")
    name = run.shots[-1].id.encode()

    def found():
        return [m for m in run.world.sink.received.get("bob@proof.test", ())
                if name in m.text]
    wait_until(found, 30, "the forward at the sink")
    return address_of(found()[0].sender)


def return_to(run, address, code):
    """Its server returns the message: to us, or to the host of whoever is
    named as its sender."""
    shot = run.shot([address])
    shot.victim = ""
    if address.endswith("@example.org"):
        run.want(shot.fire(run.mx.port, run.way).answers, code)
    else:
        shot.fire(25, WAYS["plain"])


@case("address that forwards, returned by its host later")
def alias_returned(run):
    return_to(run, forwarded(run), 550)


@case("forged and borrowed addresses of forwards")
def forged_srs(run):
    """Nobody can bounce off us to a stranger."""
    seen = forwarded(run)
    user = run.victim.partition("@")[0]
    addresses = ["SRS0=AAAAAA=AA=elsewhere.test=%s@example.org" % user,
                 "SRS1=AAAAAAAA=elsewhere.test==x=y=z=%s@example.org" % user,
                 "srs0+aaaa=aa=elsewhere.test=%s@example.org" % user]
    if run.is_postern:
        other = "B" if seen[5] == "A" else "A"
        addresses += [seen[:5] + other + seen[6:],
                      seen.replace(user, "victim-0")]
    for address in addresses:
        for sender in ("", run.victim):
            shot = run.shot([address])
            shot.victim = sender
            run.want(shot.fire(run.mx.port, run.way).answers, 550)
