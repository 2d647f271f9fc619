# SPDX-License-Identifier: ISC
"""Real clients send, real readers read."""
import email
import email.policy
import imaplib
import os
import pty
import pwd
import re
import select
import shutil
import smtplib
import subprocess
import time
from email.message import EmailMessage

import pytest

from client import new_message
from postern import IS_ROOT, OWNER, free_port, make_folder, wait_until

HOSTS = ["127.0.0.1", "::1"]


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(
        users="alice\nbob quota=1M\ncarol\nreader quota=100K\n"
        "mutt\njörg\n", limits="unknown_recipients = 0")


def need(program):
    """Skip when a client is not installed."""
    if shutil.which(program) is None:
        pytest.skip("%s is not installed" % program)


def letter(subject="real client", body="Hello,\n.\nthis is it.\n"):
    """A message made by Python's email package."""
    message = EmailMessage()
    message["From"] = "sender@elsewhere.example"
    message["To"] = "alice@example.org"
    message["Subject"] = subject
    message["Date"] = "Tue, 14 Nov 2023 22:13:20 +0000"
    message["Message-ID"] = "<%d@elsewhere.example>" % time.time_ns()
    message.set_content(body)
    return message


def last(server, user):
    """The newest message as Python reads it."""
    return email.message_from_bytes(server.mail(user)[-1].raw,
                                    policy=email.policy.default)


# ---- smtplib ----

@pytest.mark.parametrize("host", HOSTS)
def test_smtplib(server, host):
    before = len(server.mail("alice")), len(server.mail("bob"))
    with smtplib.SMTP(host, server.port, "client.example") as s:
        refused = s.send_message(letter("by " + host), to_addrs=[
            "alice@example.org", "bob@example.org", "nobody@example.org"])
    assert list(refused) == ["nobody@example.org"]
    assert refused["nobody@example.org"][0] == 550
    assert len(server.mail("alice")) == before[0] + 1
    assert len(server.mail("bob")) == before[1] + 1
    got = last(server, "alice")
    assert got["Subject"] == "by " + host
    assert got.get_content() == "Hello,\n.\nthis is it.\n"
    received = server.mail("alice")[-1].get("Received")
    assert ("IPv6:::1" if host == "::1" else "127.0.0.1") in received


def test_smtplib_refused(server):
    with smtplib.SMTP("127.0.0.1", server.port) as s:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as e:
            s.sendmail("a@elsewhere.example", ["nobody@example.org"], "x")
        code, text = e.value.recipients["nobody@example.org"]
        assert code == 550 and text.startswith(b"5.1.1 ")


def test_smtplib_smtputf8(server):
    message = letter("Grüße")
    with smtplib.SMTP("127.0.0.1", server.port) as s:
        s.send_message(message, "björn@elsewhere.example",
                       ["jörg@example.org"])
    assert last(server, "jörg")["Subject"] == "Grüße"


def test_smtplib_large_attachment(server):
    message = letter("large")
    blob = os.urandom(3 << 20)
    message.add_attachment(blob, maintype="application",
                           subtype="octet-stream", filename="blob")
    with smtplib.SMTP("127.0.0.1", server.port) as s:
        s.send_message(message)
    [part] = list(last(server, "alice").iter_attachments())
    assert part.get_content() == blob


# ---- swaks ----

def swaks(server, host, *arguments):
    """Run swaks; (status, dialogue)."""
    need("swaks")
    result = subprocess.run(
        ["swaks", "--server", host, "--port", str(server.port),
         "--from", "sender@elsewhere.example", *arguments],
        capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("more", [[], ["--pipeline"], ["--protocol", "SMTP"],
                                  ["--prdr"]])
def test_swaks(server, host, more):
    before = len(server.mail("carol"))
    if host == "::1":
        more = more + ["-6"]
    status, text = swaks(server, host, "--to",
                         "carol@example.org,alice@example.org",
                         "--header", "Subject: swaks %s" % len(more),
                         "--body", "by swaks\n.dot", *more)
    assert status == 0, text
    assert len(server.mail("carol")) == before + 1
    got = server.mail("carol")[-1]
    assert got.get("Subject") == "swaks %d" % len(more)
    assert b"by swaks" in got.body and b"\n.dot" in got.body


def test_swaks_refused(server):
    status, text = swaks(server, "127.0.0.1", "--to", "nobody@example.org")
    assert status == 24, text       # no recipient was accepted
    assert re.search(r"<\*\* +550 5\.1\.1 .*\(\w{9,12}\)", text), text


# ---- curl ----

@pytest.mark.parametrize("host", HOSTS)
def test_curl(server, host, tmp_path):
    need("curl")
    before = len(server.mail("alice"))
    path = tmp_path / "mail"
    path.write_text(letter("by curl").as_string().replace("\n", "\r\n"))
    url = "smtp://%s:%d/client.example" % (
        "[::1]" if host == "::1" else host, server.port)
    result = subprocess.run(
        ["curl", "-sS", "--url", url, "--mail-from",
         "sender@elsewhere.example", "--mail-rcpt", "alice@example.org",
         "--mail-rcpt", "bob@example.org", "--upload-file", str(path)],
        capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert len(server.mail("alice")) == before + 1
    assert last(server, "alice")["Subject"] == "by curl"


def test_curl_refused(server, tmp_path):
    need("curl")
    path = tmp_path / "mail"
    path.write_text("Subject: x\r\n\r\nx\r\n")
    result = subprocess.run(
        ["curl", "-sS", "--url", "smtp://127.0.0.1:%d" % server.port,
         "--mail-from", "a@elsewhere.example", "--mail-rcpt",
         "nobody@example.org", "--upload-file", str(path)],
        capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 55 and "550" in result.stderr


# ---- Dovecot ----

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:{mail}/%n/Maildir
mail_uid = {uid}
mail_gid = {gid}
default_login_user = dovenull
default_internal_user = dovecot
mail_plugins = quota
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%n
}}
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=100K
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


class Dovecot:
    """A Dovecot of our own that reads this server's mailboxes."""

    def __init__(self, server):
        self.folder = make_folder()
        self.port = free_port()
        self.config = os.path.join(self.folder, "dovecot.conf")
        entry = pwd.getpwnam(OWNER)
        with open(self.config, "w", encoding="ascii") as f:
            f.write(DOVECOT.format(
                folder=self.folder, port=self.port, uid=entry.pw_uid,
                gid=entry.pw_gid, mail=server.mail_folder))
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.config], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(self.login, 20, "IMAP server").logout()

    def login(self, user="probe"):
        """A logged-in connection, or None while it starts."""
        try:
            imap = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        except OSError:
            assert self.process.poll() is None, self.process.stderr.read()
            return None
        imap.login(user, "secret")
        return imap

    def admin(self, *words):
        """doveadm's output."""
        return subprocess.run(
            ["doveadm", "-c", self.config, *words], capture_output=True,
            text=True, timeout=30, check=True).stdout

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def dovecot(server):
    need("dovecot")
    if not IS_ROOT:
        pytest.skip("needs root: Dovecot changes its uid")
    d = Dovecot(server)
    yield d
    d.close()


