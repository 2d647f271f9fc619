# SPDX-License-Identifier: ISC
"""Start, reload, stop, restart; with and without root."""
import contextlib
import json
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from client import Closed, new_message, wire
from compartment import ASK, Compartment, enum_of
from postern import (BUILD, IS_ROOT, OWNER, TOP, Server, free_port,
                     wait_until)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---- reload ----

def test_reload_keeps_the_open_session(make_server):
    server = make_server(limits="recipients = 5")
    with server.connect() as old:
        old.ehlo()
        old.envelope("alice@example.org")
        server.write_config(limits="recipients = 9")
        server.reload()

        def is_new():
            with server.connect() as c:
                return c.ehlo()["LIMITS"] == "RCPTMAX=9"
        wait_until(is_new, 15, "the new configuration", every=0.2)
        assert old.data(new_message()).code == 250
        assert old.ehlo()["LIMITS"] == "RCPTMAX=5"
        assert old.deliver("bob@example.org", new_message()).code == 250
        old.quit()
    assert len(server.mail("alice")) == len(server.mail("bob")) == 1
    server.wait_event("drained")
    # nothing is left of the old generation
    assert len(server.children("smtpd")) <= max(1, os.cpu_count() or 1)
    with server.connect() as c:
        c.ehlo()
        assert c.deliver("alice@example.org", new_message()).code == 250


def test_reload_in_the_middle_of_data(make_server):
    server = make_server()
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        c.expect("DATA", "354")
        message = wire(new_message(size=50000))
        c.send(message[:20000])
        server.reload()
        c.send(message[20000:])
        assert c.reply().code == 250
    assert len(server.mail("alice")) == 1


