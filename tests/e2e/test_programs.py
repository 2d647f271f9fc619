# SPDX-License-Identifier: ISC
"""Programs that aliases name: each runs before the 250 of the message that it
gets, once, and its exit is the answer. Beside mailboxes all have the message
or nobody."""
import contextlib
import os
import pwd
import signal
import subprocess
import time

import pytest

from client import new_message
from nameserver import Nameserver
from postern import IS_ROOT, Server, is_running, maildir_mail, wait_until
from relay_lab import Sink

BOX = "box@example.org"
LOCAL = "alice@example.org"


def user_of_programs():
    """Who runs them."""
    return "postern-program" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name


class Lab(Server):
    """A server with these aliases: {name: what stands behind the colon}. {out}
    is a folder that programs can write into."""

    def __init__(self, aliases, settings="", timeout="3s", **options):
        super().__init__(settings="program_timeout = %s\n%s" % (
            timeout, settings), **options)
        self.out = os.path.join(self.folder, "out")
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        self.write("aliases", "postmaster: alice\nabuse: alice\nroot: alice\n"
                   + "".join("%s: %s\n" % (name, text.replace("{out}",
                                                              self.out))
                             for name, text in aliases.items()))

    def read(self, name):
        """What a program wrote into that file; "" without it."""
        path = os.path.join(self.out, name)
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as f:
            return f.read()

    def script(self, name, text):
        """A script that programs' user can run; its path."""
        path = self.write(name, text)
        os.chmod(path, 0o755)
        return path

    def alarms(self):
        """What was said of programs that failed."""
        return [e for e in self.events("alarm") if "command" in e]


@contextlib.contextmanager
def lab_of(aliases, **options):
    """One that runs."""
    with Lab(aliases, **options) as server:
        server.await_trail()
        yield server


def no_mail(server):
    """Nobody has anything, and nothing is left of it."""
    wait_until(lambda: not server.all_files(), what="its end")


# ---- what it gets ----

def test_gets_the_message_once():
    with lab_of({"box": '"|cat >> {out}/mail"'}) as server:
        message = new_message(body="one\n.two\n..three\n")
        reply = server.deliver([BOX], message)
        assert reply.says("250"), reply
        got = server.read("mail")
        assert got.startswith("Return-Path: <sender@elsewhere.example>\n"
                              "Delivered-To: box@example.org\n"
                              "Received: from ")
        assert got.endswith("\n\none\n.two\n..three\n")
        assert got.count("Return-Path:") == 1
        assert "\r" not in got
        server.why(reply, "exit 0")
        server.wait_event("program", told="exit 0")
        no_mail(server)


def test_environment():
    with lab_of({"box": '"|{ env; id -un; pwd; umask; ls /proc/self/fd; } > '
                        '{out}/env"'}) as server:
        reply = server.deliver(["Box+Tag@Example.ORG"], new_message(),
                               sender="prvs=0123abcdef=a+b@elsewhere.example")
        assert reply.says("250"), reply
        lines = server.read("env").splitlines()
        for want in ("SENDER=prvs=0123abcdef=a+b@elsewhere.example",
                     "RECIPIENT=Box+Tag@Example.ORG", "LOCAL=Box+Tag",
                     "DOMAIN=example.org", "EXTENSION=Tag", "SHELL=/bin/sh",
                     "USER=" + user_of_programs(), user_of_programs(), "/",
                     "0077"):
            assert want in lines, (want, lines)
        # ls itself opened the last one
        assert lines[-4:] == ["0", "1", "2", "3"]
        assert not any(line.startswith("POSTERN") for line in lines)


def test_null_reverse_path():
    with lab_of({"box": '"|env > {out}/env"'},
                checks="untagged_bounces = accept\n") as server:
        assert server.deliver([BOX], new_message(), sender="").says("250")
        assert "SENDER=\n" in server.read("env")


def test_nothing_of_a_message_becomes_a_command():
    with lab_of({"box": '"|printf \'%s\' \\"$SENDER\\" > {out}/sender"'}) \
            as server:
        path = "/tmp/postern-made-%d" % os.getpid()
        sender = '"$(touch %s);`id`"@elsewhere.example' % path
        assert server.deliver([BOX], new_message(), sender=sender).says("250")
        assert server.read("sender") == sender
        assert not os.path.exists(path)


