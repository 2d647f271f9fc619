# SPDX-License-Identifier: ISC
"""250 means delivered, and anything else means that nobody has it."""
import concurrent.futures
import os
import pwd
import re
import signal
import socket
import subprocess
import time

import pytest

from client import new_message, wire
from postern import IS_ROOT, OTHER_OWNER, OWNER, owner_key, wait_until

USERS = "alice\nbob\ncarol\nsmall quota=20K\ntiny quota=4K\n" + \
    "".join("r%d\n" % i for i in range(20))

TWO_OWNERS = """
domain "second.example" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases"
    mailbox = "{folder}/second/%u/Maildir"
    OWNER
}}
"""


def two_owners(make, **options):
    """A server with example.org's mailboxes of one uid, second.example's
    of another."""
    server = make(start=False, users=USERS,
                  more=TWO_OWNERS.replace("OWNER", owner_key(OTHER_OWNER)), **options)
    second = os.path.join(server.folder, "second")
    os.mkdir(second)
    server.own_by(second, OTHER_OWNER)
    return server


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(users=USERS, limits="errors_per_session = 0\n"
                              "unknown_recipients = 0")


@pytest.fixture
def session(server):
    with server.connect() as c:
        c.ehlo()
        yield c


# ---- what is on top ----

def test_trace_fields_on_top_in_order(server, session):
    message = new_message(subject="on top", body="Body.\n")
    assert session.deliver("alice@example.org", message,
                           sender="s@elsewhere.example").code == 250
    mail = server.mail("alice")[-1]
    assert [n for n, _ in mail.fields[:4]] == \
        ["Return-Path", "Delivered-To", "Received", "From"]
    assert mail.get("Return-Path") == "<s@elsewhere.example>"
    assert mail.get("Delivered-To") == "alice@example.org"
    received = " ".join(mail.get("Received").split())
    m = re.fullmatch(
        r"from client\.example \(.*\[?127\.0\.0\.1\]?\)? by mx\.example\.org "
        r"\(Postern\) with ESMTP id (\S+) for <alice@example\.org>; "
        r"(\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4})", received)
    assert m, received
    # and below it, octet for octet, what was sent
    assert mail.raw.endswith(message.encode())
    top = mail.raw[:-len(message)].decode()
    assert all(len(line) <= 998 for line in top.split("\n"))
    assert [line for line in top.split("\n")[:-1]
            if not re.match(r"[A-Z][\w-]+: |[ \t]\S", line)] == []


def test_no_for_with_two_recipients(server, session):
    assert session.deliver(["alice@example.org", "bob@example.org"],
                           new_message()).code == 250
    for user in ("alice", "bob"):
        mail = server.mail(user)[-1]
        assert "for <" not in mail.get("Received")
        assert mail.get("Delivered-To") == user + "@example.org"
        others = {"alice": b"bob@", "bob": b"alice@"}[user]
        assert others not in mail.raw


def test_null_reverse_path(server, session):
    assert session.deliver("alice@example.org", new_message(),
                           sender="").code == 250
    assert server.mail("alice")[-1].get("Return-Path") == "<>"


def test_delivered_to_is_the_mailbox_behind_plus_and_alias(server, session):
    assert session.deliver("postmaster@example.org",
                           new_message()).code == 250
    mail = server.mail("alice")[-1]
    assert "for <postmaster@example.org>" in mail.get("Received")
    assert mail.get("Delivered-To") is not None


def test_client_text_cannot_forge_lines(server):
    with server.connect() as c:
        reply = c.command("EHLO evil(\"by.mx)[127.0.0.1];for<x@y>")
        if reply.code == 501:
            c.expect("EHLO evil();", "250")
        assert c.deliver("alice@example.org", new_message(),
                         sender='"a\\"b;(c"@elsewhere.example').code == 250
    mail = server.mail("alice")[-1]
    assert [n for n, _ in mail.fields[:4]] == \
        ["Return-Path", "Delivered-To", "Received", "From"]
    assert len(mail.get_all("Received")) == 1


# ---- names ----