def test_reload_with_errors_keeps_the_old_configuration(make_server):
    server = make_server(limits="recipients = 5")
    server.write("postern.conf", "nonsense = 1\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("reload_failed")
    with server.connect() as c:
        assert c.ehlo()["LIMITS"] == "RCPTMAX=5"
        assert c.deliver("alice@example.org", new_message()).code == 250
    server.write_config(limits="recipients = 6")
    server.reload()
    with server.connect() as c:
        c.ehlo()


def test_no_connection_is_lost_over_reloads(make_server):
    """A client that comes at any moment is served."""
    server = make_server()
    delivered = 0
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert server.deliver("alice@example.org",
                                  new_message()).code == 250
            delivered += 1
    assert len(server.mail("alice")) == delivered > 10


# ---- posternctl ----

def test_every_command_is_in_the_manual(make_server):
    """In its synopsis, in its list, and in what posternctl says by itself."""
    status, said = make_server().ctl("nonsense", check=False)
    verbs = re.search(r"It knows: ([^.]*)\.", said).group(1).split(", ")
    assert status == 2 and len(verbs) > 15
    with open(os.path.join(TOP, "doc/posternctl.8"),
              encoding="utf-8") as f:
        synopsis, listed = f.read().split(".Sh DESCRIPTION")
    usage = subprocess.run([os.path.join(BUILD, "posternctl")], check=False,
                           stderr=subprocess.PIPE, text=True).stderr
    for verb in verbs:
        word = re.compile(r"\.(It )?Cm ([a-z]+ \| )*%s\b" % verb)
        assert word.search(synopsis), verb
        assert word.search(listed), verb
        assert re.search(r"\b%s\b" % verb, usage), verb


def test_every_compartment_is_in_the_manual():
    """And has a user of its own to run as."""
    with open(os.path.join(TOP, "lib/compartment.c"), encoding="utf-8") as f:
        table = re.search(r"role_names\[.*?\] = \{(.*?)\};", f.read(), re.S)
    roles = set(re.findall(r'"(\w+)"', table.group(1))) - {"supervisor"}
    with open(os.path.join(TOP, "doc/postern.8"), encoding="utf-8") as f:
        listed = f.read().split(".Ss Compartments")[1].split(".Ss")[0]
    with open(os.path.join(TOP, "etc/sysusers.d/postern.conf"),
              encoding="utf-8") as f:
        users = set(re.findall(r"^u postern-(\w+)", f.read(), re.M))
    assert len(roles) > 10
    assert set(re.findall(r"^\.It Cm (\w+)$", listed, re.M)) == roles
    assert users == roles | {"program"}


def test_status_for_prometheus(make_server):
    """Strictly by its text format; all numbers of status json are there."""
    server = make_server(more='listen "unix:{folder}/submit" '
                         '{{ role = local }}\n')
    assert server.deliver("alice@example.org", new_message()).code == 250
    assert server.rcpt("nobody@example.org").says("550")
    assert server.rcpt("nobody@example.org", sender="").says("550")
    text = server.ctl("status", "prometheus")
    values, types, family = {}, {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            word = re.fullmatch(r"# (HELP|TYPE) (postern_[a-z0-9_]+) (.+)",
                                line)
            assert word, line
            kind, name, said = word.groups()
            if kind == "HELP":
                assert name not in types, "twice: " + name
                types[name], family = None, name
                assert said.endswith("."), line
            else:
                assert name == family and types[name] is None, line
                assert said in ("counter", "gauge", "histogram"), line
                types[name] = said
            continue
        sample = re.fullmatch(
            r"(postern_[a-z0-9_]+)((?:\{(?:[a-z]+=\"[^\"\\]*\",?)+\})?) "
            r"(\d+(?:\.\d+)?)", line)
        assert sample, line
        name, labels, value = sample.groups()
        base = name if types[family] != "histogram" else \
            re.sub("_(bucket|sum|count)$", "", name)
        assert base == family, "out of its family: " + line
        assert name.endswith("_total") == (types[family] == "counter"), line
        assert name + labels not in values, "twice: " + line
        values[name + labels] = float(value)
    assert all(types.values()) and text.endswith("\n")
    assert values["postern_messages_accepted_total"] == 1
    assert values["postern_refused_5xx_total"] == 2
    assert values["postern_bounces_refused_total"] == 1
    buckets = [values['postern_rcpt_seconds_bucket{le="%s"}' % le]
               for le in ("0.005", "0.05", "0.5", "5", "+Inf")]
    assert buckets == sorted(buckets) and buckets[-1] == 3
    assert values["postern_rcpt_seconds_count"] == 3
    assert values["postern_rcpt_seconds_sum"] > 0
    assert values["postern_queue_answers"] == 1
    assert values["postern_relay_answers"] == 1
    assert values['postern_compartment_running{compartment="store",'
                  'index="0",generation="1"}'] == 1
    # nothing of the status is forgotten
    told = json.loads(server.ctl("status", "json"))
    for part, prefix in (("server", ""), ("counters", ""), ("store", ""),
                         ("queue", "queue_"), ("relay", "relay_"),
                         ("resolver", "dns_")):
        for key, value in told[part].items():
            if isinstance(value, int) and not key.startswith("rcpt_"):
                name = "postern_" + prefix + re.sub("_s$", "_seconds", key)
                assert {name, name + "_total"} & set(values), name
    for entry in told["compartments"]:
        assert any('compartment="%s",index="%d"' % (
            entry["compartment"], entry["index"]) in n for n in values)


def test_a_process_that_drains_is_one_that_runs(make_server):
    """Who is woken by a 0 sleeps through a reload."""
    server = make_server()
    with server.connect() as client:
        client.ehlo()
        server.ctl("reload")
        draining = re.search(r"^smtpd .* draining ",
                             server.ctl("status"), re.M)
        assert draining
        running = re.findall(
            r'^postern_compartment_running\{compartment="smtpd",index="\d",'
            r'generation="1",kind="mx"\} (\d)$',
            server.ctl("status", "prometheus"), re.M)
        assert running and set(running) == {"1"}


def test_counters_of_the_manual_are_in_the_status(make_server):
    said = make_server().ctl("status")
    with open(os.path.join(TOP, "doc/posternctl.8"),
              encoding="utf-8") as f:
        told = f.read().split(".It Cm status")[1].split(".It Cm why")[0]
    names = set(re.findall(r"\b[a-z]+_[a-z_]+\b", told))
    names -= {"memory_messages", "over_limit"}      # a key; dns_over_limit
    names -= {n for n in names if n.startswith("postern_")}  # prometheus
    assert len(names) > 15
    assert not {n for n in names
                if not re.search(r"^%s " % n, said, re.M)}


@pytest.mark.parametrize("words", [
    ["why"], ["reload", "now"], ["status", "xml"], ["tables", "x"],
    ["dns", "example.org", "SRV"], ["dns", "a..b", "A"]])
def test_a_wrong_call_is_status_2(make_server, words):
    """As posternctl(8) says: 1 is the answer to a question."""
    server = make_server()
    assert server.ctl(*words, check=False)[0] == 2
    assert server.ctl("route", "nobody@example.org", check=False)[0] == 1


def test_why_of_a_queue_id(make_server):
    """It stands in a reply, too: "accepted, queued as 65V7MT6XNS"."""
    status, said = make_server().ctl("why", "65V7MT6XNS", check=False)
    assert status == 1 and "Of a queue id `posternctl show` tells" in said


# ---- stop ----

def test_sigterm_ends_everything(make_server):
    server = make_server()
    pids = [server.process.pid] + server.children()
    assert len(pids) > 5
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    assert [p for p in pids if is_alive(p)] == []
    with pytest.raises(OSError):
        server.connect()


def test_sigterm_tells_idle_sessions(make_server):
    server = make_server()
    with server.connect() as c:
        c.ehlo()
        server.process.send_signal(signal.SIGTERM)
        reply = c.reply()
        assert reply.code == 421 and "4.3.2" in reply.text
        assert c.is_closed()


def test_sigterm_does_not_wait_for_who_says_nothing(make_server):
    """`sendmail -bs` at a terminal, with MAIL said."""
    server = make_server()
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert c.is_silent(2)
        c.expect("RCPT TO:<alice@example.org>", "250")
        reply = c.reply()
        assert reply.code == 421 and "4.3.2" in reply.text
        assert c.is_closed()
        assert server.stop() == 0
        assert time.monotonic() - began < 30
    assert server.mail("alice") == []


def test_sigterm_keeps_nobody_waiting_outside(make_server):
    """Who connects while a session ends goes to another MX at once."""
    server = make_server(more='listen "unix:{folder}/submit" {{\n'
                              'role = local\n}}\n')
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        c.expect("DATA", "354")
        server.process.send_signal(signal.SIGTERM)
        server.wait_event("stopping")

        def is_refused(*address):
            try:
                server.connect(*address, greet=False).close()
            except ConnectionRefusedError:
                return True
            return False
        wait_until(is_refused, 5, "end of the listening socket")
        assert is_refused("::1")
        assert not os.path.exists(server.folder + "/submit")
        c.send(wire(new_message()))
        assert c.reply().code == 250
    assert server.stop() == 0
    assert len(server.mail("alice")) == 1


def test_sigterm_finishes_a_running_transaction(make_server):
    """The dot was sent: the answer comes, and it is true."""
    server = make_server()
    sessions = []
    for _ in range(8):
        c = server.connect()
        c.ehlo()
        c.envelope(["alice@example.org", "bob@example.org"])
        c.expect("DATA", "354")
        message = wire(new_message(size=200000))
        c.send(message[:-3])
        sessions.append(c)
    for c in sessions:
        c.send(b".\r\n")
    server.process.send_signal(signal.SIGTERM)
    codes = []
    for c in sessions:
        try:
            codes.append(c.reply().code)
        except (Closed, ConnectionError):
            codes.append(None)
        c.close()
    assert server.stop() == 0
    assert None not in codes, codes
    # those that were told 250 have it, the others not
    assert len(server.mail("alice")) == len(server.mail("bob")) == \
        codes.count(250)
    assert set(codes) <= {250, 421, 451}
    assert server.tmp_files("alice") == []


def test_sigint_stops_too(make_server):
    server = make_server()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 0


# ---- what dies ----

@pytest.mark.parametrize("role", ["smtpd", "directory", "deliver", "store",
                                  "control"])
def test_killed_compartment_is_restarted(make_server, role):
    server = make_server()
    server.may_crash = True
    assert server.deliver("alice@example.org", new_message()).code == 250
    killed = server.children(role)
    assert killed, "no process of %s" % role
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    server.wait_event("compartment_died", role=role)

    def serves():
        try:
            return server.deliver("bob@example.org",
                                  new_message()).code == 250
        except (OSError, Closed, AssertionError):
            return False
    wait_until(serves, 20, "service after the death of %s" % role, every=0.2)
    wait_until(lambda: re.search(r" running .* [1-9]\d*( +[a-z]+)?$",
                                 server.ctl("status"), re.M),
               10, "restart in posternctl status", every=0.3)
    assert not set(killed) & set(server.children(role))
    assert server.process.poll() is None


def test_killed_smtpd_leaves_the_others_sessions(make_server):
    """Sessions of other processes go on."""
    server = make_server(settings="\nprocesses {{ smtpd = 2 }}\n")
    server.may_crash = True
    victim, survivor = server.children("smtpd")
    sessions = {}
    for pid in (victim, survivor):
        with server.only_smtpd(pid):
            sessions[pid] = [server.connect() for _ in range(5)]
    for c in sessions[victim] + sessions[survivor]:
        c.ehlo()
    os.kill(victim, signal.SIGKILL)
    for c in sessions[survivor]:
        assert c.deliver("alice@example.org", new_message()).code == 250
        c.close()
    assert len(server.mail("alice")) == 5
    for c in sessions[victim]:
        with pytest.raises((OSError, Closed)):
            c.command("NOOP")
        c.close()


def test_killed_supervisor_leaves_nothing_running(make_server):
    """And the next one can have the folder."""
    server = make_server()
    server.may_crash = True
    pids = server.children()
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(is_alive(p) for p in pids), 20,
               "end of the compartments")
    server.start()
    assert server.deliver("alice@example.org", new_message()).code == 250


# ---- one folder, one server ----

def test_only_one_server_per_state_dir(make_server):
    server = make_server()
    text = open(server.config_path, encoding="utf-8").read()
    other = server.write("other.conf", text.replace(
        ":%d" % server.port, ":%d" % free_port()))
    with open(server.folder + "/other.log", "wb") as log:
        process = subprocess.Popen(server.command("postern", "-f", other),
                                   stderr=log, stdout=log)
    try:
        time.sleep(2)
        text = open(server.folder + "/other.log", encoding="utf-8").read()
        assert "event=ready" not in text
        assert server.deliver("alice@example.org", new_message()).code == 250
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail("the waiting server does not end on SIGTERM")


def test_a_state_dir_without_mappings(make_server):
    """Such a disk is named at the start, not by store again and again."""
    if not IS_ROOT or not os.path.exists("/dev/fuse"):
        pytest.skip("mounts a file system of FUSE")
    server = make_server(start=False)
    server.may_crash = True
    state = os.path.join(server.folder, "state")
    os.mkdir(state)
    if subprocess.run(["bindfs", "-o", "direct_io", state, state],
                      check=False).returncode != 0:
        pytest.skip("bindfs cannot mount here")
    server.mounts.append(state)
    server.launch()
    assert server.process.wait(20) == 1
    assert "state_dir %s: files cannot be mapped there" % state in \
        server.log_text()


def test_state_survives_a_restart(make_server):
    """Compiled tables serve although their sources are gone."""
    server = make_server()
    assert server.deliver("alice@example.org", new_message()).code == 250
    server.stop()
    server.write("users", "alice\nbob quota=nonsense\n")
    server.start()
    assert server.rcpt("carol@example.org").code == 250
    assert server.deliver("alice@example.org", new_message()).code == 250
    assert len(server.mail("alice")) == 2


def test_notify_socket(make_server):
    """systemd hears READY=1 and STOPPING=1."""
    server = make_server(start=False)
    path = os.path.join(server.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        os.chmod(path, 0o777)
        s.settimeout(20)
        server.environment["NOTIFY_SOCKET"] = path
        server.start()
        assert s.recv(4096).startswith(b"READY=1")
        server.stop()
        assert b"STOPPING=1" in s.recv(4096)


# ---- uids ----

@pytest.mark.needs_root
def test_each_compartment_has_its_own_uid(make_server):
    server = make_server()
    server.deliver("alice@example.org", new_message())
    uids = {}
    for pid in server.children():
        role = server.role_of(pid)
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1)
                          for line in f if ":\t" in line)
        assert status["NoNewPrivs"].strip() == "1", (pid, role)
        assert status["Seccomp"].strip() == "2", (pid, role)
        uids.setdefault(role, set()).add(
            tuple(status["Uid"].split("\t")))
    for role in ("smtpd", "directory", "store", "control"):
        uid = str(pwd.getpwnam("postern-" + role).pw_uid)
        assert uids[role] == {(uid,) * 4}, (role, uids[role])
    assert ("0", "0", "0", "0") not in set().union(*uids.values())