def test_dovecot_reads_the_mailbox(server, dovecot):
    message = letter("for imap")
    with smtplib.SMTP("127.0.0.1", server.port) as s:
        s.send_message(message, to_addrs=["reader@example.org"])
    imap = dovecot.login("reader")
    status, [n] = imap.select("INBOX")
    assert (status, n) == ("OK", b"1")
    _, parts = imap.fetch("1", "(RFC822 RFC822.SIZE FLAGS)")
    got = email.message_from_bytes(parts[0][1], policy=email.policy.default)
    assert got["Subject"] == "for imap"
    assert got["Message-ID"] == message["Message-ID"]
    assert got["Delivered-To"] == "reader@example.org"
    assert got.get_content().replace("\r\n", "\n") == message.get_content()
    imap.store("1", "+FLAGS", r"(\Seen)")
    imap.logout()
    # and delivery goes on beside a reader that has moved it to cur/
    assert server.deliver("reader@example.org", new_message()).code == 250
    imap = dovecot.login("reader")
    assert imap.select("INBOX")[1] == [b"2"]
    imap.logout()


def test_dovecot_takes_our_maildirsize(server, dovecot):
    """Its quota reads what we wrote, and we read what it wrote."""
    for size in (1000, 20000, 5000):
        assert server.deliver("reader@example.org",
                              new_message(size=size)).code == 250
    path = os.path.join(server.maildir("reader"), "maildirsize")
    with open(path, encoding="ascii") as f:
        ours = f.read()
    assert ours.splitlines()[0].split(",")[0] == "102400S"
    mails = server.mail("reader")
    total = sum(len(m.raw) for m in mails)
    imap = dovecot.login("reader")
    status, answer = imap.getquota('"User quota"')
    assert status == "OK"
    used, most = re.search(rb"STORAGE (\d+) (\d+)", answer[0]).groups()
    assert int(most) == 100
    assert abs(int(used) - total / 1024) <= 1, (answer, total)
    with open(path, encoding="ascii") as f:
        assert f.read() == ours, "Dovecot counted anew: ours was not read"
    # the reader deletes: Dovecot appends, and we believe it
    imap.select("INBOX")
    imap.store("1:*", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.logout()
    assert server.mail("reader") == []

    def fits():
        return server.rcpt("reader@example.org",
                           params=" SIZE=95000").code == 250
    wait_until(fits, 20, "room that Dovecot gave back", every=0.5)


# ---- mutt ----

@pytest.mark.needs_root
def test_mutt_reads_the_mailbox(server, tmp_path):
    need("mutt")
    message = letter("for mutt", "Read me with mutt.\n")
    with smtplib.SMTP("127.0.0.1", server.port) as s:
        s.send_message(message, to_addrs=["mutt@example.org"])
    (tmp_path / "Mail").mkdir()     # or it asks whether to make it
    copy = tmp_path / "copy"
    rc = tmp_path / "muttrc"
    rc.write_text("set wait_key=no\nset mark_old=no\nset beep=no\n"
                  "unset help\nset pipe_decode=yes\nset move=no\n"
                  'push "<pipe-message>cat >%s<enter><exit>"\n' % copy)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="vt100", HOME=str(tmp_path))
        os.execvp("mutt", ["mutt", "-n", "-F", str(rc), "-R", "-f",
                           server.maildir("mutt")])
    end = time.monotonic() + 20
    status = None
    while status is None and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                pass
        done, code = os.waitpid(pid, os.WNOHANG)
        status = code if done else None
    if status is None:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    os.close(terminal)
    text = copy.read_text() if copy.exists() else ""
    assert "Subject: for mutt" in text and "Read me with mutt." in text
