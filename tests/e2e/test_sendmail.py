# SPDX-License-Identifier: ISC
"""Mail of this host's programs: sendmail and the local listener."""
import contextlib
import getopt
import os
import pwd
import re
import shlex
import signal
import socket
import subprocess
import threading
import time

import pytest

import postern
from filters import Program
from programs import LOCAL, sendmail, with_name_services

CALLS = os.path.join(postern.TOP, "tests/data/sendmail-calls.tsv")
USERS = postern.DEFAULT_USERS + "".join(
    "%s\n" % name for name in
    "a b c me from bounce fail2ban survey pop joe fwd root".split())
FULL = b"From: root\nTo: b@y.example\nSubject: test\n\nbody\n"

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE = 64, 65, 67, 69
EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM = 74, 75, 76, 77


@pytest.fixture(scope="module", name="lab")
def make_lab(make_module_server):
    """One server with a local listener; x.example and y.example are ours,
    too."""
    return make_module_server(
        more=LOCAL, users=USERS,
        aliases="postmaster: alice\nabuse: alice\nmailer-daemon: alice\n",
        domain_keys='same_as = {{ "x.example", "y.example" }}')


def new_mail(server, user, before):
    """The one message that came since."""
    after = [m for m in server.mail(user) if m.name not in before]
    assert len(after) == 1, "%s has %d new" % (user, len(after))
    return after[0]