def test_file_names(server, session):
    began = int(time.time())
    sizes = [0, 500, 5000, 300000]
    for size in sizes:
        session.deliver("bob@example.org", new_message(size=size))
    names = set()
    for mail in server.mail("bob")[-len(sizes):]:
        m = re.fullmatch(r"(\d+)\.([^.,:/]+)\.mx\.example\.org,S=(\d+)",
                         mail.name)
        assert m, mail.name
        assert began - 1 <= int(m.group(1)) <= time.time() + 1
        assert int(m.group(3)) == os.path.getsize(mail.path) == len(mail.raw)
        assert os.path.dirname(mail.path).endswith("/new")
        names.add(m.group(2))
    assert len(names) == len(sizes)
    assert server.tmp_files("bob") == []


def test_many_at_once(server):
    """20 sessions at a time: every 250 is one file."""
    sessions = [server.connect() for _ in range(20)]
    before = len(server.mail("carol"))
    for c in sessions:
        c.ehlo()
        c.envelope("carol@example.org")
        c.expect("DATA", "354")
    for _ in range(3):
        for c in sessions:
            c.send(wire(new_message()))
        assert [c.reply().code for c in sessions] == [250] * 20
        for c in sessions:
            c.send("MAIL FROM:<a@b.example>\r\nRCPT TO:<carol@example.org>"
                   "\r\nDATA\r\n")
        assert all(c.replies(3)[-1].code == 354 for c in sessions)
    for c in sessions:
        c.close()
    mails = server.mail("carol")
    assert len(mails) == before + 60
    assert len({m.get("Message-ID") for m in mails[before:]}) == 60


def test_large_message_to_many_recipients(server, session):
    names = ["r%d" % i for i in range(20)]
    message = new_message(size=2 << 20)
    assert session.deliver([n + "@example.org" for n in names],
                           message).code == 250
    for name in names:
        [mail] = server.mail(name)
        assert mail.raw.endswith(message.encode())


@pytest.mark.needs_root
def test_two_owners_in_one_transaction(make_server):
    server = two_owners(make_server).start()
    assert server.deliver(["alice@example.org", "alice@second.example"],
                          new_message()).code == 250
    files = server.all_files() + [
        os.path.join(path, n)
        for path, _, names in os.walk(server.folder + "/second")
        for n in names if path.endswith("/new")]
    assert len(files) == 2
    owners = {os.stat(f).st_uid for f in files}
    assert owners == {pwd.getpwnam(OWNER).pw_uid,
                      pwd.getpwnam(OTHER_OWNER).pw_uid}


# ---- quota ----

def fill_up(server, user, leave=1500, quota=20 << 10):
    """Deliver until about so much room is left."""
    used = sum(len(m.raw) for m in server.mail(user))
    while quota - used > leave + 2500:
        size = min(8000, quota - used - leave - 900)
        reply = server.deliver(user + "@example.org", new_message(size=size))
        assert reply.code == 250, reply
        used = sum(len(m.raw) for m in server.mail(user))


def test_quota_is_one_recipients_own_failure(make_server):
    """452 4.2.2 at the dot and nobody has it; the retry reaches the others,
    and the full one hears it at RCPT."""
    server = make_server(users=USERS)
    fill_up(server, "small")
    n_small = len(server.mail("small"))
    message = new_message(size=6000)
    everybody = ["small@example.org", "alice@example.org", "bob@example.org"]
    with server.connect() as c:
        c.ehlo()
        reply = c.deliver(everybody, message)
        assert reply.says("452 4.2.2"), reply
        assert reply.id
        assert server.mail("alice") == server.mail("bob") == []
        assert all(server.tmp_files(u) == [] for u in
                   ("alice", "bob", "small"))
        c.expect("MAIL FROM:<sender@elsewhere.example>", "250")
        c.expect("RCPT TO:<small@example.org>", "452 4.2.2")
        c.expect("RCPT TO:<alice@example.org>", "250")
        c.expect("RCPT TO:<bob@example.org>", "250")
        assert c.data(message).code == 250
    assert len(server.mail("alice")) == len(server.mail("bob")) == 1
    assert len(server.mail("small")) == n_small


def test_quota_counts_what_the_reader_removed(make_server):
    server = make_server(users=USERS)
    fill_up(server, "small")
    assert server.rcpt("small@example.org",
                       params=" SIZE=9000").says("452 4.2.2")
    for mail in server.mail("small"):
        os.unlink(mail.path)
    # a reader that knows no maildirsize; Maildir++ counts anew when that
    # file says "no room" and is older than a quarter of an hour
    path = os.path.join(server.maildir("small"), "maildirsize")
    past = time.time() - 20 * 60
    os.utime(path, (past, past))

    def fits():
        return server.rcpt("small@example.org", params=" SIZE=9000").code \
            == 250
    wait_until(fits, 15, "room after the mailbox was emptied", every=0.5)
    assert server.deliver("small@example.org",
                          new_message(size=9000)).code == 250