def test_huge_message():
    with lab_of({"box": '"|wc -c > {out}/size"'}) as server:
        body = "x" * 70 + "\n"
        message = new_message(body=body * (20 << 20 >> 6))
        reply = server.deliver([BOX], message)
        assert reply.says("250"), reply
        assert int(server.read("size")) > len(body) * (20 << 20 >> 6)


# ---- how it ends ----

def test_each_exit_code():
    with lab_of({"e%d" % code: '"|exit %d;"' % code for code in range(256)},
                settings='program_refuses = {{ "69", "77" }}\n',
                limits="sessions_per_client = 0\n") as server:
        with server.connect() as client:
            client.ehlo()
            for code in range(256):
                want = {0: "250", 67: "550 5.1.1", 69: "550 5.3.0",
                        77: "550 5.7.1"}.get(code, "451 4.3.0")
                reply = client.deliver(["e%d@example.org" % code],
                                       new_message())
                assert reply.says(want), (code, reply)
                if code in (1, 75, 255):
                    server.why(reply, "exit %d" % code)
        assert len(server.alarms()) == 255
        no_mail(server)


def test_exit_codes_that_refuse_only_if_configured():
    with lab_of({"box": '"|exit 77;"', "gone": '"|exit 67;"'}) as server:
        assert server.deliver([BOX], new_message()).says("451 4.3.0")
        assert server.deliver(["gone@example.org"],
                              new_message()).says("550 5.1.1")


def test_what_it_writes():
    with lab_of({"no": '"|echo; echo not today; exit 77"',
                 "later": '"|echo secret; exit 75"'},
                settings='program_refuses = {{ "77" }}\n') as server:
        reply = server.deliver(["no@example.org"], new_message())
        assert reply.says("550 5.7.1") and "not today" in repr(reply)
        reply = server.deliver(["later@example.org"], new_message())
        assert reply.says("451 4.3.0") and "secret" not in repr(reply)
        server.why(reply, "exit 75: secret")
        assert server.alarms()[-1]["told"] == "exit 75: secret"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL,
                                    signal.SIGSEGV, signal.SIGPIPE])
def test_each_signal(number):
    with lab_of({"box": '"|kill -%d $$;"' % number}) as server:
        reply = server.deliver([BOX], new_message())
        assert reply.says("451 4.3.0"), reply
        server.why(reply, "signal %d" % number)


def test_hang():
    with lab_of({"box": '"|trap \'\' TERM; sleep 1000; sleep 1000"'}) \
            as server:
        begin = time.monotonic()
        reply = server.deliver([BOX], new_message())
        assert reply.says("451 4.3.0"), reply
        assert 3 <= time.monotonic() - begin < 20
        server.why(reply, "still running after 3 s")


def test_flood():
    with lab_of({"box": "|/usr/bin/yes"}) as server:
        reply = server.deliver([BOX], new_message())
        assert reply.says("451 4.3.0"), reply
        server.why(reply, "wrote more than 65536 octets")


@pytest.mark.parametrize("command", ["/bin/true", "exec 0<&-; exit 0",
                                     "head -c 1 > /dev/null"])
def test_need_not_read(command):
    with lab_of({"box": '"|%s"' % command}) as server:
        message = new_message(body="x\n" * 300000)
        assert server.deliver([BOX], message).says("250")


def test_daemon_is_killed_and_holds_nothing_up():
    with lab_of({"box": '"|setsid sh -c \'trap \\"\\" TERM HUP; echo $$ > '
                        '{out}/pid; sleep 500; sleep 500\' & sleep 0.5; '
                        'exit 0"'}) as server:
        begin = time.monotonic()
        reply = server.deliver([BOX], new_message())
        assert reply.says("250")
        assert time.monotonic() - begin < 20
        assert not is_running(int(server.read("pid")))
        # what did not end may have been to do the work
        server.why(reply, "exit 0, what it left running was killed")
        assert server.wait_event("program")["level"] == 4


