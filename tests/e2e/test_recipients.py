# SPDX-License-Identifier: ISC
"""Who is a recipient here, and what RCPT says to everybody else."""
import contextlib
import glob
import os
import pwd
import re
import shutil
import stat
import subprocess
import time

import pytest

from client import new_message
from postern import IS_ROOT, NO_RESOLVER, OWNER, maildir_mail, wait_until
from programs import with_name_services

USERS = """# a comment
alice name="Alice Smith"
bob   name="Bob Smith"
carol name="Carol van der Berg" quota=1M
dave
Erin
sales.team
"""
ALIASES = """# comments and continuation lines
postmaster: alice
abuse:  bob
root:   alice
team:   alice,
# and a comment
        bob, \\carol

        , dave
all:    team, erin
members: :include:{folder}/members
outer:  :include:{folder}/outer-list
gone:   error:550 5.1.6 moved to example.net, and happy there
off:    "error:550 5.2.1 disabled for now"
trap:   discard:
both:   alice, discard:
dead:   alice, nosuchuser
mixed:  alice, gone
loop-a: loop-b
loop-b: alice, loop-a
self:   \\self
alice-too: Alice@Example.Org
prog:   "|/bin/true"
away:   somebody@elsewhere.example
noinc:  :include:{folder}/not-there
alice:  alice, dave
"quoted name": bob
"""


def configure(server_options=None, **more):
    """A configuration with the tables above and several domains."""
    options = dict(users=USERS, aliases="", domain_keys="""
    same_as = {{ "example.net", "xn--bcher-kva.example" }}
    names = true
    """, limits="unknown_recipients = 0\nerrors_per_session = 0", more="""
domain "catch.example" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases.catch"
    mailbox = "{folder}/mail/%d/%u/Maildir"
    catch_all = "bob@example.org"
    plus = "-"
    {owner}
}}
domain "exact.example" {{
    users = "table:{folder}/users"
    mailbox = "{folder}/mail/%d/%u/Maildir"
    case = exact
    plus = ""
    {owner}
}}
""")
    options.update(server_options or {}, **more)
    return options


@pytest.fixture(scope="module")
def server(make_module_server):
    server = make_module_server(start=False, **configure())
    server.write("aliases", server.fill(ALIASES))
    server.write("aliases.catch", "special: alice\n")
    server.write("members", "# members\nalice\nbob, carol\n")
    server.write("outer-list", ":include:%s/members\nteam\n" % server.folder)
    # tables with errors in them still serve what is right
    return server.start()


@pytest.fixture(scope="module")
def session(server):
    with server.connect() as c:
        c.ehlo()
        yield c


def rcpt(c, address):
    """The reply to this RCPT in a transaction of its own."""
    c.expect("MAIL FROM:<a@elsewhere.example>", "250")
    reply = c.command("RCPT TO:<%s>" % address)
    c.expect("RSET", "250")
    return reply


OURS = ["alice@example.org", "ALICE@EXAMPLE.ORG", "alice+tag@example.org",
        "alice+tag+more@example.org", "erin@example.org", "Erin@example.org",
        "dave@example.net", "dave@EXAMPLE.NET", "dave@xn--bcher-kva.example",
        "team@example.org", "Team+x@example.org", "all@example.org",
        "members@example.org", "outer@example.org", "trap@example.org",
        "both@example.org", "alice-too@example.org", "Postmaster",
        "postmaster@example.org", "POSTMASTER@example.net", "postMASTER",
        "postmaster@catch.example", "abuse@exact.example",
        "abuse@example.net", "root@example.org", '"quoted name"@example.org',
        '"alice"@example.org', "sales.team@example.org",
        "anything@catch.example", "alice-tag@catch.example",
        "special-x@catch.example", "alice@exact.example",
        "alice.smith@example.org", "Alice_Smith@example.org",
        "carol.berg@example.org"]


@pytest.mark.parametrize("address", OURS)
def test_is_a_recipient(session, address):
    reply = rcpt(session, address)
    assert reply.says("250 2.1.5"), reply


