# SPDX-License-Identifier: ISC
"""postern -n: all errors of a file in one run, with file:line."""
import glob
import os
import re
import socket
import subprocess

import pytest

from certificates import make_certificate
from postern import IS_ROOT, BUILD, OWNER, TOP, free_port, owner_key

GOOD = """hostname = "mx.example.org"
postmaster = "alice@example.org"
state_dir = "{folder}/state"
listen "127.0.0.1:{port}" {{ role = mx }}
domain "example.org" {{
    users = "table:{folder}/users"
    aliases = "{folder}/aliases"
    mailbox = "{folder}/mail/%u/Maildir"
    {owner}
}}
"""


@pytest.fixture
def server(make_server):
    """A folder with good files, nothing started."""
    return make_server(start=False, config=GOOD)


def errors(text):
    """[(line, text)] of what is no warning."""
    return [(int(n), what) for n, what in
            re.findall(r"postern\.conf:(\d+): (?!warning|note)(.*)", text)]


def check_config(server, config):
    """(status, output) of postern -n on this text."""
    server.write("postern.conf", server.fill(config))
    return server.check()


def test_good_file(server):
    status, text = server.check()
    assert status == 0, text
    assert errors(text) == []


def test_errors_of_the_tables_in_the_same_run(server):
    """What is wrong in the file is no reason to keep quiet about them."""
    server.write("aliases", "root: alice\na: b\nb: a\nteam: nosuchuser\n")
    status, text = check_config(server, GOOD + """hostnme = "x"
limits {{ sessions = 10k }}
tls "mx.example.org" {{ certificate = "/no.pem"  key = "/no.key" }}
domain "b.example" {{
    users = "table:/not/there"
    mailbox = "{folder}/b/%u"
    {owner}
}}
""")
    assert status == 1
    for want in ("hostnme", "10k", "a loop", "nosuchuser", "/not/there",
                 "/no.pem"):
        assert want in text, (want, text)
    assert "are looked at when" not in text


def test_tables_of_a_domain_with_errors_wait(server):
    """Those of the file may be the reason for what would be found."""
    status, text = check_config(server, GOOD.replace("    aliases",
                                                     "    alases"))
    assert status == 1 and len(errors(text)) == 1, text
    assert "are looked at when these errors are mended" in text


# what is put into line 5 or instead of a line; words of the one error
BAD_LINES = [
    ('hostnam = "x.example"', ['"hostnam"', 'did you mean "hostname"']),
    ('hostname = "y.example.org"', ["hostname", "1"]),          # duplicate
    ('log = "stdout"', ["stderr", "syslog"]),
    ('log_format = "jason"', ["json"]),
    ('memory_messages = 5Q', ["5Q"]),
    ('min_uid = many', ["min_uid", "number"]),
    ('origin = "no spaces here"', ["no spaces here"]),
    ('limits {{ message_size = 10X }}', ["10X"]),
    ('limits {{ command_timeout = 5 parsecs }}', ["5"]),
    ('limits {{ command_timeout = 99d }}', ["99d"]),
    ('limits {{ recipients = -1 }}', ["recipients"]),
    ('limits {{ recipients = 5000 }}', ["1000"]),
    ('limits {{ recipient = 5 }}', ["recipients"]),
    ('limit {{ recipients = 5 }}', ["limits"]),
    ('listen "127.0.0.1:{port}" {{ role = mx }}', [":{port}"]),
    ('listen "127.0.0.1" {{ role = mx }}', ["port"]),
    ('listen "127.0.0.1:99999" {{ role = mx }}', ["99999"]),
    ('listen "127.0.0.1:2626" {{ role = mix }}', ["mx"]),
    ('listen "127.0.0.1:2626" {{ }}', ["role"]),
    ('domain "example.org" {{ users = "passwd" }}', ["example.org"]),
    ('domain "x.example" {{ }}', ["users"]),
    ('domain "x.example" {{ users = "tabel:/x" }}', ["table:"]),
    ('domain "bad_domain..example" {{ users = "passwd" }}', ["domain"]),
    ('domain "x.example" {{ users = "passwd" names = maybe }}', ["maybe"]),
    ('domain "x.example" {{ users = "passwd" quota = 0.5G }}', ["0.5G"]),
    ('domain "x.example" {{ users = "passwd" '
     'same_as = {{ "example.org" }} }}', ["example.org"]),
    ('checks {{ bare_lf = allow }}', ["allow"]),
    ('checks {{ bare_lf_exempt = {{ "300.1.1.1" }} }}', ["300.1.1.1"]),
    ('tls "mx.example.org" {{ certificate = "relative.pem" '
     'key = "/x" }}', ["relative.pem"]),
    ('= 5', []),
    ('hostname', []),
    ('"unterminated', []),
    ('}}', []),
]


