# SPDX-License-Identifier: ISC
"""postern -n: each path on which a message could still fail after its 250,
with file and line; and -a, which asks the next hops whether they accept
everybody."""
import os
import re
import ssl
import subprocess
import time

import pytest

from certificates import make_certificate
from postern import IS_ROOT, OWNER, TOP, make_folder
from relay_lab import Sink
from test_config import GOOD, errors
from test_relay_peers import Postfix

UNKNOWN = {"rcpt": lambda s, arg: "250 ok" if "postmaster@" in arg
           else "550 5.1.1 no such user"}


@pytest.fixture(name="server")
def fixture_server(make_server):
    return make_server(start=False, config=GOOD)


def check(server, config, *options, aliases="root: alice\n"):
    """(status, text) of postern -n on GOOD and this, without errors."""
    status, text = check_any(server, config, *options, aliases=aliases)
    assert errors(text) == [], text
    return status, text


def check_any(server, config, *options, aliases="root: alice\n"):
    """The same, whatever it says."""
    server.write("aliases", aliases)
    server.write("postern.conf", server.fill(GOOD + config))
    result = subprocess.run(
        server.command("postern", "-n", *options, "-f", server.config_path),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=150, check=False)
    return result.returncode, result.stdout


def said(text, word):
    """[(line of the configuration, text)] of "backscatter" or "note"."""
    return [(int(n or 0), what) for n, what in re.findall(
        r"postern\.conf:(?:(\d+):)? (?:warning: )?%s: (.*)" % word, text)]


LOCAL = 'listen "unix:{folder}/submit" {{ role = local }}\n'
AT = GOOD.count("\n") + 2           # the line behind LOCAL


# ---- the configuration ----

def test_nothing_to_say(server):
    status, text = check(server, LOCAL)
    assert status == 0
    assert said(text, "backscatter") == said(text, "note") == [], text


@pytest.mark.parametrize("config, line, words", [
    ("checks {{\n untagged_bounces = accept\n}}\n", AT + 1,
     "your users never sent"),
    ("checks {{\n untagged_bounces = refuse\n}}\n"
     'batv {{ exempt = {{ "lists.example.edu" }} }}\n', AT + 1,
     '"lists.example.edu"'),
    ('checks {{\n relay_peer = {{ "192.0.2.1" }}\n}}\n', AT + 1,
     "Let that host ask us about each recipient before its own 250"),
], ids=["accept", "exempt", "relay_peer"])
def test_what_the_configuration_invites(server, config, line, words):
    status, text = check(server, LOCAL + config)
    assert status == 0, text
    [(at, what)] = said(text, "backscatter")
    assert (at, words in what) == (line, True), text


def test_a_next_hop(server):
    """It may accept anybody, and those behind it may send by it."""
    behind = 'domain "f.example" {{\n next_hop = "%s:[192.0.2.1]:24"\n}}\n'
    _, text = check(server, LOCAL + behind % "smtp")
    [(at, accepts)] = said(text, "backscatter")
    [(at_too, bounces)] = said(text, "note")
    assert at == at_too == AT
    assert '"postern -n -a" asks it' in accepts
    assert "bounces to the users of" in bounces
    _, text = check(server, LOCAL + behind % "lmtp")
    assert said(text, "backscatter") == [], text
    [(_, note)] = said(text, "note")
    assert "the mail of a list" in note and note.endswith("= accept")


def test_a_relay_peer_before_a_next_hop(server):
    _, text = check(server, LOCAL + 'checks {{ relay_peer = {{ "192.0.2.1" }}'
                    ' }}\ndomain "f.example" {{ next_hop = '
                    '"lmtp:unix:/run/x" }}\n')
    found = said(text, "backscatter")
    assert [n for n, _ in found] == [AT, AT + 1], text
    assert "has no .Junk here" in found[1][1]
    [(_, note)] = said(text, "note")
    assert "Sieve" in note