def test_not_there():
    with lab_of({"box": "|/usr/bin/no-such-thing"}) as server:
        reply = server.deliver([BOX], new_message())
        assert reply.says("451 4.3.0"), reply
        server.why(reply, "it cannot be run: No such file")


# ---- with others ----

def test_with_a_mailbox_all_or_nobody():
    with lab_of({"good": 'alice, "|cat >> {out}/mail"',
                 "bad": 'alice, "|cat >> {out}/mail; exit 75"'}) as server:
        reply = server.deliver(["bad@example.org"], new_message())
        assert reply.says("451 4.3.0"), reply
        no_mail(server)
        reply = server.deliver(["good@example.org"], new_message())
        assert reply.says("250"), reply
        assert len(server.mail("alice")) == 1


def test_in_one_transaction_with_a_mailbox():
    with lab_of({"box": '"|cat >> {out}/mail"',
                 "bad": '"|exit 1;"', "gone": '"|exit 67;"'}) as server:
        assert server.deliver([BOX, LOCAL], new_message()).says("250")
        assert len(server.mail("alice")) == 1
        assert server.read("mail").count("Return-Path") == 1
        message = new_message()
        for name, at_data, at_rcpt in (("bad", "451", "451 4.3.0"),
                                       ("gone", "451", "550 5.1.1")):
            to = "%s@example.org" % name
            reply = server.deliver([LOCAL, to], message)
            assert reply.says(at_data), reply
            assert len(server.mail("alice")) == 1
            # the retry: its own RCPT hears of it
            with server.connect() as client:
                client.ehlo()
                client.expect("MAIL FROM:<sender@elsewhere.example>", "250")
                client.expect("RCPT TO:<%s>" % LOCAL, "250")
                client.expect("RCPT TO:<%s>" % to, at_rcpt)
                client.quit()


def test_full_mailbox_and_the_program_is_not_run():
    with lab_of({"box": 'alice, "|cat >> {out}/mail"'},
                domain_keys="quota = 4K") as server:
        message = new_message(body=("x" * 70 + "\n") * 100)
        reply = server.deliver([BOX], message)
        assert reply.says("552 5.2.2"), reply
        assert server.read("mail") == ""
        no_mail(server)


def test_a_second_program_is_another_fate():
    with lab_of({"box": '"|cat >> {out}/mail"',
                 "two": '"|cat >> {out}/mail"'}) as server:
        with server.connect() as client:
            client.ehlo()
            client.envelope([BOX, LOCAL])
            client.expect("RCPT TO:<two@example.org>", "452 4.5.3")
            assert client.data(new_message()).says("250")
            client.envelope(["two@example.org"])
            assert client.data(new_message()).says("250")
        assert server.read("mail").count("Return-Path") == 2


def test_what_would_go_into_junk_says_so():
    """DMARC: the sender's domain asks for quarantine."""
    zone = '@ MX 10 mx\nmx A 192.0.2.1\n@ TXT "v=spf1 -all"\n' \
        '_dmarc TXT "v=DMARC1; p=quarantine"'
    with Nameserver({"elsewhere.example": zone}) as ns, lab_of(
            {"box": 'alice, "|cat >> {out}/mail"'}, checks="spf = mark\n"
            "dmarc = refuse\n", more=ns.config()) as server:
        assert server.deliver([BOX], new_message()).says("250")
        assert len(maildir_mail(server.maildir("alice") + "/.Junk")) == 1
        header = server.read("mail").split("\n\n", 1)[0]
        assert header.count("\nX-Spam-Flag: YES\n") == 1, header


