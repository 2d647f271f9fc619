# SPDX-License-Identifier: ISC
"""The cases: how mail can fail after a server has said 250.

Each is a function of a Run: what it sends goes out under a victim's address
of its own, to users of its own, so many run at a time. It says nothing of
what is to come of it: the judge looks at every answer and mailbox, and at
the sink."""
import collections
import shutil
import threading
import time

from client import new_message
from postern import wait_until
from shots import Shot, mailbox_ids, problems_of

CASES = {}


Case = collections.namedtuple("Case", "function only own")


def case(title, only=None, own=None):
    """Enter a case. only: the server that can have it at all. own: it has a
    server to itself, with these options; or a context manager that gives
    them."""
    def enter(function):
        CASES[title] = Case(function, only, own)
        return function
    return enter


class Run:
    """One case against one server, one way."""

    def __init__(self, title, mx, world, way, number):
        self.title, self.mx, self.world, self.way = title, mx, world, way
        self.victim = "victim-%d@elsewhere.test" % number
        self.shots, self.boxes, self.promised = [], {}, []
        self.problems = []

    @property
    def is_postern(self):
        """What only Postern has may be asked of it."""
        return self.mx.name == "postern"

    def user(self, n=1):
        """The address of a user whom nobody else has; or n of them."""
        users = [self.world.take_user() + "@example.org" for _ in range(n)]
        for user in users:
            self.stands_for(user, user)
        return users[0] if n == 1 else users

    def stands_for(self, address, *users):
        """Which mailboxes an accepted message is in."""
        self.boxes[address] = [self.mx.box(u) for u in users] \
            if self.is_postern else []

    def home(self, address):
        """A user's."""
        return self.world.home(address.partition("@")[0])

    def shot(self, recipients, **options):
        """One that is not fired yet."""
        shot = Shot(recipients, self.victim, **options)
        for recipient in shot.recipients:
            self.boxes.setdefault(recipient, [])
        self.shots.append(shot)
        return shot

    def free(self, n):
        """Addresses whose mailboxes have one owner, as virtual users have;
        of users of the system where there is nothing else."""
        if not self.is_postern:
            return self.user(n)
        users = self.mx.take_free(n)
        for user in users:
            self.stands_for(user, user)
        return users

    def limited(self, n_left):
        """The address of a mailbox with room for so many octets."""
        user = self.mx.take_limited(n_left) if self.is_postern else \
            self.full_mbox(n_left)
        self.stands_for(user, user)
        return user

    def full_mbox(self, n_left):
        """Postfix's mailbox_size_limit is 51200000 octets."""
        user = self.user()
        path = "/var/mail/" + user.partition("@")[0]
        with open(path, "wb") as f:
            f.truncate(51200000 - n_left)
        shutil.chown(path, user.partition("@")[0])
        return user

    def send(self, recipients, after_rcpt=None, after_354=None, **options):
        """A message; {recipient: Reply}."""
        shot = self.shot(recipients, **options)
        shot.after_rcpt, shot.after_354 = after_rcpt, after_354
        return shot.fire(self.mx.port, self.way).answers

    def at_once(self, shots):
        """Several sessions beside each other."""
        threads = [threading.Thread(target=s.fire, args=(
            self.mx.port, self.way)) for s in shots]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def persist(self, recipients, first, may_be_left=False, deadline=60):
        """A client that tries again until all have it. first: its first
        try, fired; what each was told is looked at each time."""
        shot, left = first, list(recipients)
        end = time.monotonic() + deadline
        while True:
            self.problems += problems_of(shot, self.boxes, may_be_left)
            left = [r for r in left if r not in shot.answers or
                    shot.answers[r].code != 250]
            if not left or time.monotonic() > end:
                break
            time.sleep(0.1)
            shot = self.shot(left, message=first.message)
            shot.may_break = first.may_break
            shot.fire(self.mx.port, self.way)
        if left:
            self.problems.append("not delivered to %s: %s" % (
                left, shot.answers))
        self.promised.append((first.id, recipients))

    def want(self, answers, *codes):
        """Postern's answers, so that a case is what its title says."""
        said = [r.code for r in answers.values()]
        if self.is_postern and said != list(codes):
            self.problems.append("wanted %s: %s" % (codes, answers))

    def check_promises(self):
        """Who was told 250 in the end has it once."""
        for name, recipients in self.promised:
            counts = [mailbox_ids(box).count(name) for r in recipients
                      for box in self.boxes[r]]
            if set(counts) != {1}:
                self.problems.append("%s has copies %s" % (name, counts))

    def beside(self, function, shot):
        """function while the shot is fired."""
        thread = threading.Thread(target=shot.fire, args=(
            self.mx.port, self.way))
        thread.start()
        try:
            function()
        finally:
            thread.join()

    def until(self, address, want):
        """Wait until Postern says this to RCPT: it looks at changed tables
        when they have been still for some seconds."""
        if self.is_postern:
            wait_until(lambda: self.mx.rcpt(address).says(want), 60,
                       "%s for %s" % (want, address), every=0.5)

    def judge(self):
        """Called when all is quiet. What is wrong."""
        if self.is_postern:
            for shot in self.shots:
                if shot.id not in dict(self.promised):
                    self.problems += problems_of(shot, self.boxes)
            self.check_promises()
        if not any(s.told for s in self.shots):
            self.problems.append("nothing was tried")
        return self.problems


