# SPDX-License-Identifier: ISC
"""What policy judges, end to end: a client, real DNS answers from nsd, the
reply, the trail, and the mailbox that stays empty."""
import threading
import time

import pytest

from client import new_message
from nameserver import Nameserver, servfail, silent
from postern import wait_until

ZONES = {
    "good.example": "@ MX 10 mx\nmx A 192.0.2.1",
    "address.example": "@ A 192.0.2.1",
    "nullmx.example": "@ MX 0 .",
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
}


@pytest.fixture(scope="module")
def nameserver():
    with Nameserver(ZONES, {"dead.example": silent,
                            "broken.example": servfail}) as ns:
        yield ns


def why(server, reply):
    """posternctl why, once the store has the line."""
    assert reply.id, reply

    def found():
        status, text = server.ctl("why", reply.id, check=False)
        return text if status == 0 else None
    return wait_until(found, 5, "trail of %s" % reply.id)


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
                              more=nameserver.config("timeout = 1s"))


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
        text = why(server, reply)
        assert "sender_domain" in text and said in text, text
    assert server.mail("alice") == []
