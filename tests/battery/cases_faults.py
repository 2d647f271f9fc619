# SPDX-License-Identifier: ISC
"""Cases with disks that fail, processes that are killed, and clients that
vanish. Postern's faults are those of its fault points; Postfix has a real
full disk and a real read-only one."""
import errno
import os
import signal
import subprocess
import time

from cases import case
from client import Closed, new_message
from faults import Lab
from postern import wait_until
from shots import mailbox_ids
from test_faults_disk import WRITES
from test_faults_kill import POINTS, SELDOM, SHORT, STEPS, VICTIMS, let_pass

ONE_EACH = {"more": "processes {{ smtpd = 1  directory = 1 }}\n"}


class Killer(Lab):
    """Kills and revives the processes of a server that is there already."""

    def __init__(self, run):
        self.run, self.server = run, run.mx
        self.n_kills, self.n_runners, self.ending = 0, 0, []
        self.server.may_crash = True
        [self.known] = run.free(1)

    def serves(self):
        """Whether a message goes through."""
        shot = self.run.shot([self.known])
        shot.may_break = True
        shot.fire(self.run.mx.port, self.run.way)
        return shot.codes == [250]


# ---- disks ----

def write_fails(run, point, number, recipients, after, role="",
                may_be_left=False):
    """One copy of several; then the client tries again."""
    slot = run.mx.faults.set(point, "errno", number, after=after, role=role)
    first = run.shot(recipients).fire(run.mx.port, run.way)
    if run.mx.faults.hits(slot) != 1:
        run.problems.append("%s was not met" % point)
    if 250 in first.codes:
        run.problems.append("%s: %s" % (point, first.codes))
    run.mx.faults.clear()
    run.persist(recipients, first, may_be_left)


def disk(run, number):
    """Each system call of delivery."""
    for point in WRITES:
        write_fails(run, point, number, run.free(3), 1)
        write_fails(run, point, number, [run.user(), *run.free(1)], 0)


def real_disk(run, option):
    """A mailbox file on a disk of its own, which is full or read-only."""
    user = run.user()
    name = user.partition("@")[0]
    place = "/mnt/" + name          # gone with the world
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", place],
                   check=True)
    with open(place + "/box", "wb") as f:
        f.truncate(0)
        f.write(b"\n" * 4096)
    with open("/var/mail/" + name, "wb"):
        pass
    for path in (place + "/box", "/var/mail/" + name):
        os.chown(path, *[int(x) for x in subprocess.run(
            ["id", "-u", name], capture_output=True, text=True,
            check=True).stdout.split() * 2])
    subprocess.run(["mount", "--bind", place + "/box", "/var/mail/" + name],
                   check=True)
    if option:
        subprocess.run(["mount", "-o", option, "/var/mail/" + name],
                       check=True)
    run.send(user)


@case("ENOSPC at each write, fsync and rename", own={})
def enospc(run):
    if run.is_postern:
        disk(run, errno.ENOSPC)
    else:
        real_disk(run, None)


@case("EROFS at each write, fsync and rename", own={})
def erofs(run):
    if run.is_postern:
        disk(run, errno.EROFS)
    else:
        real_disk(run, "remount,bind,ro")


@case("EDQUOT at each write, fsync and rename", only="postern", own={})
def edquot(run):
    disk(run, errno.EDQUOT)


@case("EIO at each write, fsync and rename", only="postern", own={})
def eio(run):
    disk(run, errno.EIO)


# ---- look-ups ----

@case("directory stands still, or dies", only="postern", own=ONE_EACH)
def directory_down(run):
    users = [run.user(), *run.free(1)]
    pids = run.mx.children("directory")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    first = run.shot(users).fire(run.mx.port, run.way)
    run.want(first.answers, 451, 451)
    run.mx.may_crash = True
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    run.persist(users, first)


@case("tables damaged", own={})
def damaged(run):
    if run.is_postern:
        folder, run.mx.may_crash = run.mx.folder + "/state/tables", True
        for name in os.listdir(folder):
            if name.endswith(".db"):
                os.truncate(os.path.join(folder, name), 4096)
        for pid in run.mx.children("directory"):
            os.kill(pid, signal.SIGKILL)
        users = ["dead-1@example.org", "nobody@example.org"]
        for shot in [run.shot(users) for _ in range(20)]:
            shot.fire(run.mx.port, run.way)
        [user] = run.free(1)
        run.persist([user], run.shot([user]).fire(run.mx.port, run.way))
    else:
        os.truncate(run.mx.folder + "/aliases.db", 4096)
        time.sleep(2)
        run.send([run.user(), "dead-1@example.org"])
        run.send("five@example.org")


