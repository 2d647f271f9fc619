# SPDX-License-Identifier: ISC
"""Programs of Debian send mail with our sendmail in the place of theirs."""
import os
import re
import shutil
import subprocess
import time

import pytest

import postern
from programs import LOCAL, Host

pytestmark = pytest.mark.needs_root

USER = "pt-alice"


@pytest.fixture(scope="module", name="lab")
def make_lab(make_module_server):
    """A server with a local listener, and users of the system."""
    return make_module_server(
        more=LOCAL, users=postern.DEFAULT_USERS + "root\n",
        aliases="postmaster: alice\nabuse: alice\npt-alice: alice\n"
        "both: alice, bob\n")


@pytest.fixture(scope="module", name="host")
def make_host(lab, passwd_users):
    """The machine as programs see it."""
    del passwd_users
    with Host(lab) as host:
        yield host


def needs(program):
    """Skip, if this program is not installed."""
    if shutil.which(program) is None:
        pytest.skip("%s is not installed" % program)


class Box:
    """What comes to a mailbox during a test."""

    def __init__(self, server, user):
        self.server = server
        self.user = user
        self.before = {m.name for m in server.mail(user)}

    def new(self):
        """All that came."""
        return [m for m in self.server.mail(self.user)
                if m.name not in self.before]

    def one(self):
        """The only one that came."""
        found = self.new()
        assert len(found) == 1, [m.raw for m in found]
        return found[0]


def run(host, words, **options):
    """A program that succeeds."""
    result = host.run(words, **options)
    assert result.returncode == 0, (result.stdout, result.stderr)
    return result


def sender_of(mail):
    """The reverse-path."""
    return mail.get("Return-Path")


def test_names(host):
    """The names by which others know it."""
    result = host.run(["sh", "-c", "sendmail -bv alice; newaliases"])
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"alice@example.org... deliverable")


def test_bsd_mailx(lab, host):
    """bsd-mailx: sendmail -i -t, and its recipients in the header."""
    needs("bsd-mailx")
    alice, bob = Box(lab, "alice"), Box(lab, "bob")
    run(host, ["bsd-mailx", "-s", "from bsd", "-b", "bob@example.org",
               "alice@example.org"], input=b"hello\n.\nafter\n", user=USER)
    postern.wait_until(lambda: alice.new() and bob.new())
    mail = alice.one()
    assert mail.get("Subject") == "from bsd"
    assert sender_of(mail) == "<pt-alice@example.org>"
    assert mail.get("From").startswith("Alice Ptarmigan <pt-alice@")
    assert b"bob" not in bob.one().raw.partition(b"Received:")[2].replace(
        b"for <bob@example.org>", b"")


def test_mailutils(lab, host):
    """GNU mailutils gives a sender in the host's own name."""
    needs("mail.mailutils")
    alice = Box(lab, "alice")
    run(host, ["mail.mailutils", "-s", "from gnu", "alice@example.org"],
        input=b"hello\n", user=USER)
    postern.wait_until(alice.new)
    assert alice.one().get("Subject") == "from gnu"
    assert sender_of(alice.one()) == "<pt-alice@example.org>"


def test_mailutils_sender(lab, host):
    """... and with -r the one that was said."""
    needs("mail.mailutils")
    alice = Box(lab, "alice")
    run(host, ["mail.mailutils", "-r", "pt-alice@example.org", "-s", "r",
               "alice@example.org"], input=b"hello\n", user=USER)
    postern.wait_until(alice.new)
    assert sender_of(alice.one()) == "<pt-alice@example.org>"


def test_s_nail(lab, host):
    """s-nail waits for sendmail, and tells of a refusal."""
    needs("s-nail")
    alice, bob = Box(lab, "alice"), Box(lab, "bob")
    words = ["s-nail", "-:/", "-Smta=/usr/sbin/sendmail", "-Ssendwait",
             "-s", "from s-nail"]
    run(host, [*words, "alice@example.org", "bob@example.org"],
        input=b"hello\n", user=USER)
    assert alice.one().get("Subject") == "from s-nail"
    assert bob.one().get("To") == "alice@example.org, bob@example.org"
    result = host.run([*words, "nobody-here@example.org"], input=b"x\n",
                      user=USER)
    assert result.returncode != 0 and b"550 5.1.1" in result.stderr


def test_mutt(lab, host):
    """mutt, from a script, with an attachment."""
    needs("mutt")
    alice = Box(lab, "alice")
    run(host, ["mutt", "-n", "-F", "/dev/null",
               "-e", "set sendmail_wait=0 copy=no use_domain=no "
               "dsn_notify=failure,delay dsn_return=hdrs",
               "-s", "from mutt", "-a", "/etc/hostname", "--",
               "alice@example.org"], input=b"hello\n", user=USER)
    mail = alice.one()
    assert mail.get("Subject") == "from mutt"
    assert "multipart/mixed" in mail.get("Content-Type")
    assert sender_of(mail) == "<pt-alice@example.org>"


