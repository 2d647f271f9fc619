# SPDX-License-Identifier: ISC
"""posternctl sent: what has left, when, and whether it was reported on; to
the postmaster of everybody, to a user of this host of himself."""
import os
import re
import subprocess

import pytest

import postern
from postern import wait_until
from relay_lab import Sink
from test_auth import ALICE
from test_bounces import Bounces, Original
from test_outbound import Outbound

OTHER = "to@other.example"
NOTHING = "Nothing of that kind was sent"


def words_of(line):
    """(queue id, sender, recipient, what came back) of a line."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (\S+) from (\S+) "
                        r"to (.+?): (.*)", line).groups()


def test_to_the_postmaster():
    sink = Sink()
    with Bounces(sink, more='batv {{ exempt = {{ "remote.example" }} }}\n') \
            as server:
        assert server.ctl("sent").startswith(NOTHING)
        original = Original(server)
        other = server.sent(OTHER)
        [line] = server.ctl("sent", original.recipient.upper()).splitlines()
        queue_id, sender, to, came = words_of(line)
        assert (sender, to, came) == (ALICE, original.recipient.upper(),
                                      "nothing came back")
        name = re.search(r"(?mi)^Message-ID: (\S+)$",
                         original.header).group(1)
        for word in (queue_id, queue_id.lower(), name, name.strip("<>")):
            [line] = server.ctl("sent", word).splitlines()
            assert words_of(line) == (queue_id, ALICE, "a recipient",
                                      "nothing came back"), (word, line)
        assert len(server.ctl("sent", ALICE).splitlines()) == 2
        assert len(server.ctl("sent").splitlines()) == 2
        assert server.ctl("sent", "bob@other.example").startswith(NOTHING)
        assert server.bounce(ALICE, original.bounce(
            action="delayed")).says("250")
        assert server.bounce(ALICE, original.bounce()).says("250")
        wait_until(lambda: words_of(server.ctl("sent", queue_id).strip())[3]
                   == "a failure was reported, a delay was reported, times 1",
                   15, lambda: "report: " + server.ctl("sent", queue_id))
        assert "nothing came back" in server.ctl("sent", OTHER)
        assert other.sender.startswith("FROM:<prvs=")
        assert not server.problems()
    sink.close()


def sent(server, user, *words):
    """posternctl, called by a user of this host: (status, text)."""
    done = subprocess.run(
        [os.path.join(postern.BUILD, "posternctl"), "-f", server.config_path,
         *words], user=user, extra_groups=[], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.needs_root
def test_to_a_user_of_himself():
    sink = Sink()
    with Outbound(sink) as server:
        text, name = server.text(sender=postern.OWNER + "@example.org")
        done = subprocess.run(
            [os.path.join(postern.BUILD, "sendmail"), "-i",
             "friend@elsewhere.example"], input=text, text=True,
            user=postern.OWNER, extra_groups=[], check=False,
            env=dict(os.environ, POSTERN_CONFIG=server.config_path))
        assert done.returncode == 0
        text, _ = server.text()
        assert not server.send(["friend@elsewhere.example"], text)
        server.wait_sent()
        for words in ((), ("friend@elsewhere.example",), (name,),
                      (postern.OWNER + "@example.org",)):
            status, said = sent(server, postern.OWNER, "sent", *words)
            assert status == 0 and len(said.splitlines()) == 1, said
            assert postern.OWNER in said and "alice" not in said
            status, said = sent(server, postern.OTHER_OWNER, "sent", *words)
            assert status == 0 and said.startswith(NOTHING), said
        assert sent(server, postern.OWNER, "sent", ALICE)[1].startswith(
            NOTHING)
        # all else is the postmaster's
        for words in (("queue",), ("status",), ("sent", "a", "b")):
            status, said = sent(server, postern.OWNER, *words)
            assert status == 77 and "only root" in said, said
        assert len(server.ctl("sent", "friend@elsewhere.example"
                              ).splitlines()) == 2
        with server.connect() as client:
            client.ehlo()
            assert client.command("XQUEUE SENT").says("500 5.5.1")
        assert not server.problems()
    sink.close()
