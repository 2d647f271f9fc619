# SPDX-License-Identifier: ISC
"""What policy judges, end to end: a client, real DNS answers from nsd, the
reply, the trail, and the mailbox that stays empty."""
import email.utils
import json
import os
import re
import signal
import time

import pytest

from client import new_message
from filters import Program
from nameserver import Nameserver, servfail, silent
from postern import FAULT_BUILD, maildir_mail, wait_until

ZONES = {
    "good.example": "@ MX 10 mx\nmx A 192.0.2.1",
    "address.example": "@ A 192.0.2.1",
    "nullmx.example": "@ MX 0 .",
    "spf.example": '@ MX 10 mx\n@ TXT "v=spf1 ip4:127.0.0.1 -all"\n'
    "mx A 127.0.0.1",
    "empty.example": "@ TXT nothing",
    "dead.example": "@ A 192.0.2.1",
    "broken.example": "@ A 192.0.2.1",
    "example": "x TXT x",
    "127.in-addr.arpa": "1.0.0 PTR client.good.example.",
    "black.example": '2.0.0.127 A 127.0.0.2\n'
    '2.0.0.127 TXT "listed for a test"\n3.0.0.127 A 127.0.0.3\n'
    '4.0.0.127 A 127.255.255.254',
    "grey.example": "2.0.0.127 A 127.0.0.2\n3.0.0.127 A 127.0.0.2",
    "white.example": "3.0.0.127 A 127.0.0.2",
    "all.example": "* A 127.0.0.2",
}


@pytest.fixture(scope="module")
def nameserver():
    with Nameserver(ZONES, {"dead.example": silent,
                            "broken.example": servfail}) as ns:
        yield ns


def mail(server, sender, source=None):
    """The reply to MAIL."""
    with server.connect(source=source) as c:
        c.ehlo()
        reply = c.command("MAIL FROM:<%s>" % sender)
        c.quit()
        return reply


# ---- the domain of the sender ----

@pytest.fixture(scope="module")
def server(make_module_server, nameserver):
    return make_module_server(checks=None,
                              more=nameserver.config("timeout = 3s"))


@pytest.mark.parametrize("sender, wanted, said", [
    ("a@good.example", "250", ""),
    ("a@address.example", "250", ""),
    ("", "250", ""),
    ("a@nosuch.example", "550 5.1.8", "nosuch.example"),
    ("a@empty.example", "550 5.1.8", "empty.example"),
    ("a@nullmx.example", "550 5.7.27", "null MX"),
    ("a@broken.example", "451 4.4.3", "no answer"),
    ("a@dead.example", "451 4.4.3", "no answer"),
])
def test_sender_domain(server, sender, wanted, said):
    reply = mail(server, sender)
    assert reply.says(wanted), reply
    if reply.code != 250:
        text = server.why(reply)
        assert "sender_domain" in text and said in text, text
        assert re.search(r"MX %s: [a-z ]+ \d+\.\d{3} ms" %
                         sender.partition("@")[2], text), text
    assert server.mail("alice") == []


def test_a_mark_is_in_the_trail_of_a_later_refusal(server):
    """helo and fcrdns mark: delivered, and the trail says what they saw."""
    message = new_message()
    with server.connect() as c:
        c.command("EHLO nodot_")
        reply = c.deliver("bob@example.org", message,
                          sender="a@good.example")
        assert reply.code == 250, reply
        refusal = c.command("RCPT TO:<x>")
        c.quit()
    server.why(refusal, "helo", "fcrdns", "mark", "not a host name",
               "client.good.example")
    assert len(server.mail("bob")) == 1


# ---- lists ----

LISTS = """dnsbl "black.example" { score = 2  answers = { "127.0.0.2/31" } }
dnsbl "grey.example" { }
dnsbl "white.example" { allow = true  score = 3 }
"""


@pytest.fixture
def listing(make_server, nameserver):
    return make_server(checks=LISTS.replace("{", "{{").replace("}", "}}"),
                       more=nameserver.config("timeout = 3s"))


def rcpt(server, recipient, source):
    """The reply to RCPT from that address of ours."""
    with server.connect(source=source) as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@good.example>", "250")
        reply = c.command("RCPT TO:<%s>" % recipient)
        c.quit()
        return reply


