# SPDX-License-Identifier: ISC
"""Every refusal explains itself: ids, log lines, posternctl."""
import contextlib
import datetime
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from client import new_message
from postern import IS_ROOT, wait_until

LEVELS = {3: "error", 4: "warning", 5: "notice", 6: "info", 7: "debug"}
ALIASES = """postmaster: alice
abuse: alice
root: alice
team: alice,
      bob
outer: team, carol
dead: nosuchuser
"""


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(aliases=ALIASES, domain_keys="names = true",
                              limits="unknown_recipients = 0\n"
                              "errors_per_session = 0  message_size = 100K")


@pytest.fixture
def session(server):
    with server.connect() as c:
        c.ehlo()
        yield c


REFUSALS = [
    # commands, the refusal of the last; what the trail must speak of
    (["RCPT TO:<nobody@example.org>"], ["nobody@example.org", "550", "5.1.1"]),
    (["RCPT TO:<x@not-ours.example>"], ["x@not-ours.example", "5.7.1"]),
    (["RCPT TO:<dead@example.org>"], ["dead@example.org", "451", "4.2.4"]),
    (["VRFY"], ["501"]),
    (["NONSENSE"], ["500"]),
    (["MAIL FROM:<a@b.example>"], ["503"]),
]


@pytest.mark.parametrize("commands, wanted", REFUSALS)
def test_why(server, session, commands, wanted):
    session.expect("MAIL FROM:<sender@elsewhere.example>", "250")
    refusal = [session.command(c) for c in commands][-1]
    text = server.why(refusal)
    for word in ("check", "asked", "answer", "reply"):
        assert re.search(word, text, re.I), "no %s in:\n%s" % (word, text)
    for word in wanted + ["127.0.0.1"]:
        assert word in text, "no %s in:\n%s" % (word, text)
    assert re.search(r"(?m)^\s*took:?\s+[\d.]+ (us|ms|s)$", text, re.I), \
        "not how long it took:\n" + text


def test_why_of_a_refused_message(server, session):
    refusal = session.deliver("alice@example.org", new_message(size=200000))
    server.why(refusal, "552", "size")


def test_why_tells_two_refusals_of_one_session_apart(server, session):
    session.expect("MAIL FROM:<s@elsewhere.example>", "250")
    first = session.command("RCPT TO:<one@example.org>")
    second = session.command("RCPT TO:<two@example.org>")
    assert first.id != second.id
    server.why(first, "one@example.org")
    assert "one@example.org" not in server.why(second, "two@example.org")


def test_why_reads_ids_as_people_write_them(server, session):
    session.expect("MAIL FROM:<s@elsewhere.example>", "250")
    refusal = session.command("RCPT TO:<spoken@example.org>")
    server.why(refusal.id.upper(), "spoken@example.org")


@pytest.mark.parametrize("pasted", [
    "({id})", "{reply}", "{reply}\n", "id={id} code=550",
    "<postmaster@example.org> said: {reply}\r\nGood bye (Ubuntu)."])
def test_why_of_what_is_pasted(server, session, pasted):
    session.expect("MAIL FROM:<s@elsewhere.example>", "250")
    refusal = session.command("RCPT TO:<pasted@example.org>")
    line = "550 5.1.1 " + refusal.text
    text = pasted.format(id=refusal.id, reply=line)
    assert "(%s)" % refusal.id in line
    want = server.why(refusal, "pasted@example.org")
    assert server.ctl("why", text) == want
    # without quotation marks
    assert server.ctl("why", *text.split()) == want


def test_why_of_a_pasted_line_with_a_mistyped_id(server, session):
    refusal = session.command("NONSENSE")
    wrong = ("x" if refusal.id[0] != "x" else "y") + refusal.id[1:]
    status, text = server.ctl("why", "500 5.5.2 unknown (%s)" % wrong,
                              check=False)
    assert status == 1 and '"%s" is not an id' % wrong in text


@pytest.mark.parametrize("bad", ["", "x", "k3f9q2m7", "000000000",
                                 "../../etc/passwd", "zzzzzzzzz1"])
def test_why_of_an_id_that_does_not_exist(server, bad):
    status, text = server.ctl("why", bad, check=False)
    assert status != 0 and text.strip()


