# SPDX-License-Identifier: ISC
"""The self-test of DESIGN 9: a server that does not filter says 451."""
import contextlib
import time

import pytest

from client import Client, new_message
from filters import Fake, read_fildes
from postern import wait_until
from test_auth import PASSWORD, Submission, hash_of, user_lines


def counters(server):
    """What posternctl status counts, by name."""
    return {words[0]: int(words[1]) for words in
            (line.split() for line in server.ctl("status").splitlines())
            if len(words) == 2 and words[1].isdigit()}


def make_often(make_server, **options):
    """A server of the fault-injection build that tests itself often."""
    server = make_server(faults=True, start=False,
                         settings="\nprocesses {{ smtpd = 1 }}\n", **options)
    server.environment["POSTERN_SELF_TEST_OFTEN"] = "1"
    return server


def next_test(server):
    """Wait for one more whole test."""
    before = counters(server)["self_tests"]
    wait_until(lambda: counters(server)["self_tests"] > before + 1,
               what="one more self-test")


def test_it_runs_at_the_start_and_leaves_no_trace(make_server):
    server = make_server()
    n_smtpd = len(server.children("smtpd"))
    wait_until(lambda: counters(server)["self_tests"] == n_smtpd,
               what="a self-test in each smtpd")
    found = counters(server)
    assert all(value == 0 for name, value in found.items()
               if name not in ("self_tests",)), found
    assert not server.events("refused") and not server.events("alarm")
    assert not server.events("self_test")
    assert not server.events("session_closed")
    assert server.deliver("alice@example.org", new_message()).code == 250


def test_nobody_else_reaches_its_recipient(make_server):
    server = make_server()
    assert server.rcpt("discard@self-test.invalid").code == 550


def test_it_passes_where_bare_lfs_are_forgiven(make_server):
    """Bare CRs and a NUL are not, so that its message is still refused."""
    server = make_server(checks='bare_lf = normalize\n'
                         'bare_lf_exempt = {{ "127.0.0.0/8" }}')
    wait_until(lambda: counters(server)["self_tests"] > 0,
               what="a self-test")
    assert not server.events("alarm")
    assert counters(server)["self_test_failing"] == 0


def test_a_limit_of_messages_does_not_end_it(make_server):
    """It sends more than one where a session has one, and needs them all."""
    server = make_server(limits="messages_per_session = 1")
    n_smtpd = len(server.children("smtpd"))
    wait_until(lambda: counters(server)["self_tests"] == n_smtpd,
               what="a self-test in each smtpd")
    assert not server.events("self_test")


def test_unknown_recipients_that_are_accepted(make_server):
    server = make_often(make_server)
    server.start()
    assert server.deliver("alice@example.org", new_message()).code == 250
    server.faults.set("self-test.recipient", "errno", 5, count=0)
    alarm = server.wait_event("alarm")
    assert "does not exist" in alarm["problem"]
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "250")
        reply = c.expect("RCPT TO:<alice@example.org>", "451 4.3.0")
        server.why(reply, "self_test")
    assert counters(server)["self_test_failing"] == 1
    next_test(server)      # it stays so
    assert server.rcpt("alice@example.org").code == 451
    server.faults.clear()
    server.wait_event("self_test_passed")
    assert counters(server)["self_test_failing"] == 0
    assert server.deliver("alice@example.org", new_message()).code == 250
    assert len(server.mail("alice")) == 2


@pytest.mark.parametrize("last", ["DATA", "BDAT 6 LAST"])
def test_smuggled_commands(make_server, last):
    server = make_often(make_server)
    server.faults.set("self-test.smuggling", "errno", 5, count=0)
    server.start()
    server.wait_event("alarm")
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        c.send(last.encode() + b"\r\n" + (b"" if last == "DATA" else
                                          b"a: b\r\n"))
        assert c.reply().says("451 4.3.0")
    assert server.mail("alice") == []
    server.faults.clear()
    server.wait_event("self_test_passed")
    assert server.deliver("alice@example.org", new_message()).code == 250


def test_a_stop_in_the_middle_is_no_smuggling(make_server):
    """The 421 comes where the answer to VRFY is awaited."""
    server = make_often(make_server)
    server.start()
    slot = server.faults.set("smtpd.end-of-data", "sleep", 400, role="smtpd")
    wait_until(lambda: server.faults.hits(slot), what="a test's message")
    assert server.stop() == 0
    assert not server.events("alarm")
    assert server.events("self_test")[-1]["code"] == "421"


def test_a_scanner_that_lets_a_virus_pass(make_server):
    """There is no scanner at all here: as if it had no signatures."""
    server = make_often(make_server)
    server.environment["POSTERN_SELF_TEST_SCANNER"] = "1"
    server.start()
    alarm = server.wait_event("alarm")
    assert "EICAR" in alarm["problem"]
    with server.connect() as c:
        c.ehlo()
        c.envelope("alice@example.org")
        c.expect("DATA", "451 4.3.0")
    assert server.mail("alice") == []
    assert counters(server)["messages_accepted"] == 0