# ---- recipients ----

@case("unknown user")
def unknown_user(run):
    run.want(run.send("nobody@example.org"), 550)
    run.send([run.user(), "nobody@example.org"])


@case("alias to a dead alias")
def dead_alias(run):
    run.want(run.send("dead-1@example.org"), 451)
    run.send([run.user(), "dead-1@example.org"])


@case("list with one dead member of five")
def dead_member(run):
    run.stands_for("five@example.org", *(
        "u%03d@example.org" % n for n in range(1, 5)))
    run.want(run.send("five@example.org"), 451)


@case("alias loop, 60 levels")
def alias_loop(run):
    run.want(run.send("loop-1@example.org"), 451)
    run.send([run.user(), "loop-30@example.org"])


@case("include file unreadable")
def unreadable(run):
    run.stands_for("include-1@example.org", "u005@example.org")
    run.want(run.send("include-1@example.org"), 451)
    run.send([run.user(), "include-2@example.org"])


@case("ambiguous name")
def ambiguous(run):
    run.want(run.send("ptarmigan@example.org"), 553)
    run.send([run.user(), "ptarmigan@example.org"])


@case("name that becomes ambiguous after RCPT, after DATA")
def becomes_ambiguous(run):
    pairs = {hook: run.user(2) for hook in ("after_rcpt", "after_354")}
    shots = []
    for hook, (one, _) in pairs.items():
        name = one.partition("@")[0]
        run.world.rename_user(name, "Carol Quetzal" + name)
    for hook, (one, other) in pairs.items():
        name, other = one.partition("@")[0], other.partition("@")[0]
        address = "quetzal%s@example.org" % name
        run.until(address, "250")
        run.stands_for(address, one)

        def rename(name=name, other=other, address=address):
            run.world.rename_user(other, "Dora Quetzal" + name)
            run.until(address, "553 5.1.4")
        shots.append(run.shot([address, run.user()]))
        setattr(shots[-1], hook, rename)
    run.at_once(shots)
    run.send([shots[0].recipients[0], run.user()])


@case("user removed after RCPT, after DATA")
def user_removed(run):
    for hook in ("after_rcpt", "after_354"):
        user = run.user()
        run.send([user, run.user()], **{
            hook: lambda user=user: run.world.remove_user(
                user.partition("@")[0])})


@case("mailbox removed after RCPT, after DATA")
def mailbox_removed(run):
    for hook in ("after_rcpt", "after_354"):
        user = run.user()
        run.send(user)
        run.shots.pop()         # it goes with the mailbox
        run.send([user, run.user()], **{
            hook: lambda user=user: shutil.rmtree(run.home(user))})


@case("3 of 12 recipients bad")
def three_of_twelve(run):
    run.send(run.user(9) + ["nobody@example.org", "dead-1@example.org",
                            "loop-1@example.org"])


@case("NOTIFY=SUCCESS,DELAY from outside")
def notify(run):
    run.send(run.user(), params=" RET=FULL ENVID=x")
    run.want(run.send("<%s> NOTIFY=SUCCESS,DELAY" % run.user()), 555)


# ---- rooms that are full ----

LARGE = 20000


@case("mailbox full")
def mailbox_full(run):
    run.send(run.limited(0), params=" SIZE=%d" % LARGE,
             message=new_message(size=LARGE))


@case("one mailbox of three full, without SIZE=")
def full_without_size(run):
    run.want(run.send([run.limited(LARGE // 2), *run.user(2)],
                      message=new_message(size=LARGE)), 452, 452, 452)


@case("the same with PRDR", only="postern")
def full_with_prdr(run):
    run.want(run.send([run.limited(LARGE // 2), *run.user(2)],
                      params=" PRDR", message=new_message(size=LARGE)),
             452, 250, 250)


@case("the same with HELO")
def full_with_helo(run):
    run.want(run.send([run.limited(LARGE // 2), *run.user(2)],
                      is_helo=True, message=new_message(size=LARGE)),
             452, 452, 452)


@case("3 of 12 recipients bad and one mailbox full, also with HELO, PRDR")
def bad_and_full(run):
    for words in ({}, {"is_helo": True}, {"params": " PRDR"})[
            :3 if run.is_postern else 2]:
        good = [run.limited(LARGE // 2), *run.user(8)]
        answers = run.send(good + [
            "nobody@example.org", "dead-1@example.org", "loop-1@example.org"],
            message=new_message(size=LARGE), **words)
        run.want(answers, 550, 451, 451, 452, *[
            250 if "params" in words else 452] * 8)


@case("quota: twenty at once to the last free octet")
def last_octet(run):
    user = run.limited(5 * LARGE)
    shots = [run.shot([user], message=new_message(size=LARGE))
             for _ in range(20)]
    run.at_once(shots)
    codes = [c for s in shots for c in s.codes]
    if run.is_postern and not 0 < codes.count(250) < 5:
        run.problems.append("twenty were told %s" % codes)