@pytest.mark.needs_root
def test_without_root_all_runs_under_the_callers_uid():
    server = Server(run_as=OWNER)
    try:
        server.start()
        assert server.deliver("alice@example.org", new_message()).code == 250
        assert server.rcpt("nobody@example.org").says("550 5.1.1")
        uid = pwd.getpwnam(OWNER).pw_uid
        for pid in [server.process.pid] + server.children():
            assert os.stat("/proc/%d" % pid).st_uid in (uid, 0)
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                text = f.read()
            assert re.search(r"Uid:\t%d\t%d\t%d\t%d" % ((uid,) * 4), text)
            if server.role_of(pid):
                assert "Seccomp:\t2" in text, server.role_of(pid)
        [mail] = server.mail("alice")
        assert os.stat(mail.path).st_uid == uid
        assert "smtpd" in server.ctl("status")
        refusal = server.rcpt("nobody@example.org")
        server.why(refusal, "nobody@example.org")
        server.reload()
        assert server.deliver("alice@example.org", new_message()).code == 250
        assert server.stop() == 0
    finally:
        server.close()


# ---- started by whom it may be ----

@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_descriptors(make_server, closed):
    """It runs, and nothing of its own has the number that the log is
    written to."""
    server = make_server(start=False)
    server.launcher = ["sh", "-c", 'exec "$0" "$@" ' + closed]
    server.launch()
    wait_until(lambda: server.process.poll() is not None or
               server.ctl("status", check=False)[0] == 0)
    assert server.process.poll() is None
    for pid in [server.process.pid, *server.children("store")]:
        assert os.readlink("/proc/%d/fd/2" % pid) == "/dev/null"
    assert server.deliver("alice@example.org", new_message()).code == 250