@pytest.mark.parametrize("here", ["alice, ", ""], ids=["here", "elsewhere"])
def test_in_a_list_with_members_elsewhere(here):
    """All of them have it or nobody: copies leave once it has exited with 0,
    and a second program is another fate."""
    with Sink() as sink, lab_of(
            {"team": here + 'm1@far.example, "|cat >> {out}/mail; exit `cat '
             '{out}/exit`"', "owner-team": "bob", "box": '"|cat > /dev/null"'},
            settings='relay {{ smart_host = "smtp:[127.0.0.1]:%d" }}\n'
            % sink.port) as server:
        status = os.path.join(server.out, "exit")
        message = new_message()
        for code, want in (("75", "451"), ("0", "250")):
            with open(status, "w", encoding="ascii") as f:
                f.write(code)
            reply = server.deliver(["team@example.org"], message)
            assert reply.says(want), reply
        wait_until(lambda: sink.messages, 30, "the copy for elsewhere")
        [copy] = sink.messages
        assert copy.recipients == ["TO:<m1@far.example>"]
        assert "=owner-team@example.org>" in copy.sender
        assert server.read("mail").count("Return-Path") == 2
        assert len(server.mail("alice")) == (here != "")
        with server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            client.expect("RCPT TO:<box@example.org>", "250")
            client.expect("RCPT TO:<team@example.org>", "452 4.5.3")
            client.expect("RSET", "250")
            client.expect("MAIL FROM:<a@elsewhere.example>", "250")
            client.expect("RCPT TO:<team@example.org>", "250")
            client.expect("RCPT TO:<box@example.org>", "452 4.5.3")
            client.quit()
        assert len(sink.messages) == 1


def test_a_list_of_our_own_users_mail():
    """The same for a program of this host."""
    with Sink() as sink, lab_of(
            {"team": 'alice, m1@far.example, "|cat >> {out}/mail"',
             "owner-team": "bob"},
            settings='relay {{ smart_host = "smtp:[127.0.0.1]:%d" }}\n'
            % sink.port, more='listen "unix:{folder}/submit" {{ role = local '
            '}}\n') as server:
        result = subprocess.run(
            [os.path.join(server.build, "sendmail"), "-f",
             "alice@example.org", "team@example.org"],
            input=b"Subject: x\n\nhello\n", capture_output=True,
            check=False, env=dict(os.environ,
                                  POSTERN_CONFIG=server.config_path))
        assert result.returncode == 0, result
        wait_until(lambda: sink.messages, 30, "the copy for elsewhere")
        assert server.read("mail").endswith("\n\nhello\n")
        assert len(server.mail("alice")) == 1


def test_two_in_one_alias_are_an_error():
    with contextlib.closing(Lab({"box": '"|/bin/true", "|/bin/cat"'})) \
            as server:
        status, said = server.check()
        assert status == 1 and "one of two programs" in said, said
        assert "aliases:4" in said, said


@pytest.mark.parametrize("command, want", [
    ("/usr/bin/no-such-program -x", "1 No such file or directory"),
    ("/etc/passwd", "1 cannot be executed by program_user"),
    ("/etc", "1 is no file"),
    ("cat", "1 a program needs an absolute path"),
    ("{out}/../setid -x", "0 is set-uid" if IS_ROOT else "0"),
    ("cat > /dev/null", "0"), ("/bin/cat -u", "0"),
])
def test_check(command, want):
    with contextlib.closing(Lab({"box": '"|%s"' % command})) as server:
        path = os.path.join(server.folder, "setid")
        subprocess.run(["cp", "/usr/bin/id", path], check=True)
        os.chmod(path, 0o4755)
        status, said = server.check()
        assert status == int(want[0]) and want[2:] in said, said
        assert want == "0" or "aliases:4" in said, said


def test_after_checks_only():
    """Nothing runs for a message that is refused."""
    with lab_of({"box": '"|cat >> {out}/mail"'}) as server:
        reply = server.deliver([BOX], "From: a@b.example\n"
                               "Delivered-To: box@example.org\n\nx\n")
        assert reply.says("554 5.4.6"), reply
        with server.connect() as client:
            client.ehlo()
            client.envelope([BOX])
            client.expect("DATA", "354")
            client.send(b"Subject: x\r\n\r\nno end")
            client.reset()
        time.sleep(0.5)
        assert server.read("mail") == ""