REFUSED = [
    ("nobody@example.org", "550 5.1.1"),
    ("nobody+alice@example.org", "550 5.1.1"),
    ("+alice@example.org", "550 5.1.1"),
    ("alice@exact.example.example", "550 5.7.1"),
    ("ALICE@exact.example", "550 5.1.1"),
    ("alice+x@exact.example", "550 5.1.1"),
    ("x@not-ours.example", "550 5.7.1"),
    ("alice@[127.0.0.2]", "550 5.7.1"),
    ("alice%example.org@not-ours.example", "550 5.7.1"),
    ("x%not-ours.example@example.org", "550 5.1.1"),
    ('"x@not-ours.example"@example.org', "550 5.1.1"),
    ("smith@example.org", "553 5.1.4"),
    ("gone@example.org", "550 5.1.6"),
    ("off@example.org", "550 5.2.1"),
    ("dead@example.org", "451 4.2.4"),
    ("mixed@example.org", "451 4.2.4"),
    ("loop-a@example.org", "451 4.4.6"),
    ("loop-b@example.org", "451 4.4.6"),
    ("away@example.org", "451 4.4.1"),
    ("noinc@example.org", "451 4.3.5"),
    ("self@example.org", "451 4.2.4"),
]


@pytest.mark.parametrize("address, want", REFUSED)
def test_is_refused(session, address, want):
    reply = rcpt(session, address)
    assert reply.says(want), reply
    assert reply.id, "no id in %r" % reply


def test_a_guess_is_in_the_log(server, session):
    server.ctl("route", "CAROL.Berg@example.org")
    assert rcpt(session, "alice+Berg@example.org").code == 250
    assert rcpt(session, "caROL.Berg@example.org").code == 250
    server.wait_event("partial_name", recipient="caROL.Berg@example.org",
                      user="carol")
    for other in ("CAROL.Berg@example.org", "alice+Berg@example.org"):
        assert server.events("partial_name", recipient=other) == []


def test_the_text_of_an_error_alias_is_told(session):
    assert "moved to example.net, and happy there" in \
        rcpt(session, "gone@example.org").text
    assert "disabled for now" in rcpt(session, "off@example.org").text


def test_broken_aliases_raise_an_alarm(server, session):
    rcpt(session, "dead@example.org")
    alarm = server.wait_event("alarm", recipient="dead@example.org")
    assert "nosuchuser" in alarm["text"] and "aliases:" in alarm["text"]


def test_broken_aliases_can_be_permanent(make_server):
    """broken_alias: the client is refused, the alarm stays."""
    server = make_server(
        domain_keys="broken_alias = permanent",
        aliases="postmaster: alice\nroot: alice\nabuse: nosuchuser\n"
        "dead: alice, nosuchuser\nloop: pool\npool: loop\n")
    for address, want in (("dead@example.org", "550 5.2.4"),
                          ("loop@example.org", "550 5.4.6"),
                          ("abuse@example.org", "451 4.2.4"),
                          ("alice@example.org", "250 2.1.5")):
        reply = server.rcpt(address)
        assert reply.says(want), (address, reply)
    alarm = server.wait_event("alarm", recipient="dead@example.org")
    assert "nosuchuser" in alarm["text"]


def boxes(server):
    """{mailbox: number of messages}."""
    found = {}
    for new in glob.glob(server.mail_folder + "/**/Maildir/new",
                         recursive=True):
        user = os.path.relpath(new, server.mail_folder)[:-len("/Maildir/new")]
        found[user] = len(os.listdir(new))
    return found


@pytest.mark.parametrize("address, who", [
    ("alice@example.org", {"alice", "dave"}),
    ("bob+tag@example.net", {"bob"}),
    ("all@example.org", {"alice", "bob", "carol", "dave", "Erin"}),
    ("team@example.org", {"alice", "bob", "carol", "dave"}),
    ("members@example.org", {"alice", "bob", "carol", "dave"}),
    ("outer@example.org", {"alice", "bob", "carol", "dave"}),
    ("trap@example.org", set()),
    ("both@example.org", {"alice", "dave"}),
    ("carol.berg@example.org", {"carol"}),
    ("whoever@catch.example", {"bob"}),
    ("special@catch.example", {"catch.example/alice"}),
    ("alice@exact.example", {"exact.example/alice"}),
    ("abuse@exact.example", {"alice", "dave"}),
    ("Postmaster", {"alice", "dave"}),
])
def test_who_gets_it_and_once_each(server, session, address, who):
    before = boxes(server)
    assert session.deliver(address, new_message()).code == 250
    after = boxes(server)
    got = {user: n - before.get(user, 0) for user, n in after.items()
           if n != before.get(user, 0)}
    assert got == {user: 1 for user in who}