def test_signatures_that_are_renewed(make_server):
    """An alarm at each test; while clamd is silent its last word holds."""
    days = [90]

    def talk(connection):
        made = time.gmtime(time.time() - (days[0] or 0) * 86400)
        message = read_fildes(connection, days[0] and
                              "ClamAV 1/1/" + time.asctime(made))
        connection.sendall(b"fd[10]: Eicar FOUND\0" if b"self-test" in message
                           else b"fd[10]: OK\0")

    def n_alarms():
        return len(server.events("alarm"))

    def age():
        return counters(server).get("signatures_age_s", 0) // 86400
    with contextlib.closing(Fake(talk)) as fake:
        server = make_often(make_server, checks="virus = refuse clamd \"%s\" "
                            "{{ timeout = 1s  on_old_signatures = tempfail }}" %
                            fake.endpoint)
        server.start()
        assert server.deliver("alice@example.org", new_message()).code == 451
        wait_until(lambda: n_alarms() > 2, what="an alarm each time")
        assert age() == 90 and counters(server)["self_test_failing"] == 0
        days[0] = None
        server.wait_event("clamd_failed")
        before = n_alarms()
        wait_until(lambda: n_alarms() > before + 1, what="more alarms")
        assert age() == 90
        assert server.deliver("alice@example.org", new_message()).code == 451
        days[0] = 2
        assert server.wait_event("signatures_renewed")
        assert server.deliver("alice@example.org", new_message()).code == 250
        before = n_alarms()
        next_test(server)
        next_test(server)
        assert age() == 2 and n_alarms() == before


@pytest.fixture(name="own", scope="module")
def fixture_own():
    """One smtpd of each kind, which test themselves often."""
    server = Submission(
        user_lines(alice=hash_of(PASSWORD)), faults=True,
        settings="\nprocesses {{ smtpd = 1 }}\n",
        more='listen "unix:{folder}/submit" {{ role = local }}\n')
    server.environment["POSTERN_SELF_TEST_OFTEN"] = "1"
    server.start()
    yield server
    server.stop()
    server.close()


def mail_codes(server):
    """What MAIL is told: an mx, submission with a login, the local socket."""
    with server.connect() as c, server.submit() as own, \
            Client(server.folder + "/submit") as local:
        own.login("alice@example.org", PASSWORD)
        c.ehlo()
        local.ehlo()
        return [c.command("MAIL FROM:<a@b.example>").code,
                own.docmd("MAIL", "FROM:<alice@example.org>")[0],
                local.command("MAIL FROM:<root@example.org>").code]


def test_our_own_users_smtpd_pass(own):
    """Those for submission and for programs of this host, too."""
    wait_until(lambda: counters(own)["self_tests"] >= 3, what="all of them")
    assert counters(own)["self_test_failing"] == 0
    assert not own.events("alarm") and not own.events("self_test")
    assert mail_codes(own) == [250, 250, 250]


def test_mail_without_a_login(own):
    """It takes no more from those who have one; an mx has no logins."""
    own.faults.set("self-test.login", "errno", 5, count=0)
    wait_until(lambda: counters(own)["self_test_failing"] == 2, 20, "both")
    assert "without a login" in own.wait_event("alarm")["problem"]
    assert mail_codes(own) == [250, 451, 451]
    own.faults.clear()
    wait_until(lambda: counters(own)["self_test_failing"] == 0, 20, "none")
    assert mail_codes(own) == [250, 250, 250]


@pytest.mark.parametrize("point, line", [
    ("self-test.smuggling", "DATA"),
    ("self-test.recipient", "RCPT TO:<alice@example.org>")])
def test_our_own_users_hear_451_too(own, point, line):
    """What fails in their smtpd is refused there."""
    own.faults.set(point, "errno", 5, count=0)
    wait_until(lambda: counters(own)["self_test_failing"] == 3, 20, "all")
    with own.submit() as client:
        client.login("alice@example.org", PASSWORD)
        client.mail("alice@example.org")
        if line == "DATA":
            client.rcpt("alice@example.org")
        assert client.docmd(line)[0] == 451
    own.faults.clear()
    wait_until(lambda: counters(own)["self_test_failing"] == 0, 20, "none")


def test_nobody_is_served_before_the_first_test(make_server):
    """Listening begins when the first test has had its answer."""
    server = make_often(make_server)
    server.faults.set("self-test.recipient", "errno", 5, count=0)
    server.start()
    began = time.monotonic()
    reply = server.rcpt("alice@example.org")
    assert reply.code == 451 and time.monotonic() - began < 5, reply