def test_a_client_that_leaves_meanwhile():
    with lab_of({"box": 'alice, "|sleep 1; cat >> {out}/mail"'}) as server:
        with server.connect() as client:
            client.ehlo()
            client.envelope([BOX])
            client.expect("DATA", "354")
            message = new_message()
            client.send(message.replace("\n", "\r\n").encode() + b".\r\n")
            time.sleep(0.5)
            client.reset()
        # it was begun: its end and the rest of the transaction stand
        wait_until(lambda: server.mail("alice"), what="the mailbox")
        assert server.read("mail").count("Return-Path") == 1
        # and the retry is answered from the record
        assert server.deliver([BOX], message).says("250")
        assert server.read("mail").count("Return-Path") == 1
        assert len(server.mail("alice")) == 1


def test_prdr_each_has_its_own():
    with lab_of({"good": '"|cat >> {out}/mail"',
                 "bad": '"|exit 75;"', "gone": '"|exit 67;"'}) as server:
        for name, want, final in (("good", "250", "250"),
                                  ("bad", "451 4.3.0", "250"),
                                  ("gone", "550 5.1.1", "250")):
            with server.connect() as client:
                client.ehlo()
                client.envelope([LOCAL, "%s@example.org" % name],
                                params=" PRDR")
                client.expect("DATA", "354")
                client.send(new_message().replace("\n", "\r\n").encode() +
                            b".\r\n")
                assert client.reply().says("353")
                replies = client.replies(3)
                assert replies[0].says("250"), (name, replies)
                assert replies[1].says(want), (name, replies)
                assert replies[2].says(final), (name, replies)
        assert len(server.mail("alice")) == 3


# ---- who runs it, with what rights ----

@pytest.mark.skipif(not IS_ROOT, reason="needs several uids")
def test_set_id_gives_nothing():
    with lab_of({"box": '"|{out}/../id -u > {out}/uid; cat '
                        '/proc/self/status > {out}/status"'}) as server:
        path = os.path.join(server.folder, "id")
        subprocess.run(["cp", "/usr/bin/id", path], check=True)
        os.chmod(path, 0o6755)
        assert server.deliver([BOX], new_message()).says("250")
        uid = pwd.getpwnam("postern-program").pw_uid
        assert server.read("uid") == "%d\n" % uid
        status = server.read("status")
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status


@pytest.mark.skipif(not IS_ROOT, reason="needs several uids")
def test_set_id_where_it_is_allowed():
    with lab_of({"box": '"|{out}/../id -u > {out}/uid"'},
                settings="allow_setid = true\n") as server:
        path = os.path.join(server.folder, "id")
        subprocess.run(["cp", "/usr/bin/id", path], check=True)
        os.chmod(path, 0o4755)
        assert server.deliver([BOX], new_message()).says("250")
        assert server.read("uid") == "0\n"


@pytest.mark.skipif(not IS_ROOT, reason="needs several uids")
def test_cannot_touch_what_is_ours():
    with lab_of({"box": '"|for p in $(pgrep -f \'[p]ostern -c\'); do kill -9 '
                        '$p; done 2> {out}/said; ls {out}/../state/store '
                        '2>> {out}/said; exit 0"'}) as server:
        reply = server.deliver([BOX], new_message())
        assert reply.says("250"), reply
        assert "not permitted" in server.read("said")
        assert "Permission denied" in server.read("said")


@pytest.mark.skipif(not IS_ROOT, reason="needs several uids")
@pytest.mark.parametrize("user", ["root", "nobody-has-this-name",
                                  "postern-vault"])
def test_who_never_runs_it(user):
    with lab_of({"box": "|/bin/true"},
                settings='program_user = "%s"\n' % user) as server:
        reply = server.rcpt(BOX)
        assert reply.says("451 4.3.5"), reply
        assert server.deliver([LOCAL], new_message()).says("250")
        status, said = server.check()
        assert status == 1 and "program_user" in said, said


# ---- our own users ----