@pytest.mark.parametrize("line, words", BAD_LINES,
                         ids=[line[:30] for line, _ in BAD_LINES])
def test_bad_line(server, line, words):
    lines = GOOD.split("\n")
    lines.insert(4, line)
    status, text = check_config(server, "\n".join(lines))
    assert status == 1, text
    # of two that are alike the second is the error, in line 6
    found = [what for n, what in errors(text) if n == 5 or
             (n == 6 and "line 5" in what)]
    assert found, "no error for line 5:\n" + text
    for word in words:
        assert any(server.fill(word) in what for what in found), text


def test_missing_keys(server):
    for key in ("hostname", "postmaster", "state_dir"):
        config = re.sub(r"(?m)^%s = .*$" % key, "", GOOD)
        status, text = check_config(server, config)
        assert status == 1 and key in text, text


@pytest.mark.parametrize("path, words", [
    ("{folder}/users", "Not a directory"),
    ("{folder}/users/state", "Not a directory"),
    ("{folder}/no/state", "No such file or directory"),
    ("{folder}/circle", "symbolic links"),
    ("{folder}/state/", None), ("{folder}", None), ("/state", None)])
def test_state_dir_that_cannot_be(server, path, words):
    os.symlink("circle", os.path.join(server.folder, "circle"))
    status, text = check_config(server, GOOD.replace(
        "{folder}/state", path))
    assert status == (1 if words else 0), text
    if words:
        assert [(n, what) for n, what in errors(text) if n == 3 and
                "state_dir " + server.fill(path) in what and
                words in what], text


@pytest.mark.parametrize("path, is_told", [
    ("/nonexistent/mail", True), ("/nonexistent", True), ("/tmp", False),
    ("{folder}/mail", False), ("{folder}/mail/new/er", False),
    ("{folder}/other/mail", IS_ROOT)])
def test_mailboxes_that_nobody_can_make(server, path, is_told):
    """Only where their owner has the folder do others come into being."""
    server.write_config()
    with open(server.config_path, encoding="utf-8") as f:
        text = f.read()
    path = server.fill(path)
    server.write("postern.conf", text.replace(
        server.mail_folder + "/%u", path + "/%d/%u"))
    status, text = server.check()
    assert status == 0, text
    assert ("there is no %s, and all mail is answered 451" % path in
            text) == is_told, text


def test_mailboxes_that_nobody_needs(server):
    """A domain without users has none."""
    server.write("others", "x: alice@example.org\n")
    status, text = check_config(server, GOOD + """domain "b.example" {{
 aliases = "{folder}/others"
 mailbox = "/nonexistent/%d/%u"
}}
""")
    assert status == 0 and "mailbox does nothing" in text, text
    assert "451" not in text, text


def test_all_errors_in_one_run(server):
    bad = GOOD.split("\n")
    bad[0] = 'hostnam = "mx.example.org"'
    bad.insert(3, "limits {{ message_size = 1X }}")
    bad.insert(4, "log_level = loud")
    bad.insert(5, 'listen "127.0.0.1" {{ role = mx }}')
    status, text = check_config(server, "\n".join(bad))
    assert status == 1
    assert {1, 4, 5, 6} <= {n for n, _ in errors(text)}, text


def test_unclosed_brace_names_the_opening_line(server):
    status, text = check_config(server, GOOD.replace(
        "    {owner}\n}}", "    {owner}\n"))
    assert status == 1
    assert any(n == 5 or "line 5" in what for n, what in errors(text)), text


def test_missing_configuration_file(server):
    os.unlink(server.config_path)
    status, text = server.check()
    assert status == 1 and "postern.conf" in text


# ---- tables and aliases ----