def test_what_is_discarded_is_counted_and_noted(server, session):
    before = server.figure("messages_discarded"), boxes(server)
    reply = session.deliver("trap@example.org", new_message())
    assert reply.code == 250
    assert (server.figure("messages_discarded"), boxes(server)) == \
        (before[0] + 1, before[1])
    server.wait_event("delivered", session=reply.id, discarded="1", copies="0")
    assert re.search(r"verdict accept .*\bdiscarded 1\b", server.why(reply))


def test_several_recipients_that_overlap(server, session):
    """Each RCPT is a recipient; nobody is left out."""
    before = boxes(server)
    assert session.deliver(["bob@example.org", "team@example.org"],
                           new_message()).code == 250
    after = boxes(server)
    for user in ("alice", "bob", "carol", "dave"):
        assert after[user] > before.get(user, 0)


def test_without_root_rules_hold_for_passwd_names(session):
    """System users have no mailbox in a domain that has a table."""
    for name in ("root@exact.example", "daemon@example.org",
                 OWNER + "@example.org"):
        assert rcpt(session, name).says("550 5.1.1")


# ---- users of the system ----

PASSWD = """
hostname = "mx.example.org"
origin = "example.org"
postmaster = "pt-alice@example.org"
state_dir = "{folder}/state"
listen "127.0.0.1:{port}" {{ role = mx }}
checks {{ default = off }}
limits {{ unknown_recipients = 0  errors_per_session = 0 }}
domain "example.org" {{
    users = "passwd"
    aliases = "{folder}/aliases"
    mailbox = "~/Maildir"
    names = true
}}
""" + NO_RESOLVER


@pytest.fixture(scope="module")
def passwd_server(make_module_server, passwd_users):
    return make_module_server(
        config=PASSWD, aliases="postmaster: pt-alice\nroot: pt-alice\n"
        "abuse: pt-alice\nfriends: pt-alice, pt-bob\n")


def home_mail(passwd_users, name):
    """Messages in ~/Maildir."""
    return maildir_mail(os.path.join(passwd_users.homes, name, "Maildir"))