def make_patch(folder):
    """A repository of one commit, as a patch."""
    commands = """
        git init -q . && echo one >file && git add file &&
        git -c user.name='Alice Ptarmigan' -c user.email=pt-alice@example.org \
            commit -q -m 'A change of a file' &&
        git format-patch -q -1 --root && chmod -R a+rX .
    """
    subprocess.run(["sh", "-c", commands], cwd=folder, check=True,
                   env=dict(os.environ, HOME=folder))
    return next(os.path.join(folder, n) for n in os.listdir(folder)
                if n.endswith(".patch"))


def test_git_send_email(lab, host, tmp_path):
    """git send-email, to several, with an envelope sender."""
    needs("/usr/lib/git-core/git-send-email")
    alice, bob = Box(lab, "alice"), Box(lab, "bob")
    os.chmod(tmp_path, 0o755)
    patch = make_patch(str(tmp_path))
    run(host, ["git", "send-email", "--confirm=never", "--quiet", "--suppress-cc=all",
               "--from=Alice Ptarmigan <pt-alice@example.org>",
               "--envelope-sender=pt-alice@example.org",
               "--to=alice@example.org", "--cc=bob@example.org", patch],
        env={"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"})
    assert alice.one().get("Subject") == "[PATCH] A change of a file"
    assert b"diff --git" in bob.one().body
    assert sender_of(bob.one()) == "<pt-alice@example.org>"
    result = host.run(
        ["git", "send-email", "--confirm=never",
         "--from=pt-alice@example.org", "--to=nobody-here@example.org",
         patch], env={"HOME": str(tmp_path)})
    assert result.returncode != 0


def test_php(lab, host):
    """PHP's mail(), with headers and the fifth argument."""
    needs("php")
    alice, bob = Box(lab, "alice"), Box(lab, "bob")
    code = r"""
        $ok = mail("alice@example.org", "from \r\n php", "hello\n.\nend\n",
            "From: PHP <pt-alice@example.org>\r\nBcc: bob@example.org",
            "-f pt-alice@example.org");
        exit($ok ? 0 : 1);
    """
    run(host, ["php", "-d", "sendmail_path=/usr/sbin/sendmail -t -i", "-r",
               code], user=USER)
    mail = alice.one()
    assert mail.get("From") == "PHP <pt-alice@example.org>"
    assert mail.body.rstrip() == b"hello\n.\nend"
    assert mail.get("Bcc") is None
    assert len(bob.new()) == 1
    result = host.run(["php", "-r", 'exit(mail("nobody-here@example.org", '
                       '"x", "y") ? 0 : 1);'], user=USER)
    assert result.returncode == 1


def test_perl(lab, host):
    """Perl, as thousands of scripts do it."""
    alice = Box(lab, "alice")
    run(host, ["perl", "-e", 'open(M, "|/usr/sbin/sendmail -t") or die; '
               'print M "To: alice\nSubject: from perl\n\nhello\n"; '
               "close(M) or exit 1;"], user=USER)
    assert alice.one().get("To") == "alice@example.org"


CRON = r"""
cat >/etc/crontab <<'END'
@reboot root printf 'out\n.\nput\n'
@reboot pt-alice echo mine
END
rm -rf /etc/cron.d
exec cron -f -L 0
"""


def test_cron(lab, host):
    """A job's output, from the real cron."""
    needs("cron")
    alice = Box(lab, "alice")
    script = lab.write("cron.sh", CRON)
    process = host.start(["sh", script])
    try:
        postern.wait_until(lambda: len(alice.new()) >= 1, 30, "mail of cron")
        root = Box(lab, "root")
        root.before = set()
        postern.wait_until(root.new, 30, "root's mail of cron")
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
    mail = alice.one()
    assert mail.body == b"mine\n"
    assert sender_of(mail) == "<pt-alice@example.org>"
    assert mail.get("Subject").startswith("Cron <pt-alice@")
    mail = root.new()[-1]
    assert mail.body == b"out\n.\nput\n"
    assert re.search(r"root.*\(Cron Daemon\)", mail.get("From"))


def test_no_server(make_server, passwd_users):
    """Programs hear that the mail was not sent."""
    needs("s-nail")
    del passwd_users
    server = make_server(start=False, more=LOCAL)
    with Host(server) as stopped:
        result = stopped.run(
            ["s-nail", "-:/", "-Smta=/usr/sbin/sendmail", "-Ssendwait",
             "-s", "x", "alice@example.org"], input=b"x\n", user=USER)
        assert result.returncode != 0
        assert b"is not running" in result.stderr
        begun = time.monotonic()
        result = stopped.run(["php", "-r", 'exit(mail("alice@example.org", '
                              '"x", "y") ? 0 : 1);'], user=USER)
        assert result.returncode == 1
        assert time.monotonic() - begun < 10