BAD_FILES = [
    ("users", "alice\nbob quota=lots\n", ["users:2", "quota"]),
    ("users", "alice\nbob nmae=x\n", ["users:2", "nmae"]),
    ("users", "alice\nALICE\n", ["users:2", "1"]),
    ("users", "alice\n../etc\n", ["users:2"]),
    ("users", 'alice name="Alice\n', ["users:1"]),
    ("users", None, ["users"]),                 # not there
    ("aliases", None, ["aliases"]),
    ("aliases", "postmaster: alice\nroot: alice\nteam alice\n",
     ["aliases:3"]),
    ("aliases", "root: alice\na: b\nb: c\nc: a\n", ["loop", "aliases:"]),
    ("aliases", "root: alice\nteam: alice, nosuchuser\n",
     ["aliases:2", "nosuchuser"]),
    ("aliases", "root: alice\nx: :include:{folder}/nothing\n",
     ["aliases:2", "nothing"]),
    ("aliases", "root: alice\nx: somebody@elsewhere.example, else@x.example\n",
     ["aliases:2", "elsewhere.example"]),
    ("aliases", "root: alice\nx: \"|/bin/prog\"\n", ["aliases:2", "prog"]),
    ("aliases", "root: alice\nx: error:250 2.0.0 fine\n", ["aliases:2"]),
    ("aliases", "root: alice\nx: alice\nX: bob\n", ["aliases:3"]),
    ("aliases", "root: alice\npostmaster: nosuchuser\n", ["postmaster"]),
    ("aliases", "postmaster: alice\nroot: nosuchuser\n", ["root"]),
]


@pytest.mark.parametrize("name, content, words", BAD_FILES,
                         ids=[str(i) for i in range(len(BAD_FILES))])
def test_bad_table(server, name, content, words):
    if content is None:
        os.unlink(os.path.join(server.folder, name))
    else:
        server.write(name, server.fill(content))
    status, text = server.check()
    assert status == 1, text
    for word in words:
        assert word in text, text


def test_all_errors_of_tables_in_one_run(server):
    """What does not parse hides nothing else, in its file or others."""
    server.write("users", "alice\nbob quota=lots\n")
    server.write("aliases", server.fill(
        "root: alice\nx: alice\none: two\ntwo: one\nthree: four\n"
        "four: three\nlist: :include:{folder}/nothing\n"
        "prog: \"|/bin/prog\"\n"
        "far: b@elsewhere.example, c@elsewhere.example\n"
        "dead: nosuchuser\nx: bob, gone\nteam alice\n"))
    status, text = server.check()
    assert status == 1, text
    for word in ("users:2: quota", "aliases:12: expected",
                 "aliases:11: alias \"x\" stands on line 2",
                 "a loop: one -> two", "a loop: three -> four",
                 "aliases:7:", "cannot be read", "aliases:8:", "programs",
                 "aliases:9:", "elsewhere.example", "aliases:10:",
                 "nosuchuser", "aliases:11: alias \"x\": \"gone\""):
        assert word in text, (word, text)
    assert "\"bob\"" not in text.replace("of \"bob\"", ""), text


@pytest.mark.needs_root
def test_what_is_not_shown_is_counted(server):
    """Of the configuration, of one table, and of both in one run."""
    status, text = check_config(server, GOOD + "bad = 1\n" * 250)
    assert status == 1 and text.count('unknown key "bad"') == 200, text
    assert text.endswith(
        "postern.conf: after 200 errors the rest of the file was not read\n")
    server.write("postern.conf", server.fill(GOOD))
    server.write("users", "alice\n" + "x y=1\n" * 250)
    status, text = server.check()
    assert status == 1 and text.count('unknown field "y"') == 100, text
    assert "users:101: after 100 errors the rest of this file is not read\n" \
        in text
    server.write("users", "alice\n")
    server.write("aliases", "root: alice\nabuse: alice\n" + "".join(
        "a%d: nobody%d\n" % (i, i) for i in range(307)))
    status, text = server.check()
    assert status == 1 and text.count("is no user or alias") == 200, text
    assert text.endswith("postern.conf: 107 more errors not shown\n"), text


def test_users_that_do_not_exist(server):
    """One message, about all of them; no second one that says less."""
    status, text = check_config(server, 'user_prefix = "no-such-"\n' + GOOD)
    assert status == 1, text
    assert len([line for line in text.splitlines()
                if "warning:" not in line]) == 1, text
    for word in ("there is no user", "no-such-store", "no-such-smtpd",
                 "systemd-sysusers"):
        assert word in text, text
    assert "make install" not in text, text     # it makes no users


def test_state_dir_too_long_for_a_socket(server):
    """Said by -n, where it would not start; one octet less and it does."""
    most = 107 - len("/control.sock")
    folder = server.folder + "/" + "s" * (most - len(server.folder) - 1)
    for path in (folder, folder + "s"):
        status, text = check_config(server, GOOD.replace("{folder}/state",
                                                         path))
        assert bool(errors(text)) == bool(status) == (path != folder), text
    assert errors(text) == [(3, "state_dir has more than 94 octets: a socket "
                             "in it would have too long a path")]
    check_config(server, GOOD.replace("{folder}/state", folder))
    server.start()