def test_why_after_a_restart(make_server):
    server = make_server()
    refusal = server.rcpt("nobody@example.org")
    server.why(refusal)
    server.restart()
    server.why(refusal, "nobody@example.org")


def test_why_says_where_to_look_next(make_server):
    """Each event that it names is really in the log."""
    server = make_server(
        checks='virus = refuse  clamd "unix:{folder}/nothing" {{ }}')
    server.await_trail()
    reply = server.deliver(["alice@example.org"], new_message())
    text = server.why(reply, "temporary: the client is to try again later")
    event, = re.findall(r"See also  event=(\w+) in the log", text)
    assert event == "clamd_failed"
    server.wait_event(event, session=reply.id[:9])
    maildir = server.maildir("bob")
    os.makedirs(os.path.dirname(maildir))
    with open(maildir, "wb"):
        pass                            # a file in the place of the folder
    text = server.why(server.rcpt("bob@example.org"))
    event, = re.findall(r"See also  event=(\w+) in the log", text)
    assert event == "mailbox_unusable"
    assert server.wait_event(event)["maildir"] == maildir


def test_a_trail_that_cannot_be_read(make_server):
    """It is there: nobody is told that it was deleted."""
    server = make_server()
    refusal = server.await_trail().rcpt("nobody@example.org")
    server.why(refusal)
    folder = os.path.join(server.folder, "state/store/trail")
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0)
    status, text = server.ctl("why", refusal.id, check=False)
    assert status == 75 and "cannot be read: Permission denied" in text, text
    assert folder in text and "deleted" not in text
    server.wait_event("trail_unreadable", folder=folder)
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o600)
    server.why(refusal, "nobody@example.org")


def test_a_trail_that_cannot_be_written(make_server):
    """The log says where, and what follows from it; so does why."""
    server = make_server()
    server.stop()
    folder = os.path.join(server.folder, "state/store/trail")
    os.chmod(folder, 0o500)
    server.start()
    refusal = server.rcpt("nobody@example.org")
    status, text = server.ctl("why", refusal.id, check=False)
    assert status == 1 and "No trail was kept" in text and folder in text
    said = server.wait_event("trail_segment", folder=folder)
    assert "knows nothing of new sessions" in said["effect"]
    assert folder in server.wait_event("alarm")["problem"]
    os.chmod(folder, 0o700)


def test_client_text_in_the_trail_is_harmless(server, session):
    session.expect("MAIL FROM:<s@elsewhere.example>", "250")
    refusal = session.command(
        'RCPT TO:<"a b\\"event=delivered level=\x7e"@example.org>')
    text = server.why(refusal)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    server.wait_event("refused", id=refusal.id)
    assert len(server.events("refused", id=refusal.id)) == 1
    assert not server.events("delivered", id=refusal.id)


# ---- ids everywhere ----

def test_every_4xx_and_5xx_carries_an_id(server, session):
    said = [session.command(line) for line in (
        "NONSENSE", "RCPT TO:<alice@example.org>", "EXPN x", "VRFY",
        "MAIL FROM:<a@b.example> SIZE=999999", "MAIL FROM:<bad",
        "MAIL FROM:<a@b.example> RET=FULL")]
    session.expect("MAIL FROM:<a@b.example>", "250")
    said += [session.command(line) for line in (
        "RCPT TO:<nobody@example.org>", "RCPT TO:<x@not-ours.example>",
        "RCPT TO:<dead@example.org>", "DATA", "BDAT x")]
    ids = [r.id for r in said]
    assert all(r.code >= 400 for r in said), said
    assert None not in ids, said
    assert len(set(ids)) == len(ids)
    # one session: the ids begin alike
    assert len({i[:9] for i in ids}) == 1


def test_session_id_in_every_line_of_the_session(server, session):
    refusal = session.command("NONSENSE")
    session_id = refusal.id[:9]
    assert session.deliver("alice@example.org", new_message()).code == 250
    session.quit()
    server.wait_event("session_closed", session=session_id)
    names = {e["event"] for e in server.events(session=session_id)}
    assert {"refused", "delivered", "session_closed"} <= names
    [refused] = server.events("refused", session=session_id)
    assert refused["code"] == "500" and refused["client"] == "127.0.0.1"
    assert refused["id"] == refusal.id
    # and the Received field of what was delivered names it
    assert "id " + session_id in server.mail("alice")[-1].get("Received")