def test_mail_of_our_users_that_leaves_elsewhere(server):
    _, text = check(server, "")
    [(_, what)] = said(text, "backscatter")
    assert "cannot prove themselves" in what
    _, text = check(server, "checks {{ untagged_bounces = accept }}\n")
    assert "never sent" in said(text, "backscatter")[0][1]


def test_a_front_alone(server):
    """Nobody has a mailbox here, and their mail leaves elsewhere."""
    server.write("postern.conf", server.fill(
        'hostname = "mx.example.org"\npostmaster = "bob@f.example"\n'
        'state_dir = "{folder}/state"\n'
        'listen "127.0.0.1:{port}" {{ role = mx }}\n'
        'domain "f.example" {{ next_hop = "lmtp:unix:/run/x" }}\n'))
    _, text = server.check()
    assert "cannot prove themselves" in said(text, "backscatter")[0][1], text


def test_what_is_dropped_is_noted(server):
    _, text = check(server, LOCAL + 'checks {{\n milter "unix:/x" {{ '
                    'discard = drop }}\n}}\n',
                    aliases="root: alice\nbox: discard:\n")
    notes = said(text, "note")
    assert notes[0][0] == AT + 1 and "thrown away" in notes[0][1]
    assert "discard:" in notes[1][1] and "/aliases:2" in notes[1][1], notes


def test_the_shipped_sample_has_no_such_path(server):
    """etc/postern.conf and etc/aliases, as they are and with all that the
    sample offers for local use."""
    with open(os.path.join(TOP, "etc/postern.conf"), encoding="utf-8") as f:
        text = f.read()
    with open(os.path.join(TOP, "etc/aliases"), encoding="utf-8") as f:
        server.write("sample-aliases", f.read())
    text = text.replace("/var/lib/postern", server.folder + "/state")
    text = re.sub(r'"/etc/(postern/)?aliases"',
                  '"%s/sample-aliases"' % server.folder, text)
    server.write("postern.conf", text)
    _, output = server.check()
    assert "sample-aliases" in output or "no errors" in output, output
    assert "backscatter" not in output, output
    # the test can fail
    server.write("postern.conf", text.replace(
        "bare_lf = refuse", "untagged_bounces = accept", 1))
    assert "backscatter" in server.check()[1]


# ---- next hops, asked ----

def hops(*pairs):
    """Sections domain for (name, next hop)."""
    return LOCAL + "".join('domain "%s" {{ next_hop = "%s" }}\n' % p
                           for p in pairs)


def ask(server, replies, lmtp=False, **options):
    """What -a says of one server, and the commands that it has heard."""
    with Sink(replies, lmtp=lmtp, **options) as sink:
        status, text = check(server, hops(("f.example", "%s:[127.0.0.1]:%d" % (
            "lmtp" if lmtp else "smtp", sink.port))), "-a")
        assert status == 0, text
        assert sink.messages == []
        return said(text, "backscatter"), said(text, "note"), \
            [c.upper() for c in sink.commands]


@pytest.mark.parametrize("lmtp", [False, True], ids=["smtp", "lmtp"])
def test_who_accepts_everybody(server, lmtp):
    found, _, commands = ask(server, {}, lmtp)
    [(line, what)] = found
    assert line == AT and "accepts a recipient whom nobody has" in what
    assert '"250' in what
    assert commands[0].startswith("LHLO" if lmtp else "EHLO")
    assert "MAIL FROM:<>" in commands
    assert not any(c.startswith(("DATA", "BDAT")) for c in commands)
    [rcpt] = [c for c in commands if c.startswith("RCPT")]
    assert re.match(r"RCPT TO:<POSTERN-ASKS-[0-9A-F]{16}@F\.EXAMPLE>", rcpt)


@pytest.mark.parametrize("lmtp", [False, True], ids=["smtp", "lmtp"])
def test_who_refuses_the_unknown(server, lmtp):
    found, notes, commands = ask(server, UNKNOWN, lmtp)
    assert found == [], found
    assert "refuses a recipient whom nobody has, as it should (\"550 5.1.1 " \
        "no such user\")" in notes[-1][1]
    assert commands[-1] == "QUIT"


