# SPDX-License-Identifier: ISC
"""Which compartments run for which listeners, who is connected to whom, and
the unix socket of the programs on this host."""
import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from client import Client
from postern import free_port, wait_until

LOCAL = 'listen "unix:{folder}/submit" {{ role = local }}\n'
OWN_USERS = {"auth", "queue", "relay"}
ALWAYS = {"queue", "relay"}     # forwards and lists need them: there are aliases


def submission(port):
    return 'listen "127.0.0.1:%d" {{ role = submission }}\n' % port


def running(server):
    """What posternctl status lists: [(name, index, state)]."""
    found = []
    for line in server.ctl("status").splitlines():
        m = re.match(r"([a-z]+) +(\d+) +\d+ +\d+ +([a-z]+) ", line)
        if m:
            found.append(m.groups())
    return found


def names(server):
    return {name for name, _, _ in running(server)}


def one_each(server, more=""):
    """One process of each kind, so that they can be told apart."""
    server.write_config(
        settings="processes {{ smtpd = 1  directory = 1 }}\n", more=more)


def kind_of(server, pid):
    """By the listeners that an smtpd holds."""
    inodes = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            inodes.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except FileNotFoundError:
            pass
    with open("/proc/net/unix", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[-1] == server.folder + "/submit" and \
                    "socket:[%s]" % words[6] in inodes:
                return "local"
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if "socket:[%s]" % words[9] in inodes and words[3] == "0A":
                return "mx" if int(words[1].split(":")[1], 16) == \
                    server.port else "submission"
    return None


# ---- who runs ----

def test_an_mx_has_no_passwords(make_server):
    """Its aliases may name somebody elsewhere: forwards and lists."""
    server = make_server()
    assert names(server) & OWN_USERS == ALWAYS
    assert {"store", "smtpd", "policy", "directory"} <= names(server)
    assert not [f for _, _, files in os.walk(server.folder + "/state/spool")
                for f in files]


@pytest.mark.parametrize("kind", ["submission", "local"])
def test_own_users_need_all_of_them(make_server, kind):
    server = make_server(
        more=LOCAL if kind == "local" else submission(free_port()))
    assert OWN_USERS <= names(server)
    kinds = [kind_of(server, pid) for pid in server.children("smtpd")]
    assert kinds.count(kind) == (1 if kind == "local" else
                                 len(os.sched_getaffinity(0)))
    assert kinds.count("mx") == len(os.sched_getaffinity(0))
    assert None not in kinds


def test_waiting_mail_starts_queue_and_relay(make_server):
    """It was accepted: it has to leave, whoever listens now."""
    server = make_server(start=False)
    folder = server.folder + "/state/spool/left"
    os.makedirs(folder)
    with open(folder + "/behind", "wb"):
        pass
    server.start()
    assert names(server) & OWN_USERS == {"queue", "relay"}


def test_reload_brings_them_and_keeps_queue(make_server):
    server = make_server()
    assert names(server) & OWN_USERS == ALWAYS
    server.write_config(more=LOCAL)
    server.reload()
    wait_until(lambda: OWN_USERS <= names(server), 15, "all of them")
    with Client(server.folder + "/submit") as c:
        assert c.greeting.code == 220
    server.write_config(more="")
    server.wait_event("drained")
    server.reload()
    wait_until(lambda: "auth" not in names(server), 15, "the end of auth")
    # there may be mail on its way
    assert {"queue", "relay"} <= names(server)
    assert not os.path.exists(server.folder + "/submit")


# ---- who is connected to whom ----

def sockets_of(pid):
    """Inodes of its unix sockets."""
    found = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        m = re.match(r"socket:\[(\d+)\]",
                     os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        if m:
            found.add(m.group(1))
    return found


def peers_of(server, pid):
    """The roles at the other ends of a compartment's channels."""
    listing = subprocess.run(["ss", "-xnpH"], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    other_end, roles = {}, {}
    for line in listing.splitlines():
        m = re.match(r"u_seq\s+ESTAB\s+\d+\s+\d+\s+\S+ (\d+)\s+\S+ (\d+)",
                     line)
        if m:
            other_end[m.group(1)] = m.group(2)
    for child in server.children():
        for inode in sockets_of(child):
            roles[inode] = server.role_of(child)
    return {roles.get(other_end[i]) for i in sockets_of(pid)
            if i in other_end} - {None}


@pytest.mark.needs_root
def test_strangers_have_no_way_to_passwords(make_server):
    server = make_server(start=False)
    one_each(server, LOCAL + submission(free_port()) +
             "submission {{ probe = true }}\n")
    server.start()
    wanted = {"directory", "deliver", "store", "vault", "policy", "resolver"}
    own = wanted | {"auth", "queue"}
    found = {}
    for pid in server.children("smtpd"):
        found[kind_of(server, pid)] = peers_of(server, pid)
    # of an mx queue looks at lists alone, with directory's seal
    assert found == {"mx": wanted | {"queue", "relay"}, "local": own,
                     "submission": own}
    [queue] = server.children("queue")
    assert peers_of(server, queue) == {
        "relay", "directory", "deliver", "store", "vault", "control",
        "smtpd"}
    # forwards are asked for by mx: what directory has sealed
    [relay] = server.children("relay")
    assert peers_of(server, relay) == {
        "queue", "resolver", "store", "control", "smtpd", "vault"}
    for auth in server.children("auth"):
        assert peers_of(server, auth) == {"smtpd"}


@pytest.mark.parametrize("role", sorted(OWN_USERS))
def test_killed_one_comes_back(make_server, role):
    server = make_server(more=LOCAL)
    server.may_crash = True
    pids = server.children(role)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(server.children(role)) == len(pids) and
               not set(pids) & set(server.children(role)), 15, "others")
    wait_until(lambda: all(state == "running" for _, _, state in
                           running(server)), 15, "all running")
    with Client(server.folder + "/submit") as c:
        assert c.ehlo()


# ---- a relay with other settings ----

def test_reload_with_other_relay_settings(make_server):
    server = make_server(more=LOCAL)
    [old] = server.children("relay")
    server.reload()
    server.wait_event("drained")
    assert server.children("relay") == [old]
    server.write_config(more=LOCAL + "relay {{ port = 2526 }}\n")
    server.reload()
    wait_until(lambda: old not in server.children("relay"), 30, "its end")
    assert len(server.children("relay")) == 1
    server.wait_event("relay_renewed")
    assert len([n for n in running(server) if n[0] == "relay"]) == 1


# ---- the unix socket ----

def test_the_socket_is_for_everybody(make_server):
    server = make_server(more=LOCAL)
    path = server.folder + "/submit"
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o666
    server.stop()
    assert not os.path.exists(path)


def test_it_outlives_smtpd(make_server):
    server = make_server(more=LOCAL)
    server.may_crash = True
    path = server.folder + "/submit"
    inode = os.stat(path).st_ino
    [pid] = [p for p in server.children("smtpd")
             if kind_of(server, p) == "local"]
    os.kill(pid, signal.SIGKILL)
    # nobody is refused meanwhile
    with Client(path) as c:
        assert c.greeting.code == 220
    server.reload()
    with Client(path) as c:
        assert c.greeting.code == 220
    assert os.stat(path).st_ino == inode


def test_one_that_was_left_behind_is_replaced(make_server):
    server = make_server(more=LOCAL)
    server.kill_tree()
    assert os.path.exists(server.folder + "/submit")
    server.start()
    with Client(server.folder + "/submit") as c:
        assert c.greeting.code == 220


def test_somebody_elses_is_not_touched(make_server):
    server = make_server(more=LOCAL)
    other = make_server(start=False)
    other.may_crash = True          # it must not start
    other.write_config(more='listen "unix:%s/submit" {{ role = local }}\n' %
                       server.folder)
    other.launch()
    other.wait_event("cannot_listen", 30)
    assert other.process.wait(30) != 0
    with Client(server.folder + "/submit") as c:
        assert c.greeting.code == 220


def test_a_file_in_its_place_stays(make_server):
    server = make_server(start=False, more=LOCAL)
    server.may_crash = True         # it must not start
    path = server.folder + "/submit"
    with open(path, "wb") as f:
        f.write(b"mine")
    server.launch()
    server.wait_event("cannot_listen", 30)
    assert server.process.wait(30) != 0
    with open(path, "rb") as f:
        assert f.read() == b"mine"


def test_systemd_may_hold_it(make_server):
    server = make_server(start=False, more=LOCAL)
    path = server.folder + "/submit"
    held = socket.socket(socket.AF_UNIX)
    held.bind(path)
    os.chmod(path, 0o666)
    held.listen(10)
    with open(server.log_path, "ab") as log:
        pid = os.fork()
        if pid == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os.dup2(held.fileno(), 3, True)
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.environ["LISTEN_FDS"] = "1"
            words = server.command("postern", "-f", server.config_path)
            os.execv(words[0], words)
    try:
        # who comes before it runs waits
        with Client(path, greet=False) as c:
            server.wait_event("ready", 30)
            assert c.reply().code == 220
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    assert os.path.exists(path)     # it is not ours
    held.close()
