# SPDX-License-Identifier: ISC
"""Cases of lists with members elsewhere: copies for them wait in the queue,
and what fails there is told to the list's owner, and to nobody else."""
import errno
import os
import time

from cases import case
from cases_faults import ONE_EACH, Killer, kill_at, write_fails
from postern import wait_until

HERE, OWNER = "u009@example.org", "u006@example.org"
THERE = "far@proof.test"
LIST = "far@example.org"


def copies(run, name):
    """How many of this message a member elsewhere has."""
    return sum(name.encode() in m.text for m in
               list(run.world.sink.received.get(THERE, ())))


@case("list with members elsewhere")
def far(run):
    run.stands_for(LIST, HERE)
    run.want(run.send(LIST), 250)
    name = run.shots[-1].id
    wait_until(lambda: copies(run, name), 30, "a copy elsewhere")
    run.want(run.send([LIST, run.user(), "nobody@example.org"]), 550, 250, 250)


def told_owner(run, name):
    """Whether the owner has heard that it failed; his report is taken out
    of his mailbox."""
    box = run.mx.box(OWNER) + "/new"
    for entry in os.listdir(box) if os.path.isdir(box) else []:
        path = os.path.join(box, entry)
        with open(path, "rb") as f:
            if name.encode() in f.read():
                os.unlink(path)
                return True
    return False


@case("list with a member elsewhere whose host refuses")
def far_refused(run):
    run.stands_for("far-refused@example.org", HERE)
    run.want(run.send("far-refused@example.org"), 250)
    name = run.shots[-1].id
    if run.is_postern:
        wait_until(lambda: told_owner(run, name), 30, "a word to the owner")


@case("list with a dead member here and one elsewhere")
def far_dead(run):
    run.stands_for("far-dead@example.org", HERE)
    run.want(run.send("far-dead@example.org"), 451)
    run.send([run.user(), "far-dead@example.org"])


@case("list without an owner, a member elsewhere whose host refuses")
def far_alone(run):
    run.stands_for("far-alone@example.org", HERE)
    run.want(run.send("far-alone@example.org"), 451)


# point; whether the spool's part can fail when the mailboxes have theirs
SPOOL_WRITES = {"queue.create": False, "queue.write_body": False,
                "queue.write": False, "maildir.fdatasync": False,
                "queue.rename": True, "maildir.fsync_dir": True}


@case("list: ENOSPC, EIO, EROFS at each write of the spool", "postern",
      ONE_EACH)
def spool_full(run):
    run.stands_for(LIST, HERE)
    for number in (errno.ENOSPC, errno.EIO, errno.EROFS):
        for point, is_late in SPOOL_WRITES.items():
            run.mx.settle()
            time.sleep(0.3)     # the removal of the last one is flushed
            write_fails(run, point, number, [LIST], 0, "queue", is_late)
            run.mx.settle()
            if copies(run, run.shots[-1].id) > 1:
                run.problems.append("two copies elsewhere: " + point)


# role, point; a star: queue may have sent it (RFC 1047)
LIST_KILLS = [p.split() for p in """
smtpd smtpd.before-queue
smtpd smtpd.after-queue
queue queue.prepare
queue queue.after-files
queue queue.prepared
smtpd smtpd.before-queue-commit
queue queue.commit
queue queue.after-flush *
queue queue.committed *
smtpd smtpd.after-queue-commit *
""".strip().splitlines()]


@case("kill -9 at each step of a list with members elsewhere", "postern",
      ONE_EACH)
def killed(run):
    killer = Killer(run)
    run.stands_for(LIST, HERE)
    for role, point, *star in LIST_KILLS:
        kill_at(run, killer, (role, point), [LIST],
                may_be_left="commit" in point or bool(star))
        name = run.shots[-1].id
        wait_until(lambda name=name: copies(run, name), 30, "a copy")
        run.mx.settle()
        if copies(run, name) > 1 + len(star):
            run.problems.append("%s: %d copies elsewhere" % (
                point, copies(run, name)))
