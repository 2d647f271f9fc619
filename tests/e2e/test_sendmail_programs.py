# SPDX-License-Identifier: ISC
"""Programs of Debian send mail with our sendmail in the place of theirs: in a
tree of its own, into which `make install` put it. A program that is not there
is a failure: tests/install-packages.sh brings them all."""
import os
import re
import subprocess

import pytest

import postern

pytestmark = pytest.mark.needs_root

EX_DATAERR, EX_TEMPFAIL = 65, 75


class Box:
    """What comes to a mailbox during a test."""

    def __init__(self, machine, user):
        self.machine = machine
        self.user = user
        self.before = {m.name for m in machine.mail(user)}

    def new(self):
        """All that came."""
        return [m for m in self.machine.mail(self.user)
                if m.name not in self.before]

    def one(self, timeout=30):
        """The only one that comes."""
        found = postern.wait_until(self.new, timeout,
                                   "mail for %s" % self.user)
        assert len(found) == 1, [m.raw for m in found]
        return found[0]


def run(machine, words, **options):
    """A program that succeeds."""
    result = machine.run(words, **options)
    assert result.returncode == 0, (result.stdout, result.stderr)
    return result


def sender_of(mail):
    """The reverse-path."""
    return mail.get("Return-Path")


# ---- what is installed ----

def test_installed(machine):
    """One program with its names, as `make install` leaves them; it has no
    privileges to lend, and the MTA of the machine has lost its name."""
    path = machine.path("/usr/sbin/sendmail")
    with open(path, "rb") as ours, \
            open(os.path.join(postern.BUILD, "sendmail"), "rb") as built:
        assert ours.read() == built.read()
    assert os.stat(path).st_mode & 0o7777 == 0o755
    for link in "/usr/bin/mailq", "/usr/bin/newaliases", "/usr/lib/sendmail":
        assert os.readlink(machine.path(link)) == "../sbin/sendmail"


def test_names(machine):
    """The names by which others know it."""
    alice = Box(machine, "alice")
    result = run(machine, ["sh", "-c", "sendmail -bv alice; mailq; "
                           "newaliases; echo x | /usr/lib/sendmail alice"])
    assert result.stdout.startswith(b"alice@example.org... deliverable")
    assert b"Mail queue is empty" in result.stdout
    assert alice.one().body == b"x\n"


def test_queue(machine):
    """Mail for elsewhere waits, and its sender sees it with mailq."""
    run(machine, ["sendmail", "friend@elsewhere.example"], user="alice",
        input=b"Subject: away\n\nx\n")
    result = run(machine, ["mailq"], user="alice")
    assert b"friend@elsewhere.example" in result.stdout
    assert b"friend" not in run(machine, ["mailq"], user="bob").stdout
    # what is being tried at this moment stays
    postern.wait_until(lambda: b"empty" in run(machine, [
        "sh", "-c", "posternctl remove all; mailq"]).stdout, 30)


@pytest.fixture(name="secretive")
def make_secretive(machine):
    """Users may not read the configuration, and it has a small limit."""
    path = machine.path("/etc/postern/postern.conf")
    with open(path, encoding="utf-8") as f:
        usual = f.read()
    changed = re.sub(r"(message_size *)= 50M", r"\1= 1M", usual)
    assert changed != usual
    machine.write("/etc/postern/postern.conf", changed, 0o600)
    machine.reload_server()
    yield machine
    machine.write("/etc/postern/postern.conf", usual)
    machine.reload_server()


def test_unreadable_configuration(secretive):
    """Then the server is asked how much it takes, before that is kept in a
    file, and completes the names."""
    machine = secretive
    alice = Box(machine, "alice")
    result = machine.run(["sh", "-c", "ulimit -f 1; exec sendmail alice"],
                         user="bob", input=b"Subject: x\n\n" +
                         b"x\n" * 1000000)
    assert result.returncode == EX_DATAERR
    assert b"larger than 1048576 octets" in result.stderr
    run(machine, ["sendmail", "alice"], user="bob", input=b"x\n")
    assert sender_of(alice.one()) == "<bob@example.org>"


# ---- mail programs ----