def test_quota_is_counted_for_who_does_not_tell_the_size(make_server):
    """An old maildirsize leaves room for nothing, but what is asked about
    at RCPT is no octet. Once it has not fitted, it is what is asked about."""
    server = make_server(users=USERS)
    box = server.maildir("small")
    os.makedirs(box)
    path = os.path.join(box, "maildirsize")
    with open(path, "w", encoding="ascii") as f:
        f.write("20480S\n20480 9\n")
    past = time.time() - 20 * 60
    os.utime(path, (past, past))
    if IS_ROOT:
        for made in (os.path.dirname(box), box, path):
            server.own_by(made, OWNER)
    message = new_message(size=2000)

    def is_taken():
        with server.connect() as c:
            c.ehlo()
            c.expect("MAIL FROM:<sender@elsewhere.example>", "250")
            return c.command("RCPT TO:<small@example.org>").code == 250 and \
                c.data(message).code == 250
    assert not is_taken()
    wait_until(is_taken, 10, "room that there is", every=0.5)


def test_message_that_never_fits(server, session):
    session.expect("MAIL FROM:<a@b.example> SIZE=30000", "250")
    session.expect("RCPT TO:<small@example.org>", "550 5.2.3")
    session.expect("RCPT TO:<alice@example.org>", "250")
    session.expect("RSET", "250")
    reply = session.deliver("small@example.org", new_message(size=30000))
    assert reply.says("552 5.2.2"), reply
    assert server.mail("small") == []


def test_never_fits_with_others_is_temporary_for_them(make_server):
    """The retry tells him, when he comes alone; and a message that fits is
    refused to nobody meanwhile."""
    server = make_server(users=USERS)
    message = new_message(size=30000)
    with server.connect() as c:
        c.ehlo()
        reply = c.deliver(["small@example.org", "alice@example.org"], message)
        assert 400 <= reply.code < 500, reply
        assert server.all_files() == []
        c.expect("MAIL FROM:<sender@elsewhere.example>", "250")
        c.expect("RCPT TO:<small@example.org>", "452 4.2.2")
        c.expect("RCPT TO:<alice@example.org>", "250")
        assert c.data(message).code == 250
        assert c.deliver("small@example.org", message).says("552 5.2.2")
        assert c.deliver("small@example.org", new_message()).code == 250
    assert len(server.mail("alice")) == len(server.mail("small")) == 1


def test_fits_nobody(make_server):
    """That is the reply, at once."""
    server = make_server(users=USERS)
    to = ["small@example.org", "tiny@example.org"]
    reply = server.deliver(to, new_message(size=30000))
    assert reply.says("552 5.2.2"), reply
    assert server.deliver(to, new_message()).code == 250


def test_reserved_quota_is_held_for_the_one_who_asked(make_server):
    server = make_server(users=USERS)
    assert server.deliver("small@example.org", new_message()).code == 250
    with server.connect() as first, server.connect() as second:
        first.ehlo()
        second.ehlo()
        first.expect("MAIL FROM:<a@b.example> SIZE=12000", "250")
        first.expect("RCPT TO:<small@example.org>", "250")
        second.expect("MAIL FROM:<a@b.example> SIZE=12000", "250")
        second.expect("RCPT TO:<small@example.org>", "452 4.2.2")
        first.expect("RSET", "250")     # its worker hears of it a bit later
        wait_until(lambda: second.command(
            "RCPT TO:<small@example.org>").code == 250, 5, "room")
        assert second.data(new_message(size=11000)).code == 250


def test_maildirsize_is_right(make_server):
    server = make_server(users=USERS)
    for size in (1000, 3000, 2000):
        assert server.deliver("small@example.org",
                              new_message(size=size)).code == 250
    path = os.path.join(server.maildir("small"), "maildirsize")
    with open(path, encoding="ascii") as f:
        lines = f.read().splitlines()
    assert lines[0].split(",")[0] == "20480S"
    total = sum(int(line.split()[0]) for line in lines[1:])
    number = sum(int(line.split()[1]) for line in lines[1:])
    mails = server.mail("small")
    assert (total, number) == (sum(len(m.raw) for m in mails), len(mails))


