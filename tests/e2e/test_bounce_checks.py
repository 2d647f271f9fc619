# SPDX-License-Identifier: ISC
"""A bounce with a tag or a proof is not refused for where it comes from (SPF,
DMARC, lists, greylist): hosts that bounce are not the ones that wrote. What
it carries is scanned as everything is (DESIGN 8). And what is no bounce is
not taken for one, whatever its reverse-path."""
import contextlib

import pytest

from client import new_message
from filters import EICAR, Clamd
from nameserver import Nameserver
from relay_lab import Sink
from test_auth import ALICE
from test_bounces import (OTHERS, VACATION, Bounces, Original, arrived,
                          sender_of, taken)
from test_outbound import SOON

ZONES = {
    "elsewhere.example": '@ MX 10 mx\nmx A 192.0.2.1\n'
    '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n_dmarc TXT "v=DMARC1; p=reject"',
    # who it is in EHLO is what SPF asks about without a reverse-path
    "remote.example": '@ MX 10 mx\nmx A 192.0.2.1\n'
    '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n_dmarc TXT "v=DMARC1; p=reject"',
    "black.example": '2.0.0.127 A 127.0.0.2\n2.0.0.127 TXT "listed"',
}
CHECKS = """spf = refuse
dmarc = refuse
greylist = refuse
dnsbl "black.example" {{ score = 3 }}
dnsbl_refuse_at = 3
virus = refuse
clamd "%s" {{ timeout = 10s }}
"""


@pytest.fixture(name="server", scope="module")
def fixture_server():
    sink = Sink()
    with contextlib.closing(Clamd()) as clamd, Nameserver(ZONES) as ns, \
            Bounces(sink, checks=CHECKS % clamd.endpoint,
            more='batv {{ exempt = {{ "remote.example" }} }}\n') as server:
        resolver = SOON[SOON.index("resolver"):]
        server.write_config(more=server.pieces["more"].replace(
            resolver, ns.config("timeout = 3s")))
        server.reload()
        yield server
        assert not server.problems()
    sink.close()


def from_listed(server, to, text, sender="", name="remote.example"):
    """(reply to RCPT, reply to the dot or None): it comes from 127.0.0.2,
    which is on a list, has never written, and is not remote.example."""
    with server.connect(source="127.0.0.2") as client:
        client.ehlo(name)
        mail = client.command("MAIL FROM:<%s>" % sender)
        if mail.code != 250:
            return mail, None
        reply = client.command("RCPT TO:<%s>" % to)
        return reply, client.data(text) if reply.code == 250 else None


def test_a_tag_exempts_from_where_it_comes(server):
    tagged = sender_of(server.sent("bob@tags.example"))
    text = VACATION % "bounce2000"
    rcpt, dot = from_listed(server, tagged, text)
    assert rcpt.code == 250 and dot.code == 250, (rcpt, dot)
    assert arrived(server, text)
    # the same host, the same words, without a tag
    rcpt, dot = from_listed(server, ALICE, VACATION % "bounce2001")
    assert rcpt.code in (450, 451, 550) and dot is None, (rcpt, dot)


def test_a_tag_does_not_make_other_mail_proven(server):
    """With a reverse-path it is mail like any other."""
    tagged = sender_of(server.sent("bob@tags.example"))
    rcpt, dot = from_listed(server, tagged, new_message(),
                            sender="bob@elsewhere.example")
    assert rcpt.code in (450, 451, 550) and dot is None, (rcpt, dot)


def test_a_tag_does_not_exempt_from_scanners(server):
    tagged = sender_of(server.sent("bob@tags.example"))
    text = VACATION % "bounce2002" + EICAR + "\n"
    rcpt, dot = from_listed(server, tagged, text)
    assert rcpt.code == 250 and dot.says("554 5.7.1"), (rcpt, dot)
    assert "Eicar" in dot.text and not arrived(server, text)


@pytest.fixture(name="quiet", scope="module")
def fixture_quiet():
    """Without what is asked before DATA: a proof is known only there."""
    sink = Sink()
    with contextlib.closing(Clamd()) as clamd, Nameserver(ZONES) as ns, \
            Bounces(sink, checks="dmarc = refuse\nvirus = refuse\nclamd \"%s\" "
            "{{ timeout = 10s }}\n" % clamd.endpoint,
            more='batv {{ exempt = {{ "remote.example" }} }}\n') as server:
        server.write_config(more=server.pieces["more"].replace(
            SOON[SOON.index("resolver"):], ns.config("timeout = 3s")))
        server.reload()
        yield server
        assert not server.problems()
    sink.close()


def test_a_proof_exempts_from_dmarc(quiet):
    """From: MAILER-DAEMON@remote.example, whose DMARC says reject."""
    original = Original(quiet)
    taken(quiet, original.bounce())
    reply = quiet.bounce(ALICE, VACATION % "bounce2003")
    assert reply.says("550 5.7.26"), reply


def test_a_proof_does_not_exempt_from_scanners(quiet):
    """And is not spent by what is refused."""
    original = Original(quiet)
    text = original.bounce().replace("Sorry.", EICAR)
    reply = quiet.bounce(ALICE, text)
    assert reply.says("554 5.7.1") and "Eicar" in reply.text, reply
    assert not arrived(quiet, text)
    taken(quiet, original.bounce())


# ---- no bounces, with a reverse-path or without ----

MORE = {
    "tls-report": """From: tlsrpt@remote.example
Subject: Report Domain: example.org Submitter: remote.example Report-ID: <2>
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce%d@remote.example>
Content-Type: multipart/report; report-type=tlsrpt; boundary=b

--b

A report.
--b
Content-Type: application/tlsrpt+gzip

H4sI
--b--
""",
    "feedback": """From: abuse@remote.example
Subject: complaint about message from 192.0.2.1
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce%d@remote.example>
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b

Somebody complains.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1

--b
Content-Type: message/rfc822

From: alice@example.org
Message-ID: <1@x.example>

spam
--b--
""",
    "auto-submitted": """From: bob@remote.example
Subject: Re: hello
Auto-Submitted: auto-replied
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce%d@remote.example>

I could not deliver the parcel; undeliverable it is.
""",
    "postmaster": """From: postmaster@remote.example
Subject: maintenance on Sunday
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce%d@remote.example>

Mail may be late.
""",
    "quoted": """From: bob@remote.example
Subject: Fwd: Undelivered Mail Returned to Sender
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <bounce%d@remote.example>

What does this mean?

> This is the mail system at host mx.elsewhere.example.
> <x@y.example>: user unknown
> Message-ID: <1@z.example>
""",
}


@pytest.fixture(name="plain", scope="module")
def fixture_plain():
    sink = Sink()
    with Bounces(sink) as server:
        yield server
        assert not server.problems()
    sink.close()


@pytest.mark.parametrize("sender", ["", "bob@remote.example"])
@pytest.mark.parametrize("name", ["tls-report", "feedback", "auto-submitted",
                                  "postmaster"])
def test_no_bounce(plain, name, sender):
    serial = 3000 + 10 * list(MORE).index(name) + bool(sender)
    taken(plain, MORE[name] % serial, sender=sender)


@pytest.mark.parametrize("name", OTHERS)
def test_no_bounce_with_a_reverse_path(plain, name):
    text = OTHERS[name].replace("<bounce", "<bounce77")
    taken(plain, text, sender="bob@remote.example")


def test_a_question_about_a_bounce(plain):
    """From a person, who quotes one."""
    taken(plain, MORE["quoted"] % 3900, sender="bob@remote.example")