def test_bsd_mailx(machine):
    """bsd-mailx: sendmail -i -t, and its recipients in the header."""
    alice, bob = Box(machine, "alice"), Box(machine, "bob")
    run(machine, ["bsd-mailx", "-s", "from bsd", "-b", "bob@example.org",
                  "alice@example.org"], input=b"hello\n.\nafter\n",
        user="alice")
    mail = alice.one()
    assert mail.get("Subject") == "from bsd"
    assert sender_of(mail) == "<alice@example.org>"
    assert mail.get("From") == "alice Ptarmigan <alice@example.org>"
    assert b"bob" not in bob.one().raw.partition(b"Received:")[2].replace(
        b"for <bob@example.org>", b"")


def test_mailutils(machine):
    """GNU mailutils gives a sender in the host's own name."""
    alice = Box(machine, "alice")
    run(machine, ["mail.mailutils", "-s", "from gnu", "alice@example.org"],
        input=b"hello\n..\nend\n", user="bob")
    mail = alice.one()
    assert mail.get("Subject") == "from gnu"
    assert mail.body == b"hello\n..\nend\n"
    assert sender_of(mail) == "<bob@example.org>"


def test_mailutils_sender(machine):
    """... and with -r the one that was said."""
    alice = Box(machine, "alice")
    run(machine, ["mail.mailutils", "-r", "bob@example.org", "-s", "r",
                  "alice@example.org"], input=b"hello\n", user="bob")
    assert sender_of(alice.one()) == "<bob@example.org>"


def test_s_nail(machine):
    """s-nail waits for sendmail, and tells of a refusal."""
    alice, bob = Box(machine, "alice"), Box(machine, "bob")
    words = ["s-nail", "-:/", "-Ssendwait", "-s", "from s-nail"]
    run(machine, [*words, "alice@example.org", "bob@example.org"],
        input=b"hello\n", user="alice")
    assert alice.one().get("Subject") == "from s-nail"
    assert bob.one().get("To") == "alice@example.org, bob@example.org"
    result = machine.run([*words, "nobody-here@example.org"], input=b"x\n",
                         user="alice")
    assert result.returncode != 0 and b"550 5.1.1" in result.stderr


def test_mutt(machine):
    """mutt, from a script, with an attachment."""
    alice = Box(machine, "alice")
    run(machine, ["mutt", "-e", "set copy=no dsn_notify=failure,delay "
                  "dsn_return=hdrs", "-s", "from mutt",
                  "-a", "/etc/hostname", "--", "alice"],
        input=b"hello\n", user="bob")
    mail = alice.one()
    assert mail.get("Subject") == "from mutt"
    assert "multipart/mixed" in mail.get("Content-Type")
    assert sender_of(mail) == "<bob@example.org>"
    result = machine.run(["mutt", "-e", "set copy=no", "-s", "x", "--",
                          "nobody-here"], input=b"x\n", user="bob")
    assert result.returncode != 0


def make_patch(machine):
    """A repository of one commit, as a patch in alice's home."""
    commands = """
        cd && git init -q work && cd work && echo one >file && git add file &&
        git -c user.name='Alice Ptarmigan' -c user.email=alice@example.org \
            commit -q -m 'A change of a file' &&
        git format-patch -q -1 --root
    """
    run(machine, ["sh", "-c", commands], user="alice")
    return "/home/alice/work/0001-A-change-of-a-file.patch"


def test_git_send_email(machine):
    """git send-email, to several, with an envelope sender."""
    alice, bob = Box(machine, "alice"), Box(machine, "bob")
    patch = make_patch(machine)
    words = ["git", "send-email", "--confirm=never",
             "--from=Alice Ptarmigan <alice@example.org>"]
    run(machine, [*words, "--quiet", "--suppress-cc=all",
                  "--envelope-sender=alice@example.org",
                  "--to=alice@example.org", "--cc=bob@example.org", patch],
        user="alice")
    assert alice.one().get("Subject") == "[PATCH] A change of a file"
    assert b"diff --git" in bob.one().body
    assert sender_of(bob.one()) == "<alice@example.org>"
    result = machine.run([*words, "--to=nobody-here@example.org", patch],
                         user="alice")
    assert result.returncode != 0