def test_root_without_a_mailbox(server):
    server.write("aliases", "postmaster: alice\n")
    status, text = server.check()
    assert status == 1 and "root" in text, text


def test_postmaster_who_does_not_exist(server):
    status, text = check_config(server, GOOD.replace(
        'postmaster = "alice@', 'postmaster = "nosuchuser@'))
    assert status == 1 and "postmaster" in text, text
    assert {n for n, what in errors(text) if "postmaster" in what} == {2}


@pytest.mark.needs_root
def test_table_that_only_root_can_read(server):
    """It is checked with the eyes of the directory's uid."""
    os.chmod(os.path.join(server.folder, "users"), 0o600)
    status, text = server.check()
    assert status == 1 and "users" in text, text


@pytest.mark.needs_root
def test_owner_rules(server):
    status, text = check_config(server, GOOD.replace("{owner}", ""))
    assert status == 1 and "owner" in text, text
    status, text = check_config(server, GOOD.replace(
        "{owner}", 'owner = "no-such-user"'))
    assert status == 1 and "no-such-user" in text, text
    status, text = check_config(server, GOOD.replace(
        "{owner}", 'owner = "daemon"'))
    assert status == 1 and "min_uid" in text, text


@pytest.mark.needs_root
def test_users_with_a_forward_file_are_listed(server, passwd_users):
    path = os.path.join(passwd_users.homes, "pt-bob", ".forward")
    with open(path, "w", encoding="ascii") as f:
        f.write("elsewhere@elsewhere.example\n")
    os.chmod(os.path.dirname(path), 0o755)
    server.write("aliases", "root: pt-alice\n")
    config = GOOD.replace('"table:{folder}/users"', '"passwd"').replace(
        'mailbox = "{folder}/mail/%u/Maildir"', "").replace(
        "{owner}", "").replace("alice@", "pt-alice@")
    status, text = check_config(server, config)
    os.unlink(path)
    os.chmod(os.path.dirname(path), 0o700)
    assert status == 0, text
    assert "pt-bob" in text and ".forward" in text, text


def test_a_server_with_errors_does_not_start(server):
    check_config(server, GOOD + "nonsense = 1\n")
    server.may_crash = True         # "fatal" is right here
    server.launch()
    assert server.process.wait(20) != 0
    assert "nonsense" in server.log_text()
    server.process = None


# ---- samples ----

def sample_from_design():
    """The sample of DESIGN 11, as it stands there."""
    return '''
hostname   = "mx.example.org"
origin     = "example.org"              # completes bare local names
postmaster = "alice@example.org"
state_dir  = "/var/lib/postern"         # store, spool, compiled tables
log        = "stderr"                   # or "syslog"; log_format = "logfmt" | "json"

listen "*:25"           { role = mx }   # * is IPv4 and IPv6, each its own socket
listen "*:587"          { role = submission  tls = required }
listen "*:465"          { role = submission  tls = implicit }
listen "unix:/run/postern/submit" { role = local }

domain "example.org" {
    users      = "passwd"               # or "table:/etc/postern/users"
    aliases    = "/etc/aliases"
    same_as    = { "example.net" }      # domain aliases
    mailbox    = "~/Maildir"
    names      = true                   # unique partial names
    catch_all  = ""
}
domain "example.com" {
    users      = "table:/etc/postern/users.example.com"
    mailbox    = "/var/vmail/%d/%u/Maildir"
    owner      = "vmail"
    quota      = 2G
}
domain "inner.example.org" { next_hop = "lmtp:unix:/run/dovecot/lmtp" }   # or "smtp:[10.0.0.2]:25"

tls "mx.example.org" { certificate = "/etc/postern/mx.pem"  key = "/etc/postern/mx.key" }

sender "www-data"        { may = { "*@example.org" } }          # who may use which addresses, beyond their own
submitter "192.0.2.0/24" { as = "scanner@example.org" }         # devices that cannot AUTH

limits {                                # 0 = none
    sessions = 10000   sessions_per_client = 50   messages_per_client = 0   recipients = 100
    message_size = 50M   unknown_recipients = 20
}
checks {
    default = mark                      # refuse | mark | off: for every check that is not named here (built-in: see 9)
    spf = mark
    dmarc = refuse
    greylist = off
    dnsbl "zen.example.net" { score = 2  answers = { "127.0.0.2/31" } }
    dnsbl_refuse_at = 3
    clamd  "unix:/run/clamav/clamd.ctl" { }
    milter "unix:/run/rspamd/milter.sock" { on_failure = tempfail  timeout = 30s }   # or "inet:8891@127.0.0.1"
    untagged_bounces = prove
}
batv { exempt = { "lists.example.edu" } }
'''