# ---- full disk ----

@pytest.mark.needs_root
def test_full_disk_is_452_and_the_others_get_it_on_the_retry(make_server):
    server = make_server(start=False, users=USERS)
    disk = os.path.join(server.mail_folder, "alice")
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs",
                       disk], check=False).returncode != 0:
        pytest.skip("mount of a tmpfs is not allowed here")
    server.mounts.append(disk)
    server.own_by(disk, OWNER)
    server.start()
    assert server.deliver("alice@example.org", new_message()).code == 250
    message = new_message(size=300000)
    both = ["alice@example.org", "bob@example.org"]
    with server.connect() as c:
        c.ehlo()
        reply = c.deliver(both, message)
        assert reply.says("452 4.3.1"), reply
        assert server.mail("bob") == []
        # undone a moment after the reply
        wait_until(lambda: not server.tmp_files("alice") and
                   not server.tmp_files("bob"), 5, "no files in tmp/")
        c.expect("MAIL FROM:<sender@elsewhere.example>", "250")
        c.expect("RCPT TO:<alice@example.org>", "452 4.3.1")
        c.expect("RCPT TO:<bob@example.org>", "250")
        assert c.data(message).code == 250
    assert len(server.mail("alice")) == 1 and len(server.mail("bob")) == 1
    # nothing left at all: known at RCPT, once the last probe is 5 s old
    with open(os.path.join(disk, "filler"), "wb") as f:
        try:
            f.write(b"x" * 300000)
            f.flush()
        except OSError:
            pass
    wait_until(lambda: server.rcpt(
        "alice@example.org", sender="other@b.example").says("452 4.3.1"),
        10, "452 at RCPT", every=0.5)


# ---- the client goes ----

def copies(server, message, users=("alice", "bob")):
    """How many copies of this message each user has."""
    wanted = re.search(r"Message-ID: (\S+)", message).group(1)
    return [sum(m.get("Message-ID") == wanted for m in server.mail(u))
            for u in users]


BOTH = ["alice@example.org", "bob@example.org"]


def test_client_gone_before_the_dot(server, session):
    message = new_message()
    session.envelope(BOTH)
    session.expect("DATA", "354")
    session.send(wire(message)[:-3])
    session.reset()
    time.sleep(0.3)
    assert copies(server, message) == [0, 0]
    assert server.tmp_files("bob") == []


def test_client_gone_at_the_dot(server):
    """Whatever became of it: the retry leaves exactly one copy each."""
    for how in ("reset", "close", "shutdown") * 4:
        message = new_message()
        c = server.connect()
        c.ehlo()
        c.envelope(BOTH)
        c.expect("DATA", "354")
        c.send(wire(message))
        if how == "reset":
            c.reset()
        elif how == "close":
            c.close()
        else:
            c.sock.shutdown(socket.SHUT_RDWR)
            c.close()
        time.sleep(0.02)

        def settled():
            return server.deliver(BOTH, message).code == 250
        wait_until(settled, 15, "250 for the retry", every=0.2)
        assert copies(server, message) == [1, 1], how


def test_retry_without_confirmation_is_not_delivered_twice(server):
    """The 250 was written, the client never said another word."""
    message = new_message()
    c = server.connect()
    c.ehlo()
    assert c.deliver(BOTH, message).code == 250
    c.reset()
    server.wait_confirmed()
    assert copies(server, message) == [1, 1]
    assert server.deliver(BOTH, message).code == 250
    assert copies(server, message) == [1, 1]


def test_retry_reaches_those_who_were_not_in_the_first(server):
    message = new_message()
    c = server.connect()
    c.ehlo()
    assert c.deliver("alice@example.org", message).code == 250
    c.close()
    server.wait_confirmed()
    assert server.deliver(BOTH, message).code == 250
    assert copies(server, message) == [1, 1]


@pytest.mark.parametrize("word", ["QUIT", "NOOP", "RSET",
                                  "MAIL FROM:<x@y.example>"])
def test_next_command_confirms(server, word):
    """Then the same message again is a new one."""
    message = new_message()
    with server.connect() as c:
        c.ehlo()
        assert c.deliver("alice@example.org", message).code == 250
        c.command(word)
    server.wait_confirmed()
    assert server.deliver("alice@example.org", message).code == 250
    assert copies(server, message, ["alice"]) == [2]