def test_posternctl_with_standard_error_closed(make_server):
    """What is wrong is not told to the server's socket."""
    server = make_server()
    result = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" 2>&-',
         *server.command("posternctl", "-f", server.config_path, "nosuch")],
        check=False, timeout=60)
    assert result.returncode == 2


def test_posternctl_with_a_file_that_is_no_configuration(make_server):
    """It says what is wrong with it, and not "Success"."""
    server = make_server(start=False)
    path = server.write("other.conf", "# x\n" * 5000000)
    status, text = server.ctl("-f", path, "status", check=False)
    assert (status, text) == (
        1, "posternctl: %s: larger than 16 MiB\n" % path)


def test_no_proc(make_server):
    """Why nothing starts is said."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a namespace of mounts")
    server = make_server(start=False)
    server.may_crash = True
    server.launcher = ["unshare", "-m", "sh", "-c",
                       'umount -l /proc && exec "$0" "$@"']
    server.launch()
    server.wait_event("cannot_execute", role="store", error="ENOENT",
                      program="/proc/self/exe")
    server.wait_event("compartment_died", role="store", status="127")


def test_scoreboards_of_many_reloads():
    """Those who live through all reloads keep the newest ones alone."""
    name = enum_of("compartment.h", "setup_fd")[
        "SETUP_FD_SCOREBOARD_OF_OTHERS"]
    with Compartment("resolver") as resolver:
        control, = resolver.start([("control",)])

        def n_kept():
            folder = "/proc/%d/fd/" % resolver.process.pid
            n = 0
            for fd in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):
                    n += "memfd:board" in os.readlink(folder + fd)
            return n

        def is_served():
            number = control.ask(ASK["RESOLVER_STATUS"], b"")
            return control.answers([number])[number][1]
        for _ in range(400):
            board = os.memfd_create("board")
            resolver.supervisor.send(
                ASK["SETUP_FD"], struct.pack("!H", name), board)
            os.close(board)
        assert is_served()
        # some may be on their way
        wait_until(lambda: n_kept() == 160, 5, "so many", every=0.2)
        time.sleep(0.2)
        assert n_kept() == 160 and is_served()