def test_helo_client_gets_the_id_too(server):
    with server.connect() as c:
        c.expect("HELO x.example", "250")
        assert c.command("NONSENSE").id


def test_one_line_per_event(server, session):
    refusal = session.command("NONSENSE with \"quotes\" and = signs")
    session.quit()
    server.wait_event("session_closed", session=refusal.id[:9])
    for line in server.log_text().splitlines():
        assert re.match(r"<[0-7]>postern/[\w-]+: event=[\w-]+( |$)", line), \
            line


def test_json_log(make_server):
    server = make_server(start=False, settings='log_format = "json"\n')
    server.launch()
    wait_until(lambda: '"ready"' in server.log_text(), 30, "ready")
    with server.connect() as c:
        c.ehlo("name.example")
        assert c.command("NONSENSE").code == 500
        assert c.command("VRFY").code == 501
        c.expect("MAIL FROM:<a@b.example> SMTPUTF8", "250")
        c.expect('RCPT TO:<"q\\"uote\\\\ü"@example.org>', "550")
        c.expect("RSET", "250")
        c.deliver("alice@example.org", new_message())
        c.quit()
    wait_until(lambda: '"session_closed"' in server.log_text(), 5, "line")
    events = []
    for line in server.log_text().splitlines():
        m = re.match(r"<([0-7])>(\{.*\})$", line)
        assert m, line
        events.append(json.loads(m.group(2)))
        assert list(events[-1])[:4] == ["time", "level", "compartment",
                                        "event"]
        assert events[-1]["level"] == LEVELS[int(m.group(1))]
        assert abs(datetime.datetime.fromisoformat(
            events[-1]["time"].replace("Z", "+00:00")).timestamp() -
            time.time()) < 300
    assert {"ready", "refused", "delivered"} <= {e["event"] for e in events}
    assert {"supervisor", "smtpd"} <= {e["compartment"] for e in events}
    refused = [e for e in events if e["event"] == "refused"]
    assert [e["code"] for e in refused] == [500, 501, 550]
    assert any("ü" in str(e) for e in refused)


def config_lines(server):
    """What the log says of the configuration: every line is an object."""
    lines = [json.loads(re.match(r"<[0-7]>(\{.*\})$", line).group(1))
             for line in server.log_text().splitlines()]
    return [(e["level"], e["event"], e["line"], e["problem"])
            for e in lines if e["event"].startswith("config_")]


def test_json_log_of_a_wrong_configuration(make_server):
    server = make_server(start=False, settings='log_format = "json"\n',
                         more="nonsense = 1\n")
    server.launch()
    assert server.process.wait(20) == 1
    server.process = None
    (level, event, line, problem), = config_lines(server)
    assert (level, event) == ("error", "config_error") and line > 0
    assert "nonsense" in problem
    assert '"not_started"' in server.log_text()


def test_json_log_of_a_wrong_reload(make_server):
    server = make_server(start=False, settings='log_format = "json"\n',
                         limits="recipients = 50")
    server.launch()
    wait_until(lambda: '"ready"' in server.log_text(), 30, "ready")
    (level, event, _, problem), = config_lines(server)
    assert (level, event) == ("warning", "config_warning"), problem
    assert "recipients = 50" in problem
    server.write_config(more="nonsense = 1\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: '"reload_failed"' in server.log_text(), 30, "failure")
    assert [x[:2] for x in config_lines(server)] == [
        ("warning", "config_warning"), ("error", "config_error"),
        ("warning", "config_warning")]
    assert server.deliver("alice@example.org", new_message()).code == 250


@pytest.mark.needs_root
def test_full_state_folder_raises_an_alarm(make_server):
    """That refusals cannot be explained later is said now."""
    server = make_server(start=False,
                         limits="unknown_recipients = 0\n"
                         "errors_per_session = 0")
    state = os.path.join(server.folder, "state")
    os.mkdir(state)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs",
                       state], check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    server.mounts.append(state)
    server.start()
    with open(os.path.join(state, "filler"), "wb", 0) as filler:
        with pytest.raises(OSError):
            while True:
                filler.write(b"x" * 4096)
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        for i in range(500):
            c.expect("RCPT TO:<nobody%d@example.org>" % i, "550 5.1.1")
        c.quit()
    assert "trail" in server.wait_event("alarm")["problem"]
    assert len(server.events("alarm")) <= len(server.children("smtpd"))