def test_lists(listing):
    # black and grey make three: first contact 450, then 550; a session is
    # one contact, whomever it writes to
    with listing.connect(source="127.0.0.2") as c:
        c.ehlo()
        c.expect("MAIL FROM:<a@good.example>", "250")
        for name in ("bob", "carol"):
            c.expect("RCPT TO:<%s@example.org>" % name, "450 4.7.1")
        c.expect("RSET", "250")
        c.expect("MAIL FROM:<a@good.example>", "250")
        first = c.command("RCPT TO:<alice@example.org>")
        # and so are sessions side by side
        assert rcpt(listing, "alice@example.org",
                    "127.0.0.2").says("450 4.7.1")
    assert first.says("450 4.7.1"), first
    assert "black.example" in first.text, first
    time.sleep(11)
    # exempt
    assert rcpt(listing, "postmaster@example.org", "127.0.0.2").code == 250
    # an unknown recipient is told so, whoever asks
    assert rcpt(listing, "nobody@example.org", "127.0.0.2").says("550 5.1.1")
    second = rcpt(listing, "alice@example.org", "127.0.0.2")
    assert second.says("550 5.7.1"), second
    assert "listed for a test" in second.text, second
    text = listing.why(second)
    assert "score 3 of 3" in text and "grey.example 1" in text, text
    # the same, and an allow list speaks for it
    assert rcpt(listing, "alice@example.org", "127.0.0.3").code == 250
    # refused to talk to us: silence that does not reach the limit
    assert rcpt(listing, "alice@example.org", "127.0.0.4").code == 250
    assert rcpt(listing, "alice@example.org", "127.0.0.1").code == 250
    assert listing.mail("alice") == []


def test_who_is_exempt_from_the_lists(make_server, nameserver):
    """What the postmaster says wins, also over a list that is dead."""
    keys = 'dnsbl "dead.example" {{ }}\n' + \
        LISTS.replace("{", "{{").replace("}", "}}") + \
        "dnsbl_refuse_at = 1\n"
    server = make_server(checks=keys,
                         more=nameserver.config("timeout = 3s"))
    assert rcpt(server, "alice@example.org", "127.0.0.2").code == 450
    server.write_config(checks=keys +
                        'dnsbl_exempt = {{ "127.0.0.2", "127.8.0.0/16" }}')
    server.reload()
    for source in ("127.0.0.2", "127.8.9.1"):
        began = time.monotonic()
        assert rcpt(server, "alice@example.org", source).code == 250
        assert time.monotonic() - began < 2     # nobody was asked
    assert rcpt(server, "alice@example.org", "127.9.0.1").says("451 4.4.3")
    status, text = explain(server, ip="127.0.0.2")
    assert "127.0.0.2 is in dnsbl_exempt" in text, text


def test_silent_lists(make_server, nameserver):
    server = make_server(checks='dnsbl "dead.example" {{ }}\n'
                         'dnsbl_refuse_at = 1',
                         more=nameserver.config("timeout = 3s"))
    reply = rcpt(server, "alice@example.org", "127.0.0.1")
    assert reply.says("451 4.4.3"), reply
    server.why(reply, "silent")


# ---- greylist ----

def test_greylist(make_server, nameserver):
    server = make_server(checks="greylist = refuse  greylist_delay = 2s",
                         more=nameserver.config())
    first = server.rcpt("alice@example.org", sender="a@good.example")
    assert first.says("451 4.7.1"), first
    early = server.rcpt("alice@example.org", sender="a@good.example")
    assert early.says("451 4.7.1"), early
    server.why(early, "early")
    # bounces and the postmaster do not wait
    assert server.rcpt("alice@example.org", sender="").code == 250
    assert server.rcpt("postmaster@example.org",
                       sender="a@good.example").code == 250
    time.sleep(2.1)
    assert server.rcpt("alice@example.org",
                       sender="A@GOOD.example").code == 451
    assert server.rcpt("alice@example.org",
                       sender="a@good.example").code == 250
    # a tag of the sender or recipient is no stranger
    assert server.rcpt("alice@example.org",
                       sender="prvs=1234567890=a@good.example").code == 250
    assert server.mail("alice") == []