@pytest.mark.parametrize("way", ["pipe", "smtp"])
def test_nmh(machine, way):
    """nmh, with sendmail -t and with a dialogue of sendmail -bs."""
    alice, carol = Box(machine, "alice"), Box(machine, "carol")
    run(machine, ["sed", "-i", "s,^mts:.*,mts: sendmail/%s," % way,
                  "/etc/nmh/mts.conf"])
    script = "mkdir -p ~/Mail && echo Path: Mail >~/.mh_profile && " \
        "cat >~/draft && exec /usr/bin/mh/send ~/draft"
    text = "From: bob@example.org\nTo: %s@example.org\n" \
        "Bcc: carol@example.org\nSubject: nmh\n\nhello\n.\nend\n"
    run(machine, ["sh", "-c", script], user="bob",
        input=(text % "alice").encode())
    mail = alice.one()
    assert mail.body == b"hello\n.\nend\n"
    assert mail.get("Bcc") is None
    assert sender_of(mail) == "<bob@example.org>"
    assert b"hello\n.\nend\n" in carol.one().body
    result = machine.run(["sh", "-c", script], user="bob",
                         input=(text % "nobody-here").encode())
    assert b"550 5.1.1" in result.stderr
    assert len(alice.new()) == 1


# ---- languages ----

def test_php(machine):
    """PHP's mail(), with headers and the fifth argument."""
    alice, bob = Box(machine, "alice"), Box(machine, "bob")
    code = r"""
        $ok = mail("alice@example.org", "from \r\n php", "hello\n.\nend\n",
            "From: PHP <bob@example.org>\r\nBcc: bob@example.org",
            "-f bob@example.org");
        exit($ok ? 0 : 1);
    """
    run(machine, ["php", "-r", code], user="bob")
    mail = alice.one()
    assert mail.get("From") == "PHP <bob@example.org>"
    assert mail.body.rstrip() == b"hello\n.\nend"
    assert mail.get("Bcc") is None
    assert bob.one().get("Bcc") is None
    result = machine.run(["php", "-r", 'exit(mail("nobody-here@example.org", '
                          '"x", "y") ? 0 : 1);'], user="bob")
    assert result.returncode == 1


def test_perl(machine):
    """Perl, as thousands of scripts do it."""
    alice = Box(machine, "alice")
    run(machine, ["perl", "-e", 'open(M, "|/usr/sbin/sendmail -t") or die; '
                  'print M "To: alice\nSubject: from perl\n\nhello\n"; '
                  "close(M) or exit 1;"], user="bob")
    assert alice.one().get("To") == "alice@example.org"


def test_smtp_on_stdin(machine):
    """swaks speaks SMTP with sendmail -bs, and waits for each answer."""
    alice = Box(machine, "alice")
    run(machine, ["swaks", "--pipe", "/usr/sbin/sendmail -bs", "--from",
                  "bob@example.org", "--to", "alice@example.org",
                  "--h-Subject", "from swaks", "--body", "hello"],
        user="bob")
    mail = alice.one()
    assert mail.get("Subject") == "from swaks"
    assert sender_of(mail) == "<bob@example.org>"
    result = machine.run(["swaks", "--pipe", "/usr/sbin/sendmail -bs",
                          "--from", "bob@example.org", "--to",
                          "nobody-here@example.org"], user="bob")
    assert result.returncode == 24 and b"<** 550 5.1.1" in result.stdout


# ---- jobs ----

def test_cron(machine):
    """Jobs' output from the real cron, by crontabs of users."""
    alice, bob, carol = (Box(machine, u) for u in ("alice", "bob", "carol"))
    run(machine, ["crontab", "-"], user="alice",
        input="@reboot printf 'mine\\n.\\n'\nMAILTO=bob\n"
        "@reboot printf 'f\u00fcr bob'\n".encode())
    run(machine, ["crontab", "-"],
        input=b"@reboot printf 'out\\n.\\nput\\n'\n")
    machine.start(["cron", "-f", "-L", "0"], "cron.log")
    mail = alice.one()
    assert mail.body == b"mine\n.\n"
    assert sender_of(mail) == "<alice@example.org>"
    assert mail.get("To") == "alice@example.org"
    assert mail.get("Subject").startswith("Cron <alice@host> printf")
    assert re.fullmatch(r"alice(@example\.org)? \(Cron Daemon\)",
                        mail.get("From"))
    assert mail.get("X-Cron-Env")
    mail = bob.one()
    assert mail.body == "f\u00fcr bob\n".encode()
    assert sender_of(mail) == "<alice@example.org>"
    mail = carol.one()                          # who reads root's
    assert mail.body == b"out\n.\nput\n"
    assert sender_of(mail) == "<root@example.org>"
    assert re.fullmatch(r"root(@example\.org)? \(Cron Daemon\)",
                        mail.get("From"))