def test_postmaster_is_not_at_a_fallback(server):
    """A Dovecot that has the users alone: postmaster is an alias here."""
    with Sink({"rcpt": "550 5.1.1 no such user"}, lmtp=True) as sink:
        status, text = check(server, LOCAL + 'domain "f.example" {{ aliases '
                             '= "{folder}/aliases" fallback = '
                             '"lmtp:[127.0.0.1]:%d" }}\n' % sink.port, "-a")
    assert status == 0 and said(text, "backscatter") == [], text
    assert "as it should" in text


@pytest.mark.parametrize("replies, words", [
    ({"rcpt": "550 5.7.1 relaying denied"}, "refuses even postmaster"),
    ({"rcpt": "450 4.2.0 greylisted"}, "could not be asked"),
    ({"mail": "550 5.7.1 no null sender here"}, "could not be asked"),
    ({"mail": "530 5.7.0 Must issue STARTTLS first"}, "STARTTLS first"),
    ({"greeting": "554 5.7.1 go away"}, "go away"),
    ({"greeting": None}, "closed the connection"),
    ({"rcpt": None}, "closed the connection"),
    ({"ehlo": "250 " + "x" * 5000}, "a line without an end"),
    ({"ehlo": "".join("250-x\r\n" for _ in range(200)) + "250 x"},
     "a reply that does not end"),
    ({"ehlo": "hello?\x1b[2J"}, "does not speak SMTP"),
], ids=["denied", "later", "null-sender", "starttls", "greeting", "closed",
        "closed-at-rcpt", "long-line", "many-lines", "no-smtp"])
def test_who_cannot_be_asked(server, replies, words):
    [(_, what)], _, _ = ask(server, replies)
    assert words in what, what
    assert "\x1b" not in what


def test_who_is_silent_takes_its_time_and_no_more(server):
    began = time.monotonic()
    [(_, what)], _, _ = ask(server, {"rcpt": ""})
    assert "no answer in time" in what
    assert time.monotonic() - began < 40


@pytest.fixture(name="pem")
def fixture_pem(tmp_path):
    """(certificate, key) that nobody trusts."""
    make_certificate(str(tmp_path), "hop", "hop.example")
    return str(tmp_path / "hop.pem"), str(tmp_path / "hop.key")


TLS_ONLY = dict(UNKNOWN, mail=lambda s, arg: "250 ok" if s.is_tls
                else "530 5.7.0 Must issue STARTTLS first")


@pytest.mark.parametrize("lmtp", [False, True], ids=["smtp", "lmtp"])
def test_who_wants_tls_first(server, pem, lmtp):
    found, notes, commands = ask(server, TLS_ONLY, lmtp, tls=pem)
    assert found == [] and "as it should" in notes[-1][1], found
    hello = "LHLO" if lmtp else "EHLO"
    assert [c.split()[0] for c in commands[:4]] == [hello, "STARTTLS", hello,
                                                    "RSET"]


@pytest.mark.parametrize("tls, offers, words", [
    ("off", True, "STARTTLS first"),
    ("required", False, "offers no STARTTLS, and tls = required"),
    ("required", True, None)])
def test_tls_as_the_domain_says(server, pem, tls, offers, words):
    with Sink(TLS_ONLY, tls=pem if offers else None) as sink:
        _, text = check(server, LOCAL + 'domain "f.example" {{ next_hop = '
                        '"smtp:[127.0.0.1]:%d"  tls = %s }}\n' % (
                            sink.port, tls), "-a")
        assert sink.messages == []
    found = said(text, "backscatter")
    assert [words in what for _, what in found] == [True] if words \
        else found == [], text


def test_tls_that_fails(server, pem):
    """A handshake that ends in nothing, or words behind the 220."""
    for reply, words in (("220 go on\r\n250 and more", "more than STARTTLS"),
                         ("454 4.7.0 not now", "STARTTLS first")):
        found, _, _ = ask(server, dict(TLS_ONLY, starttls=reply), tls=pem)
        assert [words in what for _, what in found] == [True], found

    def wants_a_certificate(session, _):
        session.sink.context.maximum_version = ssl.TLSVersion.TLSv1_2
        session.sink.context.verify_mode = ssl.CERT_REQUIRED
        return "220 go on"
    found, _, _ = ask(server, dict(TLS_ONLY, starttls=wants_a_certificate),
                      tls=pem)
    assert ["handshake" in what for _, what in found] == [True], found