def test_greylist_knows_domains_that_spf_vouches_for(make_server,
                                                     nameserver):
    program = Program()
    server = make_server(checks="greylist = refuse  greylist_delay = 1s\n"
                         'milter "%s" {{ }}' % program.endpoint,
                         more=nameserver.config())
    for domain in ("spf.example", "good.example"):
        assert server.rcpt("alice@example.org",
                           sender="a@" + domain).says("451 4.7.1")
    time.sleep(1.1)
    # a message that a filter refuses has not been accepted
    reply = server.deliver("alice@example.org", new_message(
        fields="X-End: reject\n"), sender="a@spf.example")
    program.close()
    assert reply.code == 550, reply
    server.write_config(checks="greylist = refuse  greylist_delay = 1s")
    server.reload()
    assert server.rcpt("carol@example.org",
                       sender="c@spf.example").says("451 4.7.1")
    for domain in ("spf.example", "good.example"):
        assert server.deliver("alice@example.org", new_message(),
                              sender="a@" + domain).code == 250
    # a stranger of the same domain, to somebody else
    assert server.rcpt("bob@example.org", sender="b@spf.example").code == 250
    assert server.rcpt("bob@example.org",
                       sender="b@good.example").says("451 4.7.1")


# ---- the end of the data ----

@pytest.mark.parametrize("header, check", [
    ("From: a@good.example\n", "date"),
    ("Date: yesterday\nFrom: a@good.example\n", "date"),
    ("Date: {now}\n", "from"),
    ("Date: {now}\nFrom: a@b.example\nFrom: c@d.example\n", "from"),
])
def test_fields(make_server, nameserver, header, check):
    server = make_server(checks="date = refuse  from = refuse",
                         more=nameserver.config())
    now = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    message = header.format(now=now) + "Subject: x\n\nbody\n"
    reply = server.deliver("alice@example.org",
                           message.replace("\n", "\r\n").encode())
    assert reply.says("550 5.6.0"), reply
    server.why(reply, check)
    assert server.mail("alice") == []


@pytest.mark.parametrize("days, said", [
    (-31.1, "31 days before its arrival"), (3.1, "3 days after its arrival"),
    (-29, None), (1.9, None)])
def test_a_date_of_another_time(make_server, nameserver, days, said):
    server = make_server(checks="date = refuse", more=nameserver.config())
    date = email.utils.formatdate(time.time() + days * 86400)
    reply = server.deliver("alice@example.org", (
        "Date: %s\r\nFrom: a@good.example\r\n\r\nbody\r\n" %
        date).encode())
    if said is None:
        assert reply.code == 250
    else:
        assert reply.says("550 5.6.0") and said in str(reply), reply
        server.why(reply, said)


# ---- who is not there ----

def test_resolver_and_policy_can_die(make_server, nameserver):
    """451 while they are gone, and all is well when they are back."""
    server = make_server(checks="sender_domain = refuse",
                         more=nameserver.config("timeout = 3s"))
    server.may_crash = True
    assert mail(server, "a@good.example").code == 250
    for role in ("policy", "resolver"):
        for pid in server.children(role):
            os.kill(pid, signal.SIGKILL)
        reply = mail(server, "a@good.example")
        assert reply.code in (250, 451), reply
        wait_until(lambda: mail(server, "a@good.example").code == 250, 15,
                   "%s again" % role)


@pytest.mark.skipif(not os.path.exists(FAULT_BUILD + "/postern"),
                    reason="needs make FAULTS=1 BUILD=build-faults")
def test_a_crash_of_policy_costs_one_451(make_server, nameserver):
    server = make_server(checks="sender_domain = refuse", faults=True,
                         more=nameserver.config())
    assert mail(server, "a@good.example").code == 250
    server.faults.set("policy.judge", "kill", count=1)
    with server.connect() as c:
        c.ehlo()
        reply = c.command("MAIL FROM:<a@good.example>")
        assert reply.says("451 4.3.0"), reply
        # the session goes on, with another worker
        wait_until(lambda: c.command("MAIL FROM:<a@good.example>").code ==
                   250, 10, "another worker")
    wait_until(lambda: server.events("compartment_died", role="policy"), 10,
               "the end of the worker in the log")
    assert len(server.events("compartment_died", role="policy")) == 1