def test_at(machine):
    """A job of at(1), run by the real atd."""
    bob = Box(machine, "bob")
    machine.start(["atd", "-f"], "atd.log")
    postern.wait_until(
        lambda: os.path.exists(machine.path("/run/atd.pid")), 20, "atd")
    run(machine, ["at", "now"], user="bob",
        input=b"printf 'printed\\n.\\nby at\\n'\n")
    mail = bob.one()
    assert mail.body == b"printed\n.\nby at\n"
    assert mail.get("Subject").startswith("Output from your job")
    assert sender_of(mail) == "<bob@example.org>"


def test_anacron(machine):
    """A job of the real anacron that is due."""
    carol = Box(machine, "carol")
    machine.write("/root/job", "printf 'printed\\n..\\nby anacron\\n'\n")
    machine.write("/etc/anacrontab", "SHELL=/bin/sh\n"
                  "1 0 job.daily sh /root/job\n")
    run(machine, ["anacron", "-n", "-d"])
    mail = carol.one()
    assert mail.body == b"printed\n..\nby anacron\n"
    assert mail.get("Subject") == "Anacron job 'job.daily' on host"
    assert sender_of(mail) == "<root@example.org>"


# ---- filters ----

MESSAGE = b"From: %s\nTo: alice@example.org\nSubject: x\n\nhello\n.\nend\n"


def test_procmail(machine):
    """procmail passes on what its user may send."""
    bob = Box(machine, "bob")
    machine.write("/home/alice/.procmailrc", ":0\n! bob@example.org\n")
    run(machine, ["procmail"], user="alice",
        input=MESSAGE % b"alice@example.org")
    mail = bob.one()
    assert mail.body == b"hello\n.\nend\n\n"     # it ends with an empty line
    assert sender_of(mail) == "<alice@example.org>"


def test_procmail_of_others(machine):
    """... and keeps what he may not: that is another author's mail."""
    bob = Box(machine, "bob")
    machine.write("/home/alice/.procmailrc", "DEFAULT=$HOME/kept/\n"
                  "LOGFILE=$HOME/log\n:0 w\n! bob@example.org\n")
    run(machine, ["procmail"], user="alice",
        input=MESSAGE % b"stranger@elsewhere.example")
    kept, = postern.maildir_mail(machine.path("/home/alice/kept"))
    assert kept.get("From") == "stranger@elsewhere.example"
    with open(machine.path("/home/alice/log"), encoding="utf-8") as f:
        assert "5.7.1" in f.read()
    assert not bob.new()


def test_formail(machine):
    """formail -s splits a mailbox; each message is sent."""
    alice = Box(machine, "alice")
    mbox = b"".join(b"From bob Thu Jan  1 00:00:00 2026\n" +
                    MESSAGE % b"bob@example.org" + b"\n" for _ in range(3))
    run(machine, ["formail", "-s", "sendmail", "-oi", "-t"], user="bob",
        input=mbox)
    assert len(alice.new()) == 3
    assert {m.body.rstrip() for m in alice.new()} == {b"hello\n.\nend"}


# ---- the server is not there ----

@pytest.fixture(name="stopped")
def stop_machine(machine):
    """A machine whose postern has been stopped."""
    machine.stop_server()
    yield machine
    machine.start_server()


def test_no_server(stopped):
    """Programs hear that the mail was not sent, and nothing lies about."""
    machine = stopped
    result = machine.run(
        ["s-nail", "-:/", "-Ssendwait", "-s", "x", "alice@example.org"],
        input=b"x\n", user="bob")
    assert result.returncode != 0
    assert b"is not running" in result.stderr
    result = machine.run(["php", "-r", 'exit(mail("alice@example.org", '
                          '"x", "y") ? 0 : 1);'], user="bob", timeout=20)
    assert result.returncode == 1
    result = machine.run(["sendmail", "-ti"], user="bob",
                         input=MESSAGE % b"bob" + b"x\n" * 1000000)
    assert result.returncode == EX_TEMPFAIL
    assert b"nothing was sent" in result.stderr
    found = subprocess.run(
        ["find", machine.path("/tmp"), machine.path("/var/tmp"), "-type",
         "f"], stdout=subprocess.PIPE, check=True).stdout
    assert found == b""