def test_pipelined_quit_is_not_gone(server):
    """QUIT behind the dot, and the write side closed: still delivered."""
    message = new_message()
    c = server.connect()
    c.ehlo()
    c.envelope("alice@example.org")
    c.expect("DATA", "354")
    c.send(wire(message) + b"QUIT\r\n")
    c.sock.shutdown(socket.SHUT_WR)
    assert [r.code for r in c.replies(2)] == [250, 221]
    assert c.is_closed()
    assert copies(server, message, ["alice"]) == [1]


def test_message_without_id_or_date_has_no_record(server):
    """It cannot be told from another one, so both are delivered."""
    message = new_message(subject="no id %d" % time.time_ns(), has_id=False)
    subject = re.search("Subject: (.*)", message).group(1)
    for _ in range(2):
        c = server.connect()
        c.ehlo()
        assert c.deliver("alice@example.org", message).code == 250
        c.close()
        server.wait_confirmed()
    assert sum(m.get("Subject") == subject
               for m in server.mail("alice")) == 2


def test_unconfirmed_record_survives_a_restart(make_server):
    server = make_server()
    message = new_message()
    c = server.connect()
    c.ehlo()
    assert c.deliver(BOTH, message).code == 250
    c.close()
    server.wait_confirmed()
    server.restart()
    assert server.deliver(BOTH, message).code == 250
    assert copies(server, message) == [1, 1]


def test_client_gone_at_every_octet(make_server):
    """The dialogue is cut off after each octet; afterwards a retry: one
    copy each, whatever had happened."""
    server = make_server(limits="sessions_per_client = 0")
    message = "Message-ID: <cut.%d@elsewhere.example>\n" \
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\n\nx\n" % time.time_ns()
    dialogue = b"EHLO c.example\r\nMAIL FROM:<s@elsewhere.example>\r\n" + \
        b"".join(b"RCPT TO:<%s>\r\n" % a.encode() for a in BOTH) + \
        b"DATA\r\n" + wire(message) + b"QUIT\r\n"
    for at in range(len(dialogue)):
        c = server.connect()
        c.send(dialogue[:at])
        c.reset()
    time.sleep(0.5)
    wait_until(lambda: server.deliver(
        BOTH, message, sender="s@elsewhere.example").code == 250, 15,
        "250 for the retry", every=0.2)
    # one that was written for nothing goes behind the 250
    wait_until(lambda: server.tmp_files("alice") == [], 5, "an empty tmp/")
    assert copies(server, message) == [1, 1]


# ---- nothing promised, nothing written ----

def test_rcpt_alone_leaves_no_files(server, session):
    before = server.all_files()
    session.envelope(BOTH)
    session.expect("RSET", "250")
    session.envelope(BOTH)
    session.close()
    time.sleep(0.1)
    assert server.all_files() == before


def test_client_that_hangs_after_the_dot_reads_later(server, session):
    session.envelope("alice@example.org")
    session.expect("DATA", "354")
    message = new_message()
    session.send(wire(message))
    time.sleep(1)
    assert session.reply().code == 250
    assert copies(server, message, ["alice"]) == [1]


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def test_a_mailbox_that_stands_still_stops_no_other(make_server):
    """A worker does not answer, as with a disk that hangs: within a second
    or two another one has the mailboxes of the same owner, all but the one
    that it is about."""
    server = make_server()

    def send(user):
        with server.connect(timeout=30) as c:
            c.ehlo()
            return c.deliver([user + "@example.org"], new_message()).code
    assert send("alice") == 250
    deliver, = [p for p in server.children("deliver")
                if server.process.pid != p and
                p in children_of(server.process.pid)]
    stuck, = children_of(deliver)[1:]       # the first one runs programs
    os.kill(stuck, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = [pool.submit(send, "alice")]
        time.sleep(1.5)
        for again in (False, True):
            if again:       # its own mail takes no second worker along
                waiting.append(pool.submit(send, "alice"))
                time.sleep(1.5)
            for _ in range(2):
                began = time.monotonic()
                assert send("bob") == 250
                assert time.monotonic() - began < 3
        assert not any(w.done() for w in waiting)
        os.kill(stuck, signal.SIGCONT)
        assert [w.result(30) for w in waiting] == [250, 250]
    assert len(server.mail("alice")) == 3
    assert len(server.mail("bob")) == 4
