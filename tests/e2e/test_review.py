# SPDX-License-Identifier: ISC
"""What a second look found: each of these went wrong once."""
import fcntl
import os
import signal
import socket
import subprocess
import time

import pytest

from client import new_message
from postern import wait_until


def test_reload_during_a_reload_is_not_forgotten(make_server):
    server = make_server(limits="recipients = 5")
    with server.connect() as old:
        old.ehlo()
        server.write_config(limits="recipients = 7")
        server.reload()
        server.write_config(limits="recipients = 9")
        server.process.send_signal(signal.SIGHUP)
        server.wait_event("reload_delayed")
        status, text = server.ctl("reload", check=False)
        assert status == 75 and "delayed" in text
        # what is refused is said at once
        server.write("postern.conf", "hostname = 5\n" + server.fill(
            'state_dir = "{folder}/state"\n'))
        status, text = server.ctl("reload", check=False)
        assert status == 1 and "has errors" in text
        server.write_config(limits="recipients = 9")
        old.quit()

    def is_newest():
        with server.connect() as c:
            return c.ehlo()["LIMITS"] == "RCPTMAX=9"
    wait_until(is_newest, 15, "the newest configuration", every=0.2)


def test_who_does_not_end_holds_up_no_reload(make_server):
    """Nor does a compiler that hangs keep the tables as they are."""
    server = make_server(faults=True, start=False, limits="recipients = 5")
    server.environment["POSTERN_NO_PATIENCE"] = "1"
    server.start()
    os.kill(server.children("directory")[0], signal.SIGSTOP)
    server.faults.set("compiler.before-rename", "sleep", 60000)
    server.write("users", "alice\nbob\nnew\n")
    server.write_config(limits="recipients = 7")
    status, text = server.ctl("reload", check=False)
    assert status == 1 and "stays as it was" in text, text
    server.wait_event("compartment_overdue", role="compiler")
    server.wait_event("compartment_overdue", role="directory")
    server.wait_event("drained")
    server.write_config(limits="recipients = 9")
    server.ctl("reload")
    assert server.rcpt("new@example.org").code == 250


def test_who_cannot_be_killed_is_told_of_once(make_server):
    """And once more when it ends at last, as when its disk is back."""
    server = make_server(faults=True, start=False, limits="recipients = 5")
    server.environment["POSTERN_NO_PATIENCE"] = "1"
    server.environment["POSTERN_KILLS_NOBODY"] = "1"
    server.start()
    pid = server.children("directory")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        server.write_config(limits="recipients = 7")
        server.ctl("reload")
        server.wait_event("compartment_overdue", role="directory")
        time.sleep(1)                   # four more looks
        assert not server.events("compartment_ended_late", pid=str(pid))
    finally:
        os.kill(pid, signal.SIGCONT)
    server.wait_event("compartment_ended_late", pid=str(pid), index="0")
    assert len(server.events("compartment_overdue", pid=str(pid))) == 1


def test_reload_with_another_state_dir(make_server):
    """Who has what is in the old one: it stays, with all else."""
    server = make_server(limits="recipients = 5")
    kept = server.folder + "/state"
    server.write_config(limits="recipients = 7")
    with open(server.config_path, encoding="utf-8") as f:
        text = f.read()
    server.write("postern.conf", text.replace(kept, kept + "2"))
    server.process.send_signal(signal.SIGHUP)
    event = server.wait_event("reload_failed")
    assert "state_dir cannot change" in event["effect"]
    with server.connect() as c:
        assert c.ehlo()["LIMITS"] == "RCPTMAX=5"
    assert not os.path.exists(kept + "2")


@pytest.mark.parametrize("mode, text, says", [
    (0o640, None, "only its owner can read"),
    (0o600, "", "secrets"),
    (0o600, "batv 0 1 00\n", "malformed"),
], ids=["readable", "empty", "malformed"])
def test_secrets_are_never_made_anew(make_server, mode, text, says):
    """Each tag that is under way would be worthless."""
    server = make_server()
    server.stop()
    path = server.folder + "/state/secrets"
    if text is not None:
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    os.chmod(path, mode)
    with open(path, encoding="ascii") as f:
        before = f.read()
    server.may_crash = True
    server.launch()
    assert server.process.wait(20) != 0
    assert says in server.log_text()
    with open(path, encoding="ascii") as f:
        assert f.read() == before


def test_reload_with_the_most_processes(make_server):
    """Two generations of them live side by side."""
    server = make_server(more="processes {{ smtpd = 32 directory = 32 }}\n")
    server.reload(60)
    assert server.deliver("alice@example.org", new_message()).code == 250
    server.write_config(more="processes {{ smtpd = 33 }}\n")
    status, text = server.check()
    assert status == 1 and "32" in text


def test_a_password_does_not_reach_the_log(make_server):
    server = make_server()
    with server.connect() as c:
        c.ehlo()
        reply = c.command("AUTH PLAIN AGFsaWNlAHNlY3JldA==")
        assert reply.code == 500
        c.quit()
    server.wait_event("refused", asked="AUTH")
    assert "AGFsaWNl" not in server.log_text()


def test_status_counts_transactions(make_server):
    server = make_server()

    def now():
        line = next(x for x in server.ctl("status").split("\n")
                    if x.startswith("transactions_now"))
        return int(line.split()[1])
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        assert now() == 1
        c.expect("RSET", "250")
        assert now() == 0
        assert c.deliver("alice@example.org", new_message()).code == 250
        c.quit()
    assert now() == 0


def test_sockets_of_systemd_stay_with_the_supervisor(make_server):
    """Only smtpd is handed a listening socket."""
    server = make_server(start=False)
    bound = []
    for family, host in ((socket.AF_INET, "127.0.0.1"),
                         (socket.AF_INET6, "::1")):
        with socket.socket(family) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((host, server.port))
            s.listen(10)
            bound.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 20))
    inode = os.fstat(bound[1]).st_ino
    script = 'exec 3<&%d 4<&%d; LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"' % \
        tuple(bound)
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(
            ["bash", "-c", script, "bash",
             *server.command("postern", "-f", server.config_path)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=bound, start_new_session=True)
    wait_until(lambda: server.events("ready"), 30, "ready")
    for fd in bound:
        os.close(fd)

    def has_fd_4(pid):
        """systemd's second socket, where it was handed over."""
        try:
            return os.readlink("/proc/%d/fd/4" % pid) == \
                "socket:[%d]" % inode
        except FileNotFoundError:
            return False
    assert has_fd_4(server.process.pid)
    for pid in server.children():
        assert not has_fd_4(pid), server.role_of(pid)
    assert server.deliver("alice@example.org", new_message()).code == 250


def test_without_a_syslog_the_reason_is_still_told(make_server):
    if os.path.exists("/dev/log"):
        pytest.skip("there is a syslog here")
    server = make_server(settings='log = "syslog"\n', start=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen(1)
        server.launch()
        assert server.process.wait(30) == 1
    assert "cannot_listen" in server.log_text()
    assert "EADDRINUSE" in server.log_text()