def test_a_thousand_who_wait_delay_nobody(make_server, nameserver):
    """Sessions that wait for a dead name server, and one that needs none."""
    server = make_server(checks="sender_domain = refuse",
                         more=nameserver.config("timeout = 5s"))
    waiting = [server.connect(source="127.%d.%d.1" % (1 + i // 250, i % 250))
               for i in range(1000)]
    for i, c in enumerate(waiting):
        c.send("EHLO x.example\r\nMAIL FROM:<a@d%d.dead.example>\r\n" % i)
    began_all = time.monotonic()
    took = []
    for _ in range(5):
        began = time.monotonic()
        reply = server.deliver("alice@example.org", new_message(), sender="")
        took.append(time.monotonic() - began)
        assert reply.code == 250, reply
    assert time.monotonic() - began_all < 4
    n_waiting = 0
    for c in waiting:
        c.sock.setblocking(False)
        said = c.sock.recv(65536)
        n_waiting += b"\r\n451" not in said and b"\r\n250 MAIL" not in said
        c.close()
    assert sorted(took)[2] < 1.0, took
    assert n_waiting > 800, n_waiting
    assert len(server.mail("alice")) == 5


# ---- what authentication leads to ----

def test_quarantine_goes_to_junk(make_server):
    """DMARC: reject is 550, quarantine .Junk; our field is on top, and one
    that was forged in our name is gone."""
    zones = {
        "spf.example": '@ MX 10 mx\nmx A 127.0.0.1\n'
        '@ TXT "v=spf1 ip4:127.0.0.1 -all"',
        "reject.example": '@ MX 10 mx\nmx A 192.0.2.1\n'
        '_dmarc TXT "v=DMARC1; p=reject"',
        "junk.example": '@ MX 10 mx\nmx A 192.0.2.1\n'
        '_dmarc TXT "v=DMARC1; p=quarantine"',
        "example": "x TXT x", "127.in-addr.arpa": "1.0.0 PTR mx.spf.example.",
    }
    with Nameserver(zones) as ns:
        server = make_server(checks=None, more=ns.config())
        forged = "Authentication-Results: mx.example.org; dmarc=pass\n" \
            "Authentication-Results: other.example; spf=pass\n"

        def send(sender, author):
            text = forged + "From: <%s>\nDate: %s\nMessage-ID: <%s@x>\n" \
                "Subject: x\n\nbody\n" % (
                    author, time.strftime("%a, %d %b %Y %H:%M:%S +0000",
                                          time.gmtime()), time.time())
            return server.deliver("alice@example.org", text.replace(
                "\n", "\r\n").encode(), sender=sender)

        reply = send("a@spf.example", "a@reject.example")
        assert reply.says("550 5.7.26"), reply
        server.why(reply, "dmarc")
        assert server.mail("alice") == []
        assert send("a@spf.example", "a@junk.example").code == 250
        assert server.mail("alice") == []
        junk = maildir_mail(os.path.join(server.maildir("alice"), ".Junk"))
        assert len(junk) == 1
        assert send("a@spf.example", "a@spf.example").code == 250
        for copy in junk + server.mail("alice"):
            results = copy.get_all("Authentication-Results")
            assert len(results) == 2, results
            assert results[0].startswith("mx.example.org"), results
            assert "spf=pass" in results[0], results
            assert results[1].startswith("other.example"), results
            assert copy.get_all("Received-SPF")[0].startswith("pass")
            # the name of the address, confirmed both ways
            assert "(mx.spf.example" in copy.get("Received"), copy.raw
            names = [name for name, _ in copy.fields]
            assert names.index("Received") < \
                names.index("Authentication-Results")
            assert int(copy.name.rpartition("S=")[2].partition(":")[0]) == \
                len(copy.raw)
        assert len(server.mail("alice")) == 1


# ---- explain ----

def explain(server, *more, ip="127.0.0.1", sender="a@good.example"):
    """posternctl explain: (exit status, text)."""
    return server.ctl("explain", "--ip", ip, "--helo", "client.good.example",
                      "--from", sender, "--to", "alice@example.org", *more,
                      check=False)


def test_explain(server):
    status, text = explain(server)
    assert status == 0, text
    for word in ("helo", "fcrdns", "sender_domain", "spf", "accept",
                 "asked MX good.example: ok, 1 record", " ms)",
                 "client.good.example"):
        assert word in text, "no %s in:\n%s" % (word, text)
    status, text = explain(server, sender="a@nosuch.example")
    assert status == 1, text
    assert "answered at mail: 550 5.1.8" in text, text
    assert "no such name" in text, text
    assert explain(server, ip="nonsense")[0] == 2
    assert server.ctl("explain", "--ip", "127.0.0.1", check=False)[0] == 2
    assert server.ctl("explain", "--ip", check=False)[0] == 2


@pytest.mark.parametrize("written, known", [
    ("2001:DB8:0::25", "2001:db8::25"), ("::ffff:192.0.2.9", "192.0.2.9"),
    ("0:0:0:0:0:0:0:1", "::1")])
def test_explain_knows_an_address_however_it_is_written(
        make_server, nameserver, written, known):
    """What was seen of a client is kept by the text that smtpd writes."""
    server = make_server(
        checks='greylist = refuse  dnsbl "all.example" {{ }} '
        'dnsbl_refuse_at = 1', more=nameserver.config("timeout = 1s"))
    said = [explain(server, ip=ip)[1] for ip in (written, known)]
    said = [set(re.findall(r"asked (A \S+|seen \S+ \S+|greylist \S+)", s))
            for s in said]
    assert "seen dnsbl %s:" % known in said[1] and said[0] == said[1], said


def test_explain_a_message(server):
    path = server.write("message.eml", "From: a@good.example\r\n"
                        "Date: yesterday\r\nSubject: x\r\n\r\nbody\r\n")
    status, text = explain(server, "--file", path)
    assert status == 0, text
    for word in ("data  date", "data  from", "data  dkim", "dmarc"):
        assert word in text, "no %s in:\n%s" % (word, text)
    status, text = explain(server, "--file", path, "--json")
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1] == {"verdict": "accept"}
    checks = {x["check"]: x for x in lines if "check" in x}
    assert checks["date"]["verdict"] == "mark", checks
    assert all(x["took_us"] >= 0 for x in lines if "asked" in x)
    assert explain(server, "--file", path + ".not")[0] == 2
    assert server.mail("alice") == []


def test_explain_says_what_it_has_not_asked(make_server, nameserver):
    """A bounce is refused at its end, so without a file nobody is told."""
    server = make_server(checks="spf = refuse",
                         more=nameserver.config("timeout = 1s"))
    words = ["explain", "--ip", "192.0.2.9", "--helo", "spf.example",
             "--from", "", "--to", "alice@example.org"]
    status, text = server.ctl(*words, check=False)
    assert status == 0 and "refuses it before its message" in text, text
    path = server.write("message.eml", new_message())
    status, text = server.ctl(*words, "--file", path, check=False)
    assert status == 1 and "answered at data: 550 5.7.23" in text, text
    text = server.ctl(*words[:2], "127.0.0.1", *words[3:], "--file", path)
    assert "Nothing here refuses it. " in text
    # nor are those asked that smtpd asks behind the checks
    for sections, said in (
            ('clamd "unix:/none" {{ }}', "clamd is not asked"),
            ('milter "unix:/none" {{ }}', "milters are not asked"),
            ('clamd "unix:/none" {{ }} milter "unix:/none" {{ }}',
             "milters and clamd are not asked")):
        server.write_config(checks="virus = refuse " + sections)
        server.restart()
        text = server.ctl(*words, "--file", path)
        assert "Nothing here refuses it; " + said in text, text


def test_explain_leaves_the_greylist_alone(make_server, nameserver):
    server = make_server(checks="greylist = refuse",
                         more=nameserver.config())
    for _ in range(2):
        status, text = explain(server)
        assert status == 1 and "greylisted" in text, text
        assert ": new" in text, text
    assert server.rcpt("alice@example.org",
                       sender="a@good.example").says("451 4.7.1")
    assert ": early" in explain(server)[1]