def test_sendmail():
    with lab_of({"box": 'alice, "|cat >> {out}/mail; exit 0"',
                 "bad": '"|echo why; exit 1"'},
                more='listen "unix:{folder}/submit" {{ role = local }}\n') \
            as server:
        def send(*to):
            return subprocess.run(
                [os.path.join(server.build, "sendmail"), "-f",
                 "alice@example.org", *to], input=b"Subject: x\n\nhello\n",
                capture_output=True, check=False,
                env=dict(os.environ, POSTERN_CONFIG=server.config_path))
        result = send(BOX)
        assert result.returncode == 0, result
        assert server.read("mail").endswith("\n\nhello\n")
        assert len(server.mail("alice")) == 1
        assert send("bad@example.org").returncode == 75


# ---- what dies meanwhile ----

def pids_of_runner(server):
    """The runner of deliver: its child that has the same uid."""
    deliver, = server.children("deliver")
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError), open(
                "/proc/%s/stat" % name, encoding="ascii") as f:
            if int(f.read().rpartition(")")[2].split()[1]) == deliver:
                found.append(int(name))
    return found


@pytest.mark.parametrize("whom", ["program", "monitor", "runner", "deliver"])
def test_killed_meanwhile(whom):
    with lab_of({"box": 'alice, "|test -e {out}/again && cat > {out}/mail && '
                        'exit 0; echo $$ > {out}/pid; sleep 60"'},
                timeout="30s") as server:
        server.may_crash = True
        with server.connect() as client:
            client.ehlo()
            client.envelope([BOX])
            client.expect("DATA", "354")
            client.send(new_message().replace("\n", "\r\n").encode() +
                        b"\r\n.\r\n")
            program = int(wait_until(lambda: server.read("pid"),
                                     what="the program"))
            victim = {"program": program}.get(whom)
            for _ in range({"monitor": 1, "runner": 2, "deliver": 3}.get(
                    whom, 0)):
                with open("/proc/%d/stat" % (victim or program),
                          encoding="ascii") as f:
                    victim = int(f.read().rpartition(")")[2].split()[1])
            os.kill(victim, signal.SIGKILL)
            reply = client.reply()
            assert reply.says("451"), reply
        wait_until(lambda: not is_running(program), what="its end")
        assert not server.mail("alice")
        if whom != "deliver":  # else the next sweep finds what it left
            no_mail(server)
        open(os.path.join(server.out, "again"), "wb").close()

        def is_taken():
            with contextlib.suppress(OSError, AssertionError):
                return server.deliver([BOX], new_message()).says("250")
            return False
        wait_until(is_taken, 20, "a retry that works", 0.5)
        assert len(server.mail("alice")) == 1


def test_several_at_once():
    with lab_of({"box": '"|sleep 0.3; echo x >> {out}/n"'},
                settings="programs_at_once = 4\n") as server:
        clients = [server.connect() for _ in range(12)]
        for client in clients:
            client.ehlo()
            client.envelope([BOX])
            client.expect("DATA", "354")
            client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        for client in clients:
            assert client.reply().says("250")
            client.close()
        assert server.read("n") == "x\n" * 12


# ---- real ones ----

def test_logger_like_and_python():
    with lab_of({"box": "|{out}/../count.py --to {out}/n"}) as server:
        server.script("count.py", """#!/usr/bin/python3
import email, os, sys
message = email.message_from_binary_file(sys.stdin.buffer)
with open(sys.argv[2], "a") as f:
    print(message["Subject"], message["Delivered-To"], os.environ["SENDER"],
          file=f)
""")
        assert server.deliver([BOX], new_message(subject="hi")).says("250")
        assert server.read("n").endswith(
            " box@example.org sender@elsewhere.example\n")


@pytest.mark.skipif(not os.path.exists("/usr/bin/procmail"),
                    reason="procmail is not installed")
def test_procmail():
    with lab_of({"box": '"|/usr/bin/procmail -m {out}/../rc"'}) as server:
        server.write("rc", "MAILDIR=%s\nLOGFILE=%s/log\nDEFAULT=%s/box\n"
                     ":0 c\n* ^Subject:.*spam\n%s/spam\n"
                     % ((server.out,) * 4))
        os.chmod(os.path.join(server.folder, "rc"), 0o644)
        reply = server.deliver([BOX], new_message(subject="spam"))
        assert reply.says("250"), (reply, server.alarms())
        assert "Delivered-To: box@example.org" in server.read("box")
