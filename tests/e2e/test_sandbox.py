# SPDX-License-Identifier: ISC
"""What a compartment that was taken over can do: nothing that DESIGN 3
forbids it, with Landlock and by seccomp and uid alone."""
import os
import pwd
import re

import pytest

from client import new_message
from faults import TWO, checked_lab, must, run_cases
from postern import IS_ROOT, OTHER_OWNER, OWNER, wait_until

ACTIONS = ("open", "write", "inet", "unix", "setuid", "setuid_other", "exec",
           "fork", "kill", "chroot")
COMPARTMENTS = ("smtpd", "policy", "directory", "compiler", "deliver",
                "worker", "store", "vault", "resolver", "control", "auth",
                "queue", "relay")
# without a listener for our own users three of them do not run
OWN_USERS = 'listen "unix:{folder}/submit" {{ role = local }}\n'
# what a compartment is for: directory and compiler ask NSS, whose sources
# include /etc/passwd; deliver forks, and becomes other uids, but none below
# min_uid. As it does not, /etc/passwd is readable for everybody's uid, a worker
# opens files anywhere as the owner of its mailboxes would.
MAY = {
    "directory": {"open", "unix"},
    "compiler": {"open", "unix"},
    "deliver": {"open", "fork", "kill", "write"},
    "worker": {"open", "write"},
    # it is there to reach name servers
    "resolver": {"inet"},
    # it is there to reach other mail servers
    "relay": {"inet"},
    # it asks NSS, as directory does, or Dovecot
    "auth": {"open", "unix"},
    # their root is their own folder, in which they may make files
    "store": set(),
    "queue": set(),
}
CASES = [(name, action, landlock) for name in COMPARTMENTS
         for action in ACTIONS for landlock in (True, False)
         if action not in MAY.get(name, ())
         # that the compiler writes nothing but tables is Landlock's part:
         # without it the uid keeps it from everybody else's files
         and (name, action, landlock) != ("compiler", "write", False)]
# relay connects, by TCP; nothing is to come to it
CASES += [("relay", action, landlock) for action in ("udp", "listen")
          for landlock in (True, False)]


def case_id(case):
    return "%s-%s-%s" % (case[0], case[1],
                         "landlock" if case[2] else "seccomp")


def selected(request, name):
    """The cases of this run's tests of that name."""
    return [item.callspec.params["case"] for item in request.session.items
            if getattr(item, "originalname", "") == name]


# ---- what is tried ----

def run_attempts(lab, case):
    """All actions of one compartment on one server after another."""
    name, action, landlock = case
    lab.server.stop()
    with open(lab.server.log_path, "wb"):
        pass
    environment = lab.server.environment
    environment["POSTERN_SANDBOX_ATTEMPT"] = "%s:%s" % (name, action)
    environment.pop("POSTERN_NO_LANDLOCK", None)
    if not landlock:
        environment["POSTERN_NO_LANDLOCK"] = "1"
    lab.server.launch()
    if name == "worker":
        wait_until(lambda: lab.server.events("ready"), 20, "ready")
        message = new_message()
        for recipient, reply in lab.attempt(TWO, message).items():
            if reply.code == 250:
                lab.expect(recipient, message)

    def outcome():
        for event in lab.server.events("sandbox_attempt"):
            return event["outcome"]
        # killed by the filter: SIGSYS
        for event in lab.server.events("compartment_died", role=name):
            return "signal %s" % event.get("signal")
        for event in lab.server.events("worker_died"):
            return "signal %s" % event["status"].lstrip("-")
        return None
    try:
        result = wait_until(outcome, 20, "an outcome")
        must(result in ("denied", "signal 31"), "%s: %s", case, result)
    finally:
        lab.server.kill_tree()
        lab.server.process = None
        environment.pop("POSTERN_SANDBOX_ATTEMPT")
        environment.pop("POSTERN_NO_LANDLOCK", None)
        with open(lab.server.log_path, "wb"):
            pass


@pytest.fixture(scope="module")
def attempts(request):
    return run_cases(selected(request, "test_forbidden"), run_attempts,
                     more=OWN_USERS)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_forbidden(attempts, case):
    if attempts[case] is not None:
        raise attempts[case]


def test_relay_may_connect():
    """What the cases above forbid is not all that there is."""
    for lab in checked_lab(more=OWN_USERS):
        lab.server.stop()
        lab.server.environment["POSTERN_SANDBOX_ATTEMPT"] = "relay:tcp"
        lab.server.start()
        assert lab.server.wait_event(
            "sandbox_attempt", 20)["outcome"] == "SUCCEEDED"


# ---- what /proc says ----

def status_of(pid):
    """/proc/PID/status as {name: value}."""
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return {k: v.strip() for k, _, v in
                (line.partition(":") for line in f)}


@pytest.fixture(scope="module")
def lab():
    yield from checked_lab(more=OWN_USERS)