def local_sample(server):
    """The sample with paths, ports and owner of this machine."""
    text = sample_from_design()
    make_certificate(server.folder, "mx")
    for old, new in (
            ("/etc/postern/mx.", server.folder + "/mx."),
            ("/var/lib/postern", server.folder + "/state"),
            ('"passwd"', '"table:%s/users"' % server.folder),
            ('"~/Maildir"', '"%s/mail/%%u/Maildir"\n    %s' % (
                server.folder, owner_key())),
            ('"/etc/aliases"', '"%s/aliases"' % server.folder),
            ("/etc/postern/users.example.com", server.folder + "/users"),
            ("/var/vmail/", server.folder + "/mail/"),
            ('owner      = "vmail"', owner_key()),
            ("/run/postern/", server.folder + "/"),
            ('"*:587"', '"127.0.0.1:%d"' % free_port()),
            ('"*:465"', '"127.0.0.1:%d"' % free_port()),
            ('"*:25"', '"*:%d"' % server.port)):
        assert old in text
        text = text.replace(old, new)
    return text


def test_the_sample_of_the_design_has_only_warnings(server):
    server.write("postern.conf", local_sample(server))
    status, text = server.check()
    assert status == 0, text
    assert errors(text) == []


def test_who_does_not_answer(server):
    """Sockets behind which nobody is, by their lines; not those with one."""
    behind = socket.create_server(("127.0.0.1", 0))
    local = socket.socket(socket.AF_UNIX)
    local.bind(server.folder + "/there")
    local.listen()
    server.write("file", "")
    config = GOOD + """checks {{
 clamd "unix:{folder}/nowhere" {{ }}
 milter "inet:%d@127.0.0.1" {{ }}
 milter "inet:%d@127.0.0.1" {{ }}
 milter "unix:{folder}/there" {{ }}
}}
auth {{
 dovecot = "unix:{folder}/file"
}}
domain "inner.example" {{ next_hop = "lmtp:unix:{folder}/lmtp" }}
domain "other.example" {{ next_hop = "lmtp:unix:{folder}/lmtp" }}
domain "third.example" {{ next_hop = "lmtp:unix:{folder}/there" }}
""" % (behind.getsockname()[1], free_port())
    with behind, local:
        status, text = check_config(server, config)
    assert status == 0, text
    first = GOOD.count("\n") + 2        # clamd
    assert re.findall(r"postern\.conf:(\d+): warning: (\w+) .*: nothing "
                      r"answers there now: (.*)", text) == [
        (str(first), "clamd", "No such file or directory"),
        (str(first + 2), "milter", "Connection refused"),
        (str(first + 6), "dovecot", "Connection refused"),
        (str(first + 8), "next_hop", "No such file or directory")], text