# ---- status ----

def test_status_shows_compartments_sessions_counters(make_server):
    server = make_server()
    assert server.deliver("alice@example.org", new_message()).code == 250
    server.rcpt("nobody@example.org")
    with server.connect() as one, server.connect() as two:
        one.ehlo()
        two.ehlo()
        # those before may be about to end
        wait_until(lambda: server.figure("sessions_now") == 2, 5, "sessions")
        text = server.ctl("status")
        for role in ("store", "deliver", "directory", "smtpd", "control"):
            assert re.search(r"\b%s\b" % role, text), text
        assert "running" in text
        for pid in server.children("smtpd"):
            assert re.search(r"\b%d\b" % pid, text), text
        assert re.search(r"sessions_now[=: ]+2\b", text), text
    assert re.search(r"messages_accepted[=: ]+1\b", text), text
    assert re.search(r"recipients_accepted[=: ]+1\b", text), text
    assert re.search(r"refused_5xx[=: ]+1\b", text), text
    wait_until(lambda: server.figure("sessions_now") == 0, 5, "no sessions")


def test_status_has_the_whole_path_of_the_configuration(make_server):
    server = make_server(start=False)
    path = os.path.join(server.folder, 'my "post\u00e9rn" = 1.conf')
    os.rename(server.config_path, path)
    server.config_path = path
    server.start()
    assert "with %s\n" % path in server.ctl("status")
    assert json.loads(server.ctl("status", "json"))["server"]["config"] == path


# ---- route ----

def line_of(server, name, text):
    """Line number of this text in a file of the server's folder."""
    with open(os.path.join(server.folder, name), encoding="utf-8") as f:
        return next(i for i, line in enumerate(f, 1) if text in line)


def test_route_of_a_user(server):
    text = server.ctl("route", "alice@example.org")
    assert "%s/users:%d" % (server.folder, line_of(server, "users",
                                                   "alice")) in text
    assert server.maildir("alice") in text


def test_route_of_nested_aliases(server):
    text = server.ctl("route", "outer@example.org")
    for name in ("outer", "team"):
        assert "%s/aliases:%d" % (server.folder, line_of(
            server, "aliases", name + ":")) in text
    for user in ("alice", "bob", "carol"):
        assert server.maildir(user) in text


def test_route_of_a_partial_name_and_a_plus_address(server):
    assert server.maildir("carol") in server.ctl("route",
                                                 "carol.brown@example.org")
    assert server.maildir("bob") in server.ctl("route", "bob+x@example.org")


@pytest.mark.parametrize("address, words", [
    ("nobody@example.org", ["550", "5.1.1"]),
    ("x@not-ours.example", ["550", "5.7.1"]),
    ("dead@example.org", ["451", "4.2.4", "nosuchuser", "aliases:"]),
])
def test_route_of_what_is_refused(server, address, words):
    _, text = server.ctl("route", address, check=False)
    for word in words:
        assert word in text, text


def test_what_is_not_seen_is_shown(server):
    """No stranger's address can make a line read as another."""
    with server.connect() as client:
        client.ehlo()
        client.expect("MAIL FROM:<a@elsewhere.example> SMTPUTF8", "250")
        reply = client.command(
            "RCPT TO:<\u202egro.elpmaxe\u2028\u061c\u00e9@example.org>")
    assert reply.says("550 5.1.1"), reply
    text = server.why(reply)
    assert "\\u202egro.elpmaxe\\u2028\\u061c\u00e9@example.org" in text
    assert not re.search("[\u202e\u2028\u061c]", text), text


@pytest.mark.parametrize("address, of", [
    ("<alice@example.org>", "alice@example.org"),
    ('"alice"@example.org', "alice@example.org"),
    ("alice", "alice@example.org"),
    ("Postmaster", "alice@example.org"),
    ("<postmaster>", "alice@example.org")])
def test_route_of_an_address_as_it_is_pasted(server, address, of):
    assert server.maildir(of.partition("@")[0]) in server.ctl("route",
                                                              address)