SETUID_SETGID = (1 << 7) | (1 << 6)


@pytest.mark.skipif(not IS_ROOT, reason="needs root: uids")
@pytest.mark.parametrize("role", ["smtpd", "policy", "directory", "deliver",
                                  "store", "resolver", "control", "vault",
                                  "worker", "auth", "queue", "relay"])
def test_credentials(lab, role):
    pids = lab.pids(role)
    assert pids
    for pid in pids:
        status = status_of(pid)
        if role == "worker":
            want = {pwd.getpwnam(OWNER), pwd.getpwnam(OTHER_OWNER)}
        else:
            want = {pwd.getpwnam("postern-" + role)}
        assert (status["Uid"], status["Gid"]) in {
            ("\t".join([str(p.pw_uid)] * 4), "\t".join([str(p.pw_gid)] * 4))
            for p in want}
        assert status["Groups"] == ""
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        caps = SETUID_SETGID if role == "deliver" else 0
        for name in ("CapEff", "CapPrm"):
            assert int(status[name], 16) == caps, name
        for name in ("CapInh", "CapAmb"):
            assert int(status[name], 16) == 0, name
        bound = SETUID_SETGID if role in ("deliver", "worker") else 0
        assert int(status["CapBnd"], 16) == bound


@pytest.mark.skipif(not IS_ROOT, reason="needs root: uids and roots")
def test_roots_and_descriptors(lab):
    """Where a compartment needs no file system it has an empty one; and no
    descriptor of the supervisor's gets into it."""
    state = os.path.join(lab.server.folder, "state")
    roots = {"smtpd": state + "/empty", "control": state + "/empty",
             "policy": state + "/empty", "resolver": state + "/empty",
             "vault": state + "/empty",
             "relay": state + "/empty", "queue": state + "/spool",
             "auth": "/", "store": state + "/store", "directory": "/", "deliver": "/",
             "worker": "/"}
    for role, root in roots.items():
        pids = lab.pids(role)
        assert pids, role
        for pid in pids:
            assert os.readlink("/proc/%d/root" % pid) == root, role
            for fd in os.listdir("/proc/%d/fd" % pid):
                target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                assert not re.search(r"postern\.conf$|/etc/shadow", target)
    assert os.listdir(state + "/empty") == []
    assert os.stat(state + "/empty").st_uid == 0


@pytest.mark.skipif(not IS_ROOT, reason="needs root: uids")
def test_uids_all_differ(lab):
    roles = ("smtpd", "policy", "directory", "deliver", "store", "resolver",
             "control", "vault", "worker", "auth", "queue", "relay")
    uids = [{status_of(p)["Uid"] for p in lab.pids(r)} for r in roles]
    assert len(set().union(*uids)) == sum(map(len, uids))


# ---- what a compartment says to the others ----

# sender, and the name that the sender's channel has: a malformed message
# from a peer that asks, and from one that answers
LIES = [("smtpd", "deliver"), ("smtpd", "store"), ("smtpd", "directory"),
        ("smtpd", "supervisor"), ("store", "deliver"), ("store", "smtpd"),
        ("deliver", "smtpd.0"), ("deliver", "store.0"),
        ("directory", "smtpd-0"), ("directory", "supervisor"),
        ("deliver", "worker")]


@pytest.mark.parametrize("liar, channel", LIES)
def test_malformed_message(lab, liar, channel):
    """The liar is cut off and started anew; who was lied to lives on."""
    lab.rest()
    receiver = re.split(r"[.-]", channel)[0]
    lived = set(lab.pids(receiver)) if receiver != "supervisor" else set()
    before = len(lab.server.events())
    slot = lab.faults.set("garble." + channel, "errno", 1)
    if channel == "supervisor":
        if liar == "directory":
            lab.server.write("users", open(
                lab.server.folder + "/users", encoding="ascii").read() + "#\n")
        else:
            lab.faults.set("smtpd.before-route", "kill", role="smtpd")
    # a question or an answer goes that way
    message = new_message()
    if (liar, channel) in (("store", "deliver"), ("deliver", "store.0")):
        lab.faults.set("smtpd.before-commit", "kill", role="smtpd")
    lab.send(TWO, message, deadline=40)
    wait_until(lambda: lab.faults.hits(slot) == 1, 15, "the lie")
    wait_until(lambda: any(
        e.get("event") in ("peer_misbehaved", "compartment_misbehaved",
                           "suspected_break_in", "worker_lost",
                           "worker_died")
        for e in lab.server.events()[before:]), 10, "a word in the log")
    lab.faults.clear()
    wait_until(lab.serves, 30, "service", every=0.2)
    # a worker has nobody else to live for
    if receiver not in ("supervisor", "smtpd", "worker"):
        assert lived <= set(lab.pids(receiver)), "the receiver died"
    lab.check()