def test_all_names_of_all_domains_on_one_connection(server):
    with Sink(UNKNOWN) as sink:
        hop = "smtp:[127.0.0.1]:%d" % sink.port
        status, text = check(server, LOCAL + 'domain "f.example" {{ same_as ='
                             ' {{ "g.example" }} next_hop = "%s" }}\n'
                             'domain "h.example" {{ next_hop = "%s" }}\n' %
                             (hop, hop), "-a")
        assert status == 0 and len(sink.sessions) == 1, text
        asked = [c.rsplit("@", 1)[1] for c in sink.commands
                 if c.upper().startswith("RCPT") and "postern-asks" in c]
        assert asked == ["f.example>", "g.example>", "h.example>"]
        assert len([n for n in said(text, "note") if "as it should" in n[1]]) \
            == 3


def test_sockets_and_ports_that_nobody_is_at(server):
    """And the next one is asked all the same."""
    folder = make_folder()
    path = folder + "/lmtp"
    with Sink(UNKNOWN, lmtp=True, path=path):
        os.chmod(path, 0o600 if IS_ROOT else 0o700)  # root's, as Dovecot's is
        status, text = check(server, hops(
            ("a.example", "lmtp:unix:%s/none" % folder),
            ("b.example", "smtp:[127.0.0.1]:9"),
            ("c.example", "smtp:no-such-host.invalid:25"),
            ("d.example", "lmtp:unix:" + path)), "-a")
    assert status == 0, text
    found = said(text, "backscatter")
    assert ["a.example" in found[0][1], "b.example" in found[1][1],
            "c.example" in found[2][1]] == [True] * 3, text
    assert "Connection refused" in found[1][1]
    assert len(found) == 3
    assert "d.example" in said(text, "note")[-1][1]


def test_postfix_with_and_without_its_recipients(server):
    """Debian's, as many run it in front of something else."""
    for more, wanted in (
            ("", "accepts a recipient whom nobody has"),
            ("virtual_mailbox_maps = inline:{{postmaster@example.net=x},"
             "{bob@example.net=y}}", "as it should")):
        with Postfix(more=more) as postfix:
            _, text = check(server, hops((
                "example.net", "smtp:[127.0.0.1]:%d" % postfix.port)), "-a")
        assert wanted in text, text
        assert bool(said(text, "backscatter")) == (more == ""), text


def test_a_needs_n(server):
    result = subprocess.run(
        server.command("postern", "-a", "-f", server.config_path),
        capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 2 and "usage" in result.stderr


# ---- size ----

def test_a_hundred_thousand_aliases(server):
    """A tenth of them lists and their owners, which become one line."""
    lines = ["root: alice"]
    for i in range(90000):
        lines.append("name%d: %s" % (i, ("alice", "bob", "carol",
                                         "name%d" % (i - 1))[i % 4]))
    for i in range(5000):
        lines += ["list%d: alice, x%d@elsewhere.example" % (i, i),
                  "owner-list%d: bob" % i]
    began = time.monotonic()
    status, text = check(server, LOCAL, aliases="\n".join(lines) + "\n")
    took = time.monotonic() - began
    assert status == 0, text[-2000:]
    assert "note: 5000 aliases with members elsewhere" in text, text[-2000:]
    assert took < 30, took


def test_more_than_can_be_shown(server):
    lines = ["root: alice"] + ["a%d: |/usr/bin/vacation %d" % (i, i)
                               for i in range(500)]
    status, text = check_any(server, LOCAL,
                             aliases="\n".join(lines) + "\n")
    assert len(said(text, "backscatter")) == 200, text
    assert re.search(r"\b300 more warnings not shown\n$", text), text[-3000:]