@pytest.mark.parametrize("address, local", [
    ('"a  b"@example.org', "a  b"), ('<"a  b"@example.org>', "a  b"),
    ('"a \\" b"@example.org', 'a " b')])
def test_route_of_a_quoted_local_part(server, address, local):
    status, text = server.ctl("route", address, check=False)
    assert status == 1 and "RCPT would be answered: 550 5.1.1" in text
    assert text.startswith(local + "@example.org: ")
    # explain and the queue are asked about it, too
    status, text = server.ctl("explain", "--ip", "192.0.2.1", "--helo", "x.y",
                              "--from", address.strip("<>"), "--to",
                              "alice@example.org", check=False)
    assert status == 0 and "usage" not in text.lower(), text
    status, text = server.ctl("sent", address.strip("<>"), check=False)
    assert "usage" not in text.lower(), text


def test_route_of_nonsense(server):
    status, text = server.ctl("route", "<<>>", check=False)
    assert status != 0 and text.strip()


# ---- who may ask ----

@pytest.mark.needs_root
def test_strangers_may_not_use_the_control_socket(server):
    assert IS_ROOT
    result = subprocess.run(
        ["setpriv", "--reuid", "nobody", "--clear-groups", "--regid",
         "nogroup", "--", os.path.join(server.build, "posternctl"), "-f",
         server.config_path, "status"], capture_output=True, text=True,
        timeout=30, check=False)
    assert result.returncode == 77
    assert "smtpd" not in result.stdout


@pytest.mark.needs_root
def test_the_mode_of_the_control_socket_is_not_all(server):
    """Somebody may have opened it: the kernel says who is there."""
    assert IS_ROOT
    path = os.path.join(server.folder, "state", "control.sock")
    mode = stat.S_IMODE(os.stat(path).st_mode)
    os.chmod(path, 0o666)
    try:
        result = subprocess.run(
            ["setpriv", "--reuid", "nobody", "--clear-groups", "--regid",
             "nogroup", "--", os.path.join(server.build, "posternctl"), "-f",
             server.config_path, "status"], capture_output=True, text=True,
            timeout=30, check=False)
    finally:
        os.chmod(path, mode)
    assert result.returncode == 77
    assert (result.stdout, result.stderr) == ("", "You may not ask this.\n")
    assert server.wait_event("control_refused")["uid"]


def test_idle_connections_keep_nobody_out(server):
    """Those that say nothing give way, and what is under way stays."""
    path = os.path.join(server.folder, "state", "control.sock")
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.socket(socket.AF_UNIX))
                for _ in range(150)]
        for connection in idle:
            connection.connect(path)
        began = time.monotonic()
        for _ in range(20):
            assert "smtpd" in server.ctl("status")
        assert time.monotonic() - began < 8
        idle[0].settimeout(5)
        assert idle[0].recv(1) == b""       # it gave way


@pytest.mark.parametrize("n", [1, 2, 3])
def test_passed_descriptors_do_not_stay(server, n):
    """explain takes one; whatever else comes along is not kept."""
    pid, = server.children("control")
    files = "/proc/%d/fd" % pid
    before = len(os.listdir(files))
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection, \
                open("/dev/null", "rb") as null:
            connection.connect(os.path.join(server.folder,
                                            "state", "control.sock"))
            socket.send_fds(connection, [b"tables\n"], [null.fileno()] * n)
            assert connection.recv(10) == b"postern 0\n"
    wait_until(lambda: len(os.listdir(files)) <= before, 5,
               lambda: "end of %s" % os.listdir(files))


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["why"], ["route"],
                                       ["status", "more"],
                                       ["tables", "nonsense"],
                                       ["tls", "nonsense"],
                                       ["hold"], ["reload", "more"],
                                       ["explain", "--ip", "192.0.2.1",
                                        "--helo", "x" * 1000, "--from", "",
                                        "--to", "alice@example.org"]])
def test_posternctl_usage(server, arguments):
    status, text = server.ctl(*arguments, check=False)
    assert status == 2 and text.strip()


def test_posternctl_without_a_server(make_server):
    server = make_server(start=False)
    status, text = server.ctl("status", check=False)
    assert status == 75 and "not running" in text