@pytest.mark.needs_root
def test_passwd_user_gets_mail_under_his_uid(passwd_server, passwd_users):
    reply = passwd_server.deliver("pt-alice@example.org", new_message())
    assert reply.code == 250
    entry = pwd.getpwnam("pt-alice")
    maildir = os.path.join(entry.pw_dir, "Maildir")
    [mail] = home_mail(passwd_users, "pt-alice")
    for path in (maildir, maildir + "/new", maildir + "/tmp",
                 maildir + "/cur", mail.path):
        st = os.stat(path)
        assert (st.st_uid, st.st_gid) == (entry.pw_uid, entry.pw_gid), path
        assert stat.S_IMODE(st.st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(os.stat(mail.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(maildir).st_mode) == 0o700


@pytest.mark.needs_root
@pytest.mark.parametrize("address, want", [
    ("PT-Bob@example.org", "250"), ("pt-bob+x@example.org", "250"),
    ("bob.ptarmigan@example.org", "250"), ("bob@example.org", "250"),
    ("carol_quetzal@example.org", "250"),
    ("ptarmigan@example.org", "553 5.1.4"),
    ("quetzal@example.org", "553 5.1.4"),
    ("daemon@example.org", "550 5.1.1"),        # below min_uid
    ("postern-smtpd@example.org", "550 5.1.1"),
    ("friends@example.org", "250"), ("Postmaster", "250"),
])
def test_passwd_names(passwd_server, address, want):
    assert passwd_server.rcpt(address).says(want)


@pytest.mark.needs_root
def test_several_uids_in_one_transaction(passwd_server, passwd_users):
    names = ["pt-alice", "pt-bob", "pt-carol"]
    before = [len(home_mail(passwd_users, n)) for n in names]
    assert passwd_server.deliver([n + "@example.org" for n in names],
                                 new_message()).code == 250
    assert [len(home_mail(passwd_users, n)) for n in names] == \
        [n + 1 for n in before]
    for name in names:
        mail = home_mail(passwd_users, name)[-1]
        assert os.stat(mail.path).st_uid == pwd.getpwnam(name).pw_uid
        assert mail.get("Delivered-To") == name + "@example.org"


def mount(*arguments):
    """Or skip where even root may not."""
    result = subprocess.run(["mount", *arguments], check=False,
                            stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        pytest.skip("cannot mount here: " + result.stderr)


def make_folders(maildir, names, owner, mode=0o755):
    """A Maildir of his with these folders."""
    for name in ("", *names):
        path = os.path.join(maildir, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, owner.pw_uid, owner.pw_gid)
        os.chmod(path, mode)


def spoil_mailbox(kind, owner, elsewhere):
    """Make it one that must not be used; returns what mends that."""
    home = owner.pw_dir
    maildir = os.path.join(home, "Maildir")
    shutil.rmtree(maildir)
    if kind == "symlink":
        make_folders(elsewhere, ("new", "cur", "tmp"), owner)
        os.symlink(elsewhere, maildir)
    elif kind == "dangling":
        os.symlink(elsewhere + "/not-there", maildir)
    elif kind == "file":
        open(maildir, "w", encoding="ascii").close()
        os.chown(maildir, owner.pw_uid, owner.pw_gid)
    if os.path.lexists(maildir):
        return lambda: os.unlink(maildir)
    if kind == "no home":
        os.rename(home, home + ".moved")
        return lambda: os.rename(home + ".moved", home)
    if kind == "foreign":
        make_folders(maildir, ("new", "cur", "tmp"), pwd.getpwnam("pt-bob"),
                     mode=0o777)
    elif kind == "read-only":
        make_folders(maildir, ("new", "cur", "tmp"), owner, mode=0o500)
    elif kind == "new is a link":
        make_folders(elsewhere, ("new",), owner)
        make_folders(maildir, ("cur", "tmp"), owner)
        os.symlink(elsewhere + "/new", maildir + "/new")
    elif kind == "new is a mount":
        make_folders(maildir, ("new", "cur", "tmp"), owner)
        mount("-t", "tmpfs", "-o", "uid=%d" % owner.pw_uid, "none",
              maildir + "/new")
    elif kind == "tmp is bound":
        make_folders(maildir, ("new", "cur", "tmp", "other"), owner)
        mount("--bind", maildir + "/other", maildir + "/tmp")

    mounted = {"new is a mount": "/new", "tmp is bound": "/tmp"}.get(kind)

    def mend():
        if mounted:
            subprocess.run(["umount", "-l", maildir + mounted], check=True)
        shutil.rmtree(maildir)
    return mend


@pytest.mark.needs_root
def test_mailboxes_that_must_not_be_used(passwd_server, passwd_users):
    """451 4.2.0 and an alarm; nothing is written through them. Mended, they
    have mail again."""
    kinds = ["symlink", "dangling", "foreign", "file", "no home", "read-only",
             "new is a link", "new is a mount", "tmp is bound"]
    owners = {kind: passwd_users.add("pt-wrong-%d" % i, "Wrong")
              for i, kind in enumerate(kinds)}
    elsewhere = os.path.join(passwd_users.homes, "elsewhere")

    def becomes(kind, wanted, seconds):
        address = owners[kind].pw_name + "@example.org"
        wait_until(lambda: passwd_server.rcpt(address).says(wanted), seconds,
                   wanted + " for " + kind, every=0.5)

    for kind in kinds:
        becomes(kind, "250", 1)
    with contextlib.ExitStack() as mending:
        for kind, owner in owners.items():
            mending.callback(spoil_mailbox(kind, owner, os.path.join(
                elsewhere, kind)))
        # what was probed well is known for 5 s
        for kind, owner in owners.items():
            becomes(kind, "451 4.2.0", 8)
            wait_until(lambda name=owner.pw_name: any(
                name in str(e) for e in passwd_server.events()
                if e["level"] <= 4), 5, "an alarm in the log: " + kind)
        assert not glob.glob(elsewhere + "/*/*/*")
    for kind in kinds:
        becomes(kind, "250", 12)


@pytest.mark.needs_root
def test_user_removed_between_rcpt_and_the_end_of_data(passwd_server,
                                                       passwd_users):
    """The route is frozen: the delivery goes on as it was promised."""
    with passwd_server.connect() as c:
        c.ehlo()
        c.envelope(["pt-dora@example.org", "pt-bob@example.org"])
        before = len(home_mail(passwd_users, "pt-dora"))
        passwd_users.remove("pt-dora")
        reply = c.data(new_message())
        assert reply.code == 250, reply
        assert len(home_mail(passwd_users, "pt-dora")) == before + 1
    wait_until(lambda: passwd_server.rcpt("pt-dora@example.org").says(
        "550 5.1.1"), 20, "550 for the user who was removed", every=0.5)


@pytest.mark.needs_root
@pytest.mark.parametrize("services, code", [
    ("files systemd", "550 5.1.1"),
    ("files hesiod systemd", "451 4.4.3"),
    ("files hesiod [NOTFOUND=return]", "451 4.4.3"),
    ("files not-installed", "550 5.1.1")])
def test_a_service_of_users_that_is_down(make_server, passwd_users, services,
                                         code):
    """The C library tells how the last service ended; hesiod, which asks a
    DNS that is not there, might have known him."""
    server = make_server(
        config=PASSWD, start=False, aliases="postmaster: pt-alice\n"
        "root: pt-alice\nabuse: pt-alice\nbroken: pt-nobody\n")
    command = server.command
    server.command = lambda *words: with_name_services(
        server, services, command(*words))
    server.start()
    for _ in range(3):      # whatever was asked before
        assert server.rcpt("pt-alice@example.org").code == 250
        reply = server.rcpt("pt-nobody@example.org")
        assert reply.says(code), reply
    if code.startswith("4"):
        said = '"hesiod" of /etc/nsswitch.conf does not answer ('
        assert said in server.events("alarm")[-1]["text"]
        assert said in server.ctl("why", reply.text.rpartition("(")[2][:-1])
        assert said in server.check()[1]


USERDB = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen(64)
open(sys.argv[2], "w").close()
while True:
    client, _ = listener.accept()
    asked = b""
    while not asked.endswith(b"\\0"):
        more = client.recv(65536)
        if not more:
            break
        asked += more
    with open(sys.argv[2], "ab") as log:
        log.write(asked)
    client.sendall(b'{"error":"io.systemd.UserDatabase.NoRecordFound",'
                   b'"parameters":{}}\\0')
"""


@pytest.mark.needs_root
def test_the_user_database_of_systemd(make_server, passwd_users):
    """libnss-systemd asks a server of systemd's about who is in no file: a
    library that opens a timer, for which the filter once was death."""
    server = make_server(
        config=PASSWD, start=False, aliases="postmaster: pt-alice\n"
        "root: pt-alice\nabuse: pt-alice\n")
    asked = os.path.join(server.folder, "asked")
    command = server.command
    server.command = lambda *words: [
        "unshare", "--mount", "sh", "-c", """
        mkdir -p /run/systemd &&
        mount -t tmpfs -o mode=755 tmpfs /run/systemd &&
        mkdir -m 755 /run/systemd/userdb &&
        printf 'passwd: files systemd\\ngroup: files\\n' >/run/systemd/nss &&
        mount --bind /run/systemd/nss /etc/nsswitch.conf || exit 1
        setpriv --pdeathsig KILL /usr/bin/python3 -c "$0" \
            /run/systemd/userdb/io.systemd.DynamicUser "$1" &
        while [ ! -e "$1" ]; do sleep 0.02; done
        shift
        exec "$@" """, USERDB, asked, *command(*words)]
    server.start()
    assert server.rcpt("pt-alice@example.org").code == 250
    for n in range(3):
        reply = server.rcpt("pt-unknown%d@example.org" % n)
        assert reply.says("550 5.1.1"), reply
    with open(asked, encoding="ascii") as f:
        assert "pt-unknown2" in f.read()
    assert not server.events("compartment_died")


# ---- mailboxes of a table ----

def test_missing_maildir_is_made(make_server):
    server = make_server()
    assert not os.path.exists(server.maildir("alice"))
    assert server.rcpt("alice@example.org").code == 250
    assert server.deliver("alice@example.org", new_message()).code == 250
    for folder in ("", "new", "cur", "tmp"):
        st = os.stat(os.path.join(server.maildir("alice"), folder))
        assert stat.S_IMODE(st.st_mode) == 0o700
        if IS_ROOT:
            assert st.st_uid == pwd.getpwnam(OWNER).pw_uid


@pytest.mark.parametrize("part", ["", "new"])
@pytest.mark.parametrize("is_made_anew", [True, False])
def test_maildir_moved_away_while_mail_comes(make_server, part, is_made_anew):
    """What is answered 250 is in the mailbox that has the name then, not in
    the old one, which the workers have open."""
    server = make_server(limits="sessions_per_client = 0")
    place = os.path.join(server.maildir("alice"), part).rstrip("/")
    for _ in range(8):      # each worker has it open
        assert server.deliver("alice@example.org", new_message()).code == 250
    with server.connect() as client:
        client.ehlo()
        client.envelope("alice@example.org")
        os.rename(place, place + ".old")
        if is_made_anew:
            shutil.copytree(place + ".old", place,
                            ignore=lambda path, names: [
                                n for n in names if "=" in n])
            for path, _, _ in os.walk(place):
                if IS_ROOT:
                    server.own_by(path, OWNER)
        assert client.data(new_message("moved")).code == 250
        assert [m.get("Subject") for m in server.mail("alice")] == ["moved"]
        client.quit()
    for _ in range(8):
        assert server.deliver("alice@example.org", new_message()).code == 250
    assert len(server.mail("alice")) == 9


def test_nothing_outside_of_the_pattern(make_server):
    server = make_server(users="alice\n", aliases="postmaster: alice\n"
                         "root: alice\n")
    for local in ("../alice", "..", "alice/../../x", ".", '"al/ice"'):
        assert server.rcpt(local + "@example.org").code in (501, 550)


# ---- tables that change ----

def table_state(server):
    """What posternctl says about tables."""
    return server.ctl("tables")


def ten_users(n=10):
    """u0 to u9."""
    return "alice\n" + "".join("u%d\n" % i for i in range(n))


@pytest.fixture
def tables(make_server):
    return make_server(users=ten_users(), limits="unknown_recipients = 0")


def becomes(server, address, want, timeout=30):
    """Wait until RCPT says so."""
    def looks():
        reply = server.rcpt(address)
        return reply if reply.says(want) else None
    return wait_until(looks, timeout, "%s for %s" % (want, address),
                      every=0.3)


def test_changed_table_is_compiled_by_itself(tables):
    assert tables.rcpt("new@example.org").says("550 5.1.1")
    tables.write("users", ten_users() + "new\n")
    becomes(tables, "new@example.org", "250")
    tables.write("aliases", "postmaster: alice\nroot: alice\nabuse: alice\n"
                 "list: u1, u2\n")
    becomes(tables, "list@example.org", "250")
    tables.write("users", ten_users(9) + "new\n")   # one of twelve is gone
    becomes(tables, "u9@example.org", "550 5.1.1")


def test_table_replaced_in_the_middle_of_a_transaction(tables):
    with tables.connect() as c:
        c.ehlo()
        c.envelope(["u9@example.org", "u1@example.org"])
        tables.write("users", ten_users(9) + "new\n")
        becomes(tables, "new@example.org", "250")
        becomes(tables, "u9@example.org", "550 5.1.1")
        c.expect("RCPT TO:<new@example.org>", "250")
        assert c.data(new_message()).code == 250
    for user in ("u9", "u1", "new"):
        assert len(tables.mail(user)) == 1


def test_shrunken_table_waits_to_be_accepted(tables):
    tables.write("users", ten_users(5))
    becomes(tables, "u7@example.org", "451 4.4.3")
    assert tables.rcpt("u2@example.org").code == 250
    assert tables.rcpt("nobody@example.org").says("550 5.1.1")
    assert "users" in table_state(tables)
    wait_until(lambda: any(e["level"] <= 4 for e in tables.events()
                           if "users" in str(e)), 5, "an alarm in the log")
    # nothing is wrong with it that postern -n could find
    status, text = tables.ctl("tables", "compile", check=False)
    assert status == 1 and "lost too many entries" in text, text
    assert "`posternctl tables`" in text and tables.check()[0] == 0
    tables.ctl("tables", "accept")
    becomes(tables, "u7@example.org", "550 5.1.1")
    assert tables.rcpt("u2@example.org").code == 250


def test_shrunken_table_that_comes_back(tables):
    tables.write("users", ten_users(3))
    becomes(tables, "u7@example.org", "451 4.4.3")
    tables.write("users", ten_users())
    becomes(tables, "u7@example.org", "250")


def test_half_written_table_keeps_the_old_one(tables):
    before = len(tables.log_text())
    tables.write("users", ten_users(9) + "new\nu9 name=\"Nin")
    wait_until(lambda: "users:12" in tables.log_text()[before:], 30,
               "file and line of the error in the log")
    for name in ("u9", "alice"):
        assert tables.rcpt(name + "@example.org").code == 250
    # whoever is only in what cannot be read is not told that he is nobody
    becomes(tables, "new@example.org", "451 4.4.3")
    assert "%s/users has an error and may know it" % tables.folder in \
        tables.ctl("route", "new@example.org", check=False)[1]
    assert "users:12" in table_state(tables)
    tables.write("users", ten_users(9) + "new\n")
    becomes(tables, "new@example.org", "250")
    assert tables.rcpt("nobody@example.org").says("550 5.1.1")


def test_aliases_with_an_error(tables):
    """Also over a restart; those of before stay."""
    tables.write("aliases", "postmaster: alice\nroot: alice\nnew: u1\n"
                 "bad: \"\n")
    becomes(tables, "new@example.org", "451 4.4.3")
    tables.stop()
    tables.start()
    for name in ("u1", "root", "abuse"):
        assert tables.rcpt(name + "@example.org").code == 250
    assert tables.rcpt("new@example.org").says("451 4.4.3")
    tables.write("aliases", "postmaster: alice\nroot: alice\n")
    becomes(tables, "new@example.org", "550 5.1.1")


def test_empty_table_keeps_the_old_one(tables):
    tables.write("users", "")
    becomes(tables, "u1@example.org", "451 4.4.3")
    becomes(tables, "alice@example.org", "451 4.4.3")


def test_missing_table_keeps_the_old_one(tables):
    os.unlink(os.path.join(tables.folder, "users"))
    wait_until(lambda: any("users" in str(e) for e in tables.events()
                           if e["level"] <= 4), 30, "an alarm")
    assert tables.rcpt("u1@example.org").code == 250
    becomes(tables, "nobody@example.org", "451 4.4.3")


def test_an_included_list_with_an_error_is_out_of_order_alone(make_server):
    """Also at a first start, where no old table could stay."""
    server = make_server(users=ten_users(), start=False,
                         limits="unknown_recipients = 0")
    server.write("aliases", "postmaster: alice\nroot: alice\nother: u3\n"
                 "list: u1, :include:%s/list\n" % server.folder)
    server.write("list", "u2\nnot an address\n")
    server.start()
    for name in ("other", "alice", "postmaster"):
        assert server.rcpt(name + "@example.org").code == 250
    assert server.rcpt("nobody@example.org").says("550 5.1.1")
    assert server.rcpt("list@example.org").says("451 4.3.5")
    server.wait_event("alarm", problem="%s/list:2: \"not an address\": not "
                      "an address" % server.folder)
    assert "/list cannot be read: line 2" in server.log_text()
    assert "/list:2: " in table_state(server)
    status, text = server.ctl("tables", "compile", check=False)
    assert status == 1 and "but a list that is included" in text, text
    assert not server.events("tables_not_compiled")
    server.write("list", "u2\n")
    assert "The tables are compiled;" in server.ctl("tables", "compile")
    assert server.rcpt("list@example.org").code == 250
    assert "/list:2: " not in table_state(server)


def test_what_a_table_says_is_no_order_to_a_terminal(tables):
    tables.write("aliases", "postmaster: alice\nroot: alice\n"
                 "a\u009b\u202e: alice\n")
    for status, text in (tables.ctl("reload", check=False),
                         tables.ctl("route", "a\u009b@example.org",
                                    check=False)):
        assert status != 0 and '"a\\u009b' in text, text
        assert not re.search("[\u0080-\u009f\u202e]", text)


def test_reload_compiles_at_once(tables):
    tables.write("users", ten_users() + "soon\n")
    tables.reload()
    assert tables.rcpt("soon@example.org").code == 250
    assert tables.events("reloaded")[-1]["tables"] == "compiled"


def test_reloaded_is_said_when_the_tables_are_in_use(make_server):
    """Whatever the compiler takes, and asked for in whichever way."""
    server = make_server(users=ten_users(), faults=True)
    for i, reload in enumerate((lambda: server.ctl("reload"),
                                server.reload)):
        server.write("users", ten_users(11 + i))
        server.faults.set("compiler.before-rename", "sleep", 1000)
        begin = time.monotonic()
        reload()
        assert server.rcpt("u%d@example.org" % (10 + i)).code == 250
        assert time.monotonic() - begin >= 1
        wait_until(lambda n=i: len(server.events("drained")) > n, 20,
                   "end of the old generation")


def test_a_reload_does_not_wait_for_ever_for_the_tables(make_server):
    server = make_server(users=ten_users(), faults=True)
    server.write("users", ten_users(11))
    server.faults.set("compiler.before-rename", "sleep", 17000)
    assert server.ctl("reload") == \
        "reloaded, but the tables are still being compiled\n"
    assert server.events("reloaded")[-1]["tables"] == "late"
    becomes(server, "u10@example.org", "250")
    assert len(server.events("reloaded")) == 1


def test_a_reload_says_which_table_stays(tables):
    tables.write("users", ten_users() + "soon\n")
    tables.write("aliases", "postmaster: alice\nroot: alice\nteam u1\n")
    status, text = tables.ctl("reload", check=False)
    assert status == 1 and "stays as it was" in text, text
    assert "%s/aliases:3: expected" % tables.folder in text
    assert "/users " not in text
    assert tables.events("reloaded")[-1]["tables"] == "kept"
    # all else is reloaded
    assert tables.rcpt("soon@example.org").code == 250
    assert tables.rcpt("root@example.org").code == 250
    tables.write("list", "not an address\n")
    tables.write("aliases", "postmaster: alice\nroot: alice\n"
                 "team: :include:%s/list\n" % tables.folder)
    assert "a list that an alias includes" in reload_drained(tables)
    tables.write("list", "alice\n")
    assert reload_drained(tables) == "reloaded\n"
    assert tables.rcpt("team@example.org").code == 250


def reload_drained(server):
    """posternctl reload, once sessions of the one before have ended."""
    said = []

    def is_done():
        said[:] = server.ctl("reload", check=False)
        return said[0] != 75
    wait_until(is_done, 20, "reload")
    assert said[0] == 0, said
    return said[1]


def damage(server, how):
    """Spoil the compiled tables behind the server's back."""
    files = glob.glob(server.folder + "/state/tables/*users*.db")
    assert files, os.listdir(server.folder + "/state/tables")
    for path in files:
        if how == "zeroes":
            with open(path, "r+b") as f:
                size = os.path.getsize(path)
                f.write(b"\0" * size)
        elif how == "cut":
            os.truncate(path, os.path.getsize(path) // 2)
        else:
            os.truncate(path, 0)


@pytest.mark.parametrize("how", ["zeroes", "cut", "empty"])
def test_damaged_compiled_table_is_never_a_550(tables, how):
    """451 4.4.3 until it is compiled anew, and then the truth again."""
    damage(tables, how)
    tables.may_crash = True
    for pid in tables.children("directory"):
        os.kill(pid, 9)
    codes = set()

    def looks():
        for name in ("u1", "u2", "alice"):
            reply = tables.rcpt(name + "@example.org")
            assert reply.code in (250, 451), reply
            codes.add(reply.code)
        return reply.code == 250
    wait_until(looks, 40, "recovery by compiling again", every=0.5)
    assert {e["role"] for e in tables.events("compartment_died")} == \
        {"directory"}
    assert tables.rcpt("nobody@example.org").says("550 5.1.1")