def in_shell(server, script, text=b"", **options):
    """sendmail as $0 of a shell's script."""
    return subprocess.run(
        ["sh", "-c", script, os.path.join(postern.BUILD, "sendmail")],
        input=text, env=dict(os.environ, POSTERN_CONFIG=server.config_path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        timeout=120, **options)


def names(server, user):
    """What lies in a mailbox now."""
    return {m.name for m in server.mail(user)}


def send(server, *arguments, to="alice", **options):
    """Send, and see it arrive."""
    before = names(server, to)
    status, out, err = sendmail(server, *arguments, **options)
    assert (status, err) == (0, ""), (status, out, err)
    return new_mail(server, to, before)


# ---- how programs call it ----

def calls(holds):
    """Arguments from the rows of the table in whose stdin is this."""
    with open(CALLS, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#") and line.strip():
                program, words, stdin = line.rstrip("\n").split("\t")
                if stdin == holds:
                    yield pytest.param(shlex.split(words), id=program)


def expected(words):
    """(recipients, sender) of a command line."""
    options, recipients = getopt.getopt(
        words, "B:b:C:F:f:iN:o:R:r:tV:vd:q")
    options = dict(options)
    if "-t" in options:
        recipients = recipients + ["b@y.example"]
    return recipients, options.get("-f", options.get("-r"))


@pytest.mark.needs_root
@pytest.mark.parametrize("words", calls("full"))
def test_call(lab, words):
    """Each way that a program of Debian is known to call sendmail."""
    recipients, sender = expected(words)
    users = {r.partition("@")[0] for r in recipients}
    before = {u: names(lab, u) for u in users}
    status, out, err = sendmail(lab, *words, text=FULL)
    assert (status, out, err) == (0, "", "")
    for user in users:
        mail = new_mail(lab, user, before[user])
        assert mail.body == b"body\n"
        assert mail.get("Subject") == "test"
        path = mail.get("Return-Path")
        if sender in ("", "<>"):
            assert path == "<>"
        elif sender:
            assert path.startswith("<" + sender.partition("@")[0] + "@")
        else:
            assert path == "<root@example.org>"


@pytest.mark.needs_root
@pytest.mark.parametrize("words", calls("none"))
def test_mode_call(lab, words):
    """... and what they ask it for. It does not wait for input."""
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "wb"):
        result = subprocess.run(
            [os.path.join(postern.BUILD, "sendmail"), *words], stdin=read,
            env=dict(os.environ, POSTERN_CONFIG=lab.config_path),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    if "-bp" in words:
        assert result.stdout == b"Mail queue is empty\n"
    if "-bv" in words:
        assert b"... deliverable: 250 " in result.stdout


@pytest.mark.needs_root
@pytest.mark.parametrize("words", calls("smtp"))
def test_smtp_call(lab, words):
    """... or for SMTP."""
    status, out, err = sendmail(lab, *words, text=b"EHLO x\r\nQUIT\r\n")
    assert (status, err) == (0, "") and out.startswith("220 ")
    assert out.splitlines()[-1].startswith("221 ")


# ---- the message ----

def test_fields(lab):
    """What is missing is added; who sent it is on top."""
    mail = send(lab, "-FFull Name", "alice", text=b"Subject: x\n\nhi\n")
    user = pwd.getpwuid(os.getuid()).pw_name
    assert mail.get("From") == "Full Name <%s@example.org>" % user
    assert mail.get("Date") and mail.get("Message-ID")
    received = re.sub(r"\s+", " ", mail.get("Received"))
    assert received.startswith("by mx.example.org (Postern, from uid %d %s) "
                               "with ESMTP id " % (os.getuid(), user))
    assert mail.body == b"hi\n"


@pytest.mark.parametrize("text, body", [
    (b"A: b\n\nlast line open", b"last line open\n"),
    (b"A: b\r\n\r\nCR LF\r\n", b"CR LF\n"),
    (b"A: b\n\nx\n..\n.y\n", b"x\n..\n.y\n"),
    (b"A: b\n\nx\n.\nnot this\n", b"x\n"),
    (b"A: b\n\nx\0y\n", b"xy\n"),
    (b"A: b\n\n\xff\xfe\xc3\xb6\n", b"\xff\xfe\xc3\xb6\n"),
    (b"A: b\n\n10%\r20%\rdone\n", b"10%\n20%\ndone\n"),
    (b"no header at all\n", b"no header at all\n"),
    (b"A: b\n\n" + b"x" * 5000 + b"\n", b"x" * 5000 + b"\n"),
    (b"", b""),
], ids=["open", "crlf", "dots", "dot", "nul", "8bit", "cr", "headerless",
        "998", "empty"])
def test_text(lab, text, body):
    """Whatever programs write arrives."""
    assert send(lab, "alice", text=text).body == body


def test_dot_ignored(lab):
    """-i: a dot is a line like any other."""
    mail = send(lab, "-i", "alice", text=b"A: b\n\nx\n.\ny\n")
    assert mail.body == b"x\n.\ny\n"


def test_large(lab):
    """20 MB pass through a file, and little memory."""
    line = b"0123456789" * 7 + b"\n"
    text = b"Subject: large\n\n" + line * (20000000 // len(line))
    before = names(lab, "bob")
    result = in_shell(lab, 'ulimit -v 100000; exec "$0" -i bob', text)
    assert (result.returncode, result.stderr) == (0, b"")
    assert new_mail(lab, "bob", before).body == text.partition(b"\n\n")[2]


def test_too_large(make_server):
    """Refused as a whole, and the writer is not left with a broken pipe."""
    server = make_server(more=LOCAL, limits="message_size = 1M")
    status, _, err = sendmail(server, "alice", text=b"x\n" * 2000000)
    assert status == EX_DATAERR and "larger than" in err
    assert server.all_files() == []


def test_size_is_the_server_s(make_server):
    """... and so where only the server knows how much it takes."""
    server = make_server(more=LOCAL, limits="message_size = 1M")
    other = server.write("other.conf", postern.TOP_LEVEL.format(
        folder=server.folder) + LOCAL.format(folder=server.folder) +
        'domain "example.org" { users = "passwd" mailbox = "~/Maildir" }\n')
    status, _, err = sendmail(server, "-C", other, "alice",
                              text=b"x\n" * 2000000)
    assert status == EX_DATAERR and "larger than" in err
    assert server.all_files() == []


@pytest.mark.needs_root
def test_nowhere_to_keep_it(lab, tmp_path):
    """A full disk in TMPDIR: 75, a word, nothing sent and nothing left."""
    before = names(lab, "alice")
    program = os.path.join(postern.BUILD, "sendmail")
    script = 'mount -t tmpfs -o size=2M none "$1" && export TMPDIR="$1" && ' \
        '{ "$0" alice; status=$?; ls -A "$1"; exit $status; }'
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, program, str(tmp_path)],
        input=b"Subject: x\n\n" + b"x\n" * 3000000, timeout=60,
        env=dict(os.environ, POSTERN_CONFIG=lab.config_path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stdout) == (EX_TEMPFAIL, b"")
    assert b"No space left on device; nothing was sent" in result.stderr
    assert names(lab, "alice") == before


def test_file_size_limit(lab):
    """The shell's limit is an answer, not a death by SIGXFSZ."""
    result = in_shell(lab, 'ulimit -f 2; exec "$0" alice',
                      b"Subject: x\n\n" + b"x\n" * 1000000)
    assert result.returncode == EX_TEMPFAIL
    assert b"File too large; nothing was sent" in result.stderr


def test_slow_writer(lab):
    """One line now, the other later: no transaction waits meanwhile."""
    before = names(lab, "alice")
    sessions = len(lab.events("caller"))
    program = os.path.join(postern.BUILD, "sendmail")
    with subprocess.Popen(
            [program, "alice"], stdin=subprocess.PIPE,
            env=dict(os.environ, POSTERN_CONFIG=lab.config_path)) as p:
        p.stdin.write(b"Subject: slow\n\none\n")
        p.stdin.flush()
        time.sleep(1)
        assert len(lab.events("caller")) == sessions
        p.stdin.write(b"two\n")
    assert p.returncode == 0
    assert new_mail(lab, "alice", before).body == b"one\ntwo\n"


# ---- recipients ----

def test_header_recipients(lab):
    """-t: To, Cc and Bcc, and nobody sees the last."""
    before = {u: names(lab, u) for u in ("alice", "bob", "carol", "a")}
    status, _, err = sendmail(
        lab, "-t", "a", text=b"To: \"Smith, A\" <alice@example.org>,\n"
        b" (not carol@example.org) us: bob;\nBCC: carol\nSubject: x\n\nx\n")
    assert (status, err) == (0, "")
    for user, had in before.items():
        mail = new_mail(lab, user, had)
        assert b"BCC" not in mail.raw and b"bcc" not in mail.raw


def test_resent(lab):
    """Resent- fields say who gets it, not To."""
    before = names(lab, "alice")
    mail = send(lab, "-t", to="bob", text=b"Resent-To: bob\nTo: alice\n"
                b"Resent-Bcc: bob\nSubject: x\n\nx\n")
    assert names(lab, "alice") == before
    assert mail.get("Resent-Bcc") is None


def test_all_or_nobody(lab):
    """One recipient who does not exist: nobody gets it."""
    before = names(lab, "alice")
    status, _, err = sendmail(lab, "alice", "nobody-here", text=FULL)
    assert status == EX_NOUSER
    assert "nobody-here@example.org: 550 5.1.1" in err
    assert names(lab, "alice") == before


@pytest.mark.parametrize("words, text, status, says", [
    ([], b"", EX_USAGE, "no recipients"),
    (["-t"], b"Subject: x\n\nx\n", EX_USAGE, "no recipients"),
    (["-t"], b"To: Alice Smith\n\nx\n", EX_DATAERR, "is no address"),
    (["alice bob"], b"", EX_USAGE, "is no address"),
    (["-f", "a b", "alice"], b"", EX_USAGE, "is no address"),
    (["-N", "now", "alice"], b"", EX_USAGE, "-N"),
    (["-K", "alice"], b"", EX_USAGE, "-K"),
    (["-bd"], b"", EX_USAGE, "systemctl"),
    (["-bt"], b"", EX_USAGE, "-bt"),
])
def test_refused(lab, words, text, status, says):
    """Each mistake has its status, and a word."""
    got, out, err = sendmail(lab, *words, text=text)
    assert (got, out) == (status, "")
    assert says in err and err.startswith("sendmail: ")


def test_error_modes(lab):
    """-oeq says nothing; -oee must not say 0, as nothing is mailed back."""
    assert sendmail(lab, "-oeq", "nobody-here", text=FULL) == \
        (EX_NOUSER, "", "")
    status, _, err = sendmail(lab, "-oee", "nobody-here", text=FULL)
    assert status == EX_NOUSER and "550 5.1.1" in err


def test_many_recipients(make_server):
    """More than one transaction takes: asked all before any is sent."""
    users = "".join("u%d\n" % i for i in range(250))
    server = make_server(more=LOCAL, users=postern.DEFAULT_USERS + users)
    everybody = ["u%d" % i for i in range(250)]
    status, _, err = sendmail(server, *everybody, "nobody-here", text=FULL)
    assert status == EX_NOUSER and "nobody-here" in err
    assert server.all_files() == []
    status, _, err = sendmail(server, *everybody, text=FULL)
    assert (status, err) == (0, "")
    ids = set()
    for user in everybody:
        [mail] = server.mail(user)
        ids.add(mail.get("Message-ID"))
    assert len(ids) == 1        # they are copies of one message


# ---- who may write as whom ----

@pytest.mark.needs_root
def test_own_address(lab):
    """A user writes as himself, by name or by address."""
    user = postern.OWNER
    mail = send(lab, "alice", text=b"x\n", user=user)
    assert mail.get("Return-Path") == "<%s@example.org>" % user
    mail = send(lab, "-f", user, "alice", text=b"x\n", user=user)
    assert mail.get("Return-Path") == "<%s@example.org>" % user


@pytest.mark.needs_root
def test_foreign_address(lab):
    """And as nobody else: neither in the envelope nor in From."""
    before = names(lab, "alice")
    status, _, err = sendmail(lab, "-f", "bob@example.org", "alice",
                              text=b"x\n", user=postern.OWNER)
    assert status == EX_NOPERM and "553 5.7.1" in err
    status, _, err = sendmail(lab, "alice", user=postern.OWNER,
                              text=b"From: bob@example.org\n\nx\n")
    assert status == EX_NOPERM and "5.7.1" in err
    assert names(lab, "alice") == before


@pytest.mark.needs_root
def test_granted_address(make_server):
    """`sender` gives a daemon's user its addresses."""
    server = make_server(
        more=LOCAL + 'sender "%s" {{ may = {{ "*@example.org" }} }}\n' %
        postern.OWNER)
    mail = send(server, "-f", "shop@example.org", "alice",
                text=b"From: Shop <shop@example.org>\n\nx\n",
                user=postern.OWNER)
    assert mail.get("Return-Path") == "<shop@example.org>"
    assert mail.get("From") == "Shop <shop@example.org>"


@pytest.mark.needs_root
def test_nobody(lab):
    """A uid without a name has no account."""
    status, _, err = sendmail(lab, "-f", "alice@example.org", "alice",
                              text=b"x\n", user=54321)
    assert status == EX_NOPERM and "554 5.7.1" in err
    status, _, err = sendmail(lab, "alice", text=b"x\n", user=54321)
    assert status == EX_NOPERM and "has no name" in err


@pytest.mark.needs_root
def test_nobody_while_a_name_service_is_down(make_server):
    """hesiod, which asks a DNS that is not there, might have his name; the
    one behind it has never heard of him."""
    server = make_server(more=LOCAL, start=False)
    services = "files hesiod systemd"
    command = server.command
    server.command = lambda *words: with_name_services(
        server, services, command(*words))
    server.start()
    status, _, err = sendmail(server, "-f", "alice@example.org", "alice",
                              text=b"x\n", user=54321)
    assert status == EX_TEMPFAIL and "421 4.3.0" in err
    assert sendmail(server, "-f", "alice@example.org", "alice",
                    text=b"x\n", user=postern.OWNER)[0] != EX_TEMPFAIL
    done = subprocess.run(with_name_services(server, services, [
        "setpriv", "--reuid", "54321", "--clear-groups",
        os.path.join(postern.BUILD, "sendmail"), "alice"]), input=b"x\n",
        env=dict(os.environ, POSTERN_CONFIG=server.config_path),
        stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == EX_TEMPFAIL
    assert b"cannot be looked up" in done.stderr


# ---- the server is not there ----

def test_no_server(make_server):
    """75, a clear word, and nothing half-stored."""
    server = make_server(start=False, more=LOCAL)
    status, out, err = sendmail(server, "alice", text=b"x\n" * 1000000)
    assert (status, out) == (EX_TEMPFAIL, "")
    assert "is not running" in err and "nothing was sent" in err
    assert server.all_files() == []
    status, out, err = sendmail(server, "-bs", text=b"EHLO x\r\n")
    assert status == EX_TEMPFAIL and out.startswith("421 ")
    assert sendmail(server, "-bp")[0] == EX_TEMPFAIL
    assert sendmail(server, "-bi")[0] == EX_TEMPFAIL
    assert sendmail(server, "-bv", "alice")[0] == EX_TEMPFAIL


BEGUN = b"220 x\r\n250 ok\r\n250 ok\r\n250 ok\r\n"


@pytest.mark.parametrize("said, status, says", [
    (b"\0\xff\x1b[31m\r\n", EX_PROTOCOL, "does not speak SMTP"),
    (b"x" * 100000, EX_PROTOCOL, "does not speak SMTP"),
    (b"220-x\r\n" * 1000, EX_PROTOCOL, "does not speak SMTP"),
    (b"554 5.0.0 \x1b[2Jno\r\n", EX_UNAVAILABLE, "554 5.0.0 ?[2Jno"),
    (BEGUN + b"250 no\r\n", EX_PROTOCOL, "250 no"),
    (BEGUN + b"354 go\r\n451 4.3.0 later\r\n", EX_TEMPFAIL, "later"),
    (BEGUN + b"354 go\r\n", EX_TEMPFAIL, "may have been sent"),
    (BEGUN + b"354 go\r\n250-a\r\n", EX_TEMPFAIL, "may have been sent"),
    # two transactions, and the first of them is over: no second copies
    (b"220 x\r\n250-x\r\n250 LIMITS RCPTMAX=1\r\n" + 8 * b"250 ok\r\n" +
     b"354 go\r\n250 ok\r\n", EX_TEMPFAIL, "server was lost"),
    # another transaction would begin with the same one
    (BEGUN[:-8] + b"452 4.5.3 many\r\n", EX_TEMPFAIL, "452 4.5.3 many"),
], ids=["noise", "no line", "no end", "escape", "no 354", "451", "no 250",
        "half a 250", "lost in the second", "none in a transaction"])
def test_strange_server(make_server, said, status, says):
    """Whatever has the server's place is bounded, and not believed."""
    server = make_server(start=False, more=LOCAL)

    def serve():
        heard = b""
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client:
                client.sendall(said)
                # one of them says nothing to QUIT, and does not go away
                while b"\n.\r\n" not in heard and (
                        b"QUIT" not in heard or said.startswith(b"554")):
                    more = client.recv(65536)
                    heard += more
                    if not more:
                        break
                listener.close()        # who comes again finds nobody

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(server.folder, "submit"))
        os.chmod(os.path.join(server.folder, "submit"), 0o666)
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        words = ["alice", "bob"] if b"RCPTMAX" in said else ["alice"]
        got, out, err = sendmail(server, *words, text=b"x\n")
        assert (got, out) == (status, "")
        assert says in err and "\x1b" not in err
        thread.join(10)


def test_restart(lab):
    """A reload and a restart: no program notices the first, and after the
    second the socket is there again."""
    lab.reload()
    send(lab, "alice", text=b"x\n")
    lab.restart()
    send(lab, "alice", text=b"x\n")


def test_socket_mode(lab):
    """Everybody may connect; there is nothing else to be got."""
    mode = os.stat(os.path.join(lab.folder, "submit")).st_mode
    assert mode & 0o777 == 0o666


# ---- the other modes ----

def test_smtp_on_stdin(lab):
    """-bs, with all of it written at once."""
    before = names(lab, "alice")
    status, out, err = sendmail(
        lab, "-bs", text=b"EHLO x\r\nMAIL FROM:<root>\r\nRCPT TO:<alice>\r\n"
        b"DATA\r\nSubject: bs\r\n\r\nhi\r\n.\r\nQUIT\r\n")
    codes = [line[:4] for line in out.splitlines() if line[3:4] == " "]
    assert (status, err) == (0, "")
    if postern.IS_ROOT:
        assert codes == ["220 ", "250 ", "250 ", "250 ", "354 ", "250 ",
                         "221 "]
        assert new_mail(lab, "alice", before).body == b"hi\n"


SCRIPT = b"EHLO x\nMAIL FROM:<root>\nRCPT TO:<alice>\nDATA\n" \
    b"Subject: bs\n\nhi\n..x\n\n.\n"


@pytest.mark.needs_root
@pytest.mark.parametrize("text, is_sent", [
    (SCRIPT + b"QUIT\n", True),
    (SCRIPT, True),
    (SCRIPT.replace(b"\n", b"\r\n"), True),
    (SCRIPT + b"NOOP\nQUI", True),
    (SCRIPT + SCRIPT[7:-2], True),
    (SCRIPT[:-1], False),
    (SCRIPT[:-2], False),
    (SCRIPT.replace(b"\n", b"\r\n")[:-2], False),
    (SCRIPT.replace(b"hi\n", b"hi\n.\r")[:-2], False),
    (b"QUIT", False),
    (b"", False),
], ids=["lf", "no quit", "crlf", "part of a line", "half of a second",
        "open dot", "no dot", "open dot crlf", "cr dot", "open quit",
        "empty"])
def test_script_on_stdin(lab, text, is_sent):
    """-bs for a script: it may end its lines in LF and leave before the
    answers have come; a message that it did not end is not sent. Nobody
    waits for a deadline."""
    before = names(lab, "alice")
    begun = time.monotonic()
    status, out, _ = sendmail(lab, "-bs", text=text)
    assert status == 0 and out.startswith("220 ")
    assert time.monotonic() - begun < 15
    if is_sent:
        assert new_mail(lab, "alice", before).body == b"hi\n.x\n\n"
    else:
        assert names(lab, "alice") == before
        assert "delivered" not in out


def test_octets_on_stdin(lab):
    """... but one who writes CR LF is passed on as he is."""
    _, out, _ = sendmail(lab, "-bs", text=b"EHLO x\r\nNOOP\nNOOP\r\n"
                         b"QUIT\r\n")
    # a bare LF ends no line
    codes = [line[:4] for line in out.splitlines() if line[3:4] == " "]
    assert codes == ["220 ", "250 ", "500 ", "221 "]


def test_verify(lab):
    """-bv says what RCPT would."""
    status, out, err = sendmail(lab, "-bv", "alice", "nobody-here")
    assert status == EX_NOUSER and err == ""
    assert re.search(r"^alice@example.org\.\.\. deliverable", out, re.M)
    assert re.search(r"^nobody-here@example.org\.\.\. 550 5.1.1", out, re.M)
    assert sendmail(lab, "-bv", "alice")[0] == 0
    status, out, _ = sendmail(lab, "-d0.1", "-bv", "alice")
    assert status == 0 and out.startswith("Version Postern")


def test_verify_many(lab):
    """Also more than one transaction takes."""
    status, out, _ = sendmail(lab, "-bv", *["alice+%d" % i
                                            for i in range(230)])
    assert status == 0 and out.count("... deliverable: 250") == 230


def test_newaliases(make_server):
    """The new alias is there when it has ended, and errors are told."""
    server = make_server(more=LOCAL)
    server.write("aliases", postern.DEFAULT_ALIASES + "new: bob\n")
    assert sendmail(server, name="/usr/bin/newaliases") == (0, "", "")
    send(server, "new", to="bob", text=b"x\n")
    server.write("aliases", postern.DEFAULT_ALIASES + ": bad\n")
    status, _, err = sendmail(server, name="newaliases")
    assert status == EX_UNAVAILABLE and err.startswith("newaliases: ")
    send(server, "new", to="bob", text=b"x\n")


@pytest.mark.needs_root
def test_newaliases_of_a_user(lab):
    """That is for those who may ask control."""
    status, _, err = sendmail(lab, "-bi", user=postern.OWNER)
    assert status == EX_NOPERM and "admin group" in err


@pytest.mark.needs_root
def test_mailq(make_server):
    """Everybody sees what is his in the queue; root sees all of it."""
    server = make_server(more=LOCAL)
    assert "empty" in sendmail(server, name="mailq")[1]
    status, _, err = sendmail(server, "friend@elsewhere.example",
                              text=b"x\n", user=postern.OWNER)
    assert (status, err) == (0, "")
    for arguments, name in ([], "/usr/bin/mailq"), (["-bp"], "sendmail"):
        status, out, err = sendmail(server, *arguments, name=name,
                                    user=postern.OWNER)
        assert (status, err) == (0, "")
        assert "friend@elsewhere.example" in out
        assert postern.OWNER + "@example.org" in out
        assert "friend@elsewhere.example" in \
            sendmail(server, *arguments, name=name)[1]
        out = sendmail(server, *arguments, name=name,
                       user=postern.OTHER_OWNER)[1]
        assert "empty" in out and "elsewhere" not in out
    assert sendmail(server, "-q") == (0, "", "")
    assert sendmail(server, "-q30m", user=postern.OWNER) == (0, "", "")


@pytest.mark.needs_root
def test_mailq_gives_no_orders(make_server):
    """Root reads what any user has written, and so does his terminal."""
    server = make_server(more=LOCAL)
    assert sendmail(server, "a\u202eb@elsewhere.example", text=b"x\n",
                    user=postern.OWNER)[::2] == (0, "")
    out = sendmail(server, name="mailq")[1]
    assert "a\\u202eb@elsewhere" in out and "\u202e" not in out


@pytest.mark.needs_root
def test_xqueue_is_local(make_server):
    """Nobody else knows the verb."""
    server = make_server(more=LOCAL)
    with server.connect() as client:
        client.ehlo()
        assert client.command("XQUEUE").says("500 5.5.1")


@pytest.mark.needs_root
def test_local_and_remote(make_server):
    """One message to both: here at once, there by the queue, or neither."""
    server = make_server(more=LOCAL)
    status, _, err = sendmail(server, "alice", "friend@elsewhere.example",
                              text=b"x\n")
    assert (status, err) == (0, "")
    assert len(server.mail("alice")) == 1
    assert "friend@elsewhere.example" in sendmail(server, "-bp")[1]
    status, _, err = sendmail(server, "nobody-here", "b@elsewhere.example",
                              text=b"x\n")
    assert status == EX_NOUSER
    assert "b@elsewhere.example" not in sendmail(server, "-bp")[1]


def test_verbose(lab):
    """-v shows the dialogue."""
    status, out, _ = sendmail(lab, "-v", "alice", text=b"x\n")
    assert status == 0
    assert ">>> RCPT TO:<alice@example.org>" in out and "\n250 " in out


def test_milter(make_server):
    """Milters see this host as the client, as they know it of others."""
    with contextlib.closing(Program()) as milter:
        server = make_server(more=LOCAL, checks='milter "%s" {{ }}' %
                             milter.endpoint)
        send(server, "alice", text=b"x\n")
        connect = milter.events("connect")[-1]
        assert connect["args"][0] == "localhost"
        assert connect["macros"]["{client_addr}"] == "127.0.0.1"


# ---- hostile and sloppy ----

def test_closed_descriptor(lab):
    """What is meant for the caller never goes to the server, though its
    socket could have been standard error."""
    sessions = len(lab.events("session_closed"))
    result = in_shell(lab, '"$0" nobody-here alice 2>&-',
                      b"Subject: x\n\nx\n")
    assert result.returncode == EX_NOUSER
    ended = postern.wait_until(
        lambda: lab.events("session_closed")[sessions:])
    assert [e["errors"] for e in ended] == ["0"]


@pytest.mark.parametrize("out", [">&-", ">/dev/full"])
def test_nobody_reads(lab, out):
    """What was sent has been sent, also when its dialogue cannot be shown;
    what is only shown has failed."""
    before = names(lab, "alice")
    result = in_shell(lab, '"$0" -v alice ' + out, b"Subject: x\n\nx\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert new_mail(lab, "alice", before).body == b"x\n"
    result = in_shell(lab, '"$0" -bv alice ' + out)
    assert result.returncode == EX_IOERR
    assert b"cannot write" in result.stderr


def test_bare_environment(lab):
    """No variables, no current folder, no input."""
    before = names(lab, "alice")
    result = in_shell(
        lab, 'd=$(mktemp -d) && cd "$d" && rmdir "$d" && exec env -i '
        'POSTERN_CONFIG="$POSTERN_CONFIG" "$0" alice', b"Subject: x\n\nx\n")
    assert (result.returncode, result.stderr) == (0, b"")
    new_mail(lab, "alice", before)
    result = in_shell(lab, '"$0" alice <&-')
    assert result.returncode == EX_IOERR
    assert b"cannot read the message" in result.stderr


def test_many_callers(lab):
    """One user's connections are counted, and nobody is served by force."""
    path = os.path.join(lab.folder, "submit")
    sockets = []
    try:
        for _ in range(60):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(10)
            s.connect(path)
            sockets.append(s)
        greetings = [s.recv(100)[:3] for s in sockets]
        assert greetings.count(b"220") == 50
        assert greetings.count(b"421") == 10
        # a program is patient for a while
        with subprocess.Popen(
                [os.path.join(postern.BUILD, "sendmail"), "alice"],
                stdin=subprocess.PIPE,
                env=dict(os.environ, POSTERN_CONFIG=lab.config_path)) as p:
            p.stdin.write(b"x\n")
            p.stdin.close()
            time.sleep(0.5)
            for s in sockets[:20]:
                s.close()
            assert p.wait(20) == 0
    finally:
        for s in sockets:
            s.close()


def test_killed_caller(lab):
    """A program that is killed while it sends has sent nothing."""
    before = names(lab, "alice")
    program = os.path.join(postern.BUILD, "sendmail")
    with subprocess.Popen(
            [program, "alice"], stdin=subprocess.PIPE,
            env=dict(os.environ, POSTERN_CONFIG=lab.config_path)) as p:
        p.stdin.write(b"Subject: half\n\n" + b"x\n" * 1000000)
        p.stdin.flush()
        p.send_signal(signal.SIGKILL)
    assert names(lab, "alice") == before
    assert lab.tmp_files("alice") == []