def test_what_this_host_has_not(server):
    """The server starts without it, and does less than it is told to."""
    server.write("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                 "-----END CERTIFICATE-----\n")
    config = """admin_group = "postern-no-such-group"
%srelay {{
 source_ipv4 = "192.0.2.77"
 source_ipv6 = "2001:db8::77"
 ca_file = "{folder}/%s"
}}
resolver {{ trust_anchor = "{folder}/anchor" }}
"""
    first = GOOD.count("\n") + 3        # source_ipv4
    want = [("1", "admin_group", "there is no such group")] * IS_ROOT + [
        (str(first), "source_ipv4", "no address of this host"),
        (str(first + 1), "source_ipv6", "no address of this host"),
        (str(first + 2), "ca_file", "damaged or cut off"),
        (str(first + 4), "trust_anchor", "No such file or directory")]
    for name in ("ca.pem", "users", "nowhere"):
        status, text = check_config(server, config % (GOOD, name))
        assert status == 0, text
        told = re.findall(r"postern\.conf:(\d+): warning: (\w+) (.*)", text)
        if name != "ca.pem":
            want[-2] = (*want[-2][:2], "no certificate in it"
                        if name == "users" else "No such file")
        told = [t for t in told if t[1] != "backscatter"]
        assert [t[:2] for t in told] == [w[:2] for w in want], text
        assert all(w[2] in t[2] for t, w in zip(told, want)), text
    server.write("anchor", "")
    status, text = check_config(server, GOOD + """relay {{
 source_ipv4 = "127.0.0.1"
 source_ipv6 = "::1"
}}
resolver {{ trust_anchor = "{folder}/anchor" }}
""")
    assert "relay" not in text and "source_" not in text and \
        "anchor" not in text


@pytest.mark.parametrize("text, words", [
    (None, "No such file or directory"), ("", "no password"),
    ("\npassword\n", "no password"), ("password", None)])
def test_password_of_a_smart_host(server, text, words):
    """Without it nothing leaves."""
    if text is not None:
        server.write("password", text)
    status, said = check_config(server, GOOD + """relay {{
 smart_host = "smtp:[127.0.0.1]:26"
 smart_host_user = "user"
 smart_host_password_file = "{folder}/password"
}}
""")
    assert status == (words is not None), said
    line = GOOD.count("\n") + 4
    assert [n for n, what in errors(said) if words and words in what] == \
        [line] * status, said


def test_the_sample_waits_for_its_milter(server):
    """Nobody listens on its socket here: nothing gets past that."""
    server.write("postern.conf", local_sample(server))
    server.start()
    with server.connect() as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@b.example>", "451 4.3.0")


def test_the_sample_serves(server):
    server.write("postern.conf", re.sub(r"(?m)^ *(milter|clamd) .*$", "",
                                        local_sample(server)))
    server.start()
    for host in ("127.0.0.1", "::1"):
        with server.connect(host) as c:
            words = c.ehlo()
            assert words["SIZE"] == str(50 << 20)
            assert "STARTTLS" in words
            c.envelope("alice@example.net")
            c.expect("RCPT TO:<x@inner.example.org>", "451")


@pytest.mark.needs_root
def test_the_packaged_sample(server):
    """etc/postern.conf and etc/aliases, with paths of this folder."""
    with open(os.path.join(TOP, "etc/postern.conf"), encoding="utf-8") as f:
        text = f.read()
    with open(os.path.join(TOP, "etc/aliases"), encoding="utf-8") as f:
        aliases = f.read()
    server.write("sample-aliases", aliases)
    server.write("sample-users", "alice\n")
    text = re.sub(r'"/var/lib/postern"', '"%s/state"' % server.folder, text)
    text = re.sub(r'"/etc/(postern/)?aliases"',
                  '"%s/sample-aliases"' % server.folder, text)
    text = re.sub(r'/etc/postern/users[\w.]*',
                  server.folder + "/sample-users", text)
    text = re.sub(r'"vmail"', '"%s"' % OWNER, text)
    server.write("postern.conf", text)
    _, output = server.check()
    # who is postmaster is the administrator's to say; all else is right
    wrong = [line for line in output.splitlines() if "warning" not in line
             and not re.search("postmaster|root|no errors", line)]
    assert wrong == [], output


def test_manual_names_every_key_of_the_sample():
    with open(os.path.join(TOP, "doc/postern.conf.5"),
              encoding="utf-8") as f:
        manual = f.read()
    keys = set(re.findall(r"(?m)(\w+)\s*=", re.sub(
        r"#.*|\"[^\"]*\"", "", sample_from_design())))
    assert len(keys) > 25
    missing = [k for k in sorted(keys) if not re.search(
        r"\b%s\b" % k, manual)]
    assert missing == []


def test_events_of_the_manual_are_logged():
    """What the manual says to look for is in the sources under that name."""
    with open(os.path.join(TOP, "doc/postern.8"), encoding="utf-8") as f:
        section = f.read().partition(".Sh DIAGNOSTICS\n")[2]
    events = re.findall(r"Cm (\w+)", "".join(re.findall(
        r"(?m)^\.It (.*\n)", section.partition(".Sh ")[0])))
    assert len(events) > 15
    sources = "".join(
        open(path, encoding="utf-8").read()
        for path in glob.glob(os.path.join(TOP, "*/*.c")))
    assert [e for e in events if not re.search(
        r'\blog_\w+\("%s"' % e, sources)] == []


def test_usage():
    for arguments in (["-x"], ["extra"], ["-f"]):
        result = subprocess.run([os.path.join(BUILD, "postern"), *arguments],
                                capture_output=True, text=True, timeout=20,
                                check=False)
        assert result.returncode == 2 and "usage" in result.stderr