# ---- kill -9 ----

def kill_at(run, killer, where, recipients, may_be_left=False):
    """The process that comes to this point ends there. where: role, point."""
    role, point = where
    may_be_left |= (role, point, "*") in [tuple(p) for p in POINTS + SHORT]
    killer.rest()
    let_pass(killer, point)
    if point == "worker.start":
        killer.kill("worker")
    slot = run.mx.faults.set(point, "kill", role=role)
    killer.n_kills += role != "worker"
    first = run.shot(recipients)
    first.may_break = True
    first.fire(run.mx.port, run.way)
    if point not in SELDOM:
        wait_until(lambda: run.mx.faults.hits(slot) == 1, 5, point,
                   every=0.01)
    run.mx.faults.clear()
    settle(run, first, point, may_be_left)
    run.persist(recipients, first, may_be_left)


def settle(run, shot, point, may_be_left):
    """All whose RCPT was accepted or none of them, as soon as what died was
    cleaned up behind."""
    boxes = [b for r in shot.accepted for b in run.boxes[r]]
    if boxes and not may_be_left:
        wait_until(lambda: len({mailbox_ids(b).count(shot.id)
                                for b in boxes}) == 1, 10,
                   "all or none at " + point, every=0.02)


def kill_role(role):
    """The function of one role's case."""
    def kill(run):
        killer = Killer(run)
        two = [run.user(), *run.free(1)]
        for words in POINTS:
            if words[0] == role:
                kill_at(run, killer, words[:2], two)
        for words in SHORT:
            if words[0] == role:
                kill_at(run, killer, words[:2], two[:1])
    return kill


for _role in ("smtpd", "directory", "deliver", "worker", "store"):
    case("kill -9 of %s at each step of it" % _role, "postern",
         ONE_EACH)(kill_role(_role))


def kill_meanwhile(victim, steps):
    """The function of one who dies while another stands still."""
    def kill(run):
        killer = Killer(run)
        two = [run.user(), *run.free(1)]
        for words in steps:
            killer.rest()
            let_pass(killer, words[0])
            first = run.shot(two, message=new_message(size=3000))
            first.may_break = True
            slot = run.mx.faults.set(words[0], "sleep", 300)

            def strike(words=words, slot=slot):
                wait_until(lambda: run.mx.faults.hits(slot) > 0, 10,
                           words[0], every=0.01)
                killer.kill(victim)
            run.beside(strike, first)
            if victim == "vault":
                killer.n_kills = 4      # TLS would wait for its back-off
            killer.rest()
            settle(run, first, words[0], len(words) > 1)
            run.persist(two, first, len(words) > 1)
    return kill


for _victim in VICTIMS:
    case("kill -9 of %s at each step of others" % _victim, "postern",
         ONE_EACH)(kill_meanwhile(_victim, STEPS))
# they have no part in a delivery once it has been judged
for _victim in ("policy", "vault", "resolver", "queue", "relay", "auth"):
    case("kill -9 of %s at steps of others" % _victim, "postern",
         ONE_EACH)(kill_meanwhile(_victim, [[p] for p in (
             "smtpd.after-route", "policy.judge", "smtpd.before-commit",
             "smtpd.before-reply")]))


# ---- clients ----

GONE = ("smtpd.end-of-data", "smtpd.after-records", "smtpd.after-prepare",
        "smtpd.after-intent", "smtpd.before-commit", "smtpd.after-commit",
        "smtpd.before-reply")


@case("client vanishes at the dot and comes back", own=ONE_EACH)
def vanishes(run):
    for step in GONE if run.is_postern else ["the dot"]:
        for is_reset in (True, False):
            two = [run.user(), *run.free(1)]
            slot = run.mx.faults.set(step, "sleep", 150) \
                if run.is_postern else None

            def leave(c, step=step, slot=slot, is_reset=is_reset):
                if slot is not None:
                    wait_until(lambda: run.mx.faults.hits(slot) == 1, 10,
                               step, every=0.005)
                if is_reset:
                    c.reset()
                c.close()
                raise Closed
            first = run.shot(two)
            first.may_break, first.after_dot = True, leave
            first.fire(run.mx.port, run.way)
            time.sleep(0.4)
            if run.is_postern:
                run.persist(two, first)
            else:
                run.send(two, message=first.message)
