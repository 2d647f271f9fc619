# SPDX-License-Identifier: ISC
"""relay by itself, and an smtpd whose mail goes on: it takes what directory,
or vault, has sealed for that session, all of it alike, whatever an smtpd
that is taken over says; and from the end of the message on it waits."""
import fcntl
import hmac
import os
import struct
import threading
import time

import pytest

from compartment import ASK, Compartment, slice_of
from relay_lab import Reader, Sink

HOP, BACK = b"h" * 32, b"r" * 32
TEXT = b"Subject: x\n\nhi\n"
BOB = "bob@example.net"
ALL_SEALS = 15      # F_SEAL_SEAL, SHRINK, GROW, WRITE
F_ADD_SEALS = 1033


@pytest.fixture(name="sink")
def _sink():
    with Sink() as sink:
        yield sink


@pytest.fixture(name="relay")
def _relay():
    with Compartment("relay", secrets={"hop": HOP, "return": BACK}) as relay:
        relay.start()
        yield relay


def route(sink, key=HOP, session="s1", expires=60, host="127.0.0.1"):
    """As lib/hop_route.c seals it."""
    octets = struct.pack("!BQ", 1, int(time.time()) + expires) + b"".join(
        map(slice_of, ("x@example.org", session,
                       "smtp:[%s]:%d" % (host, sink.port)))) + \
        bytes(2) + slice_of("") + slice_of(BOB)
    return octets + hmac.digest(key, octets, "sha256")


def send(relay, routes, sender="", n=None, size=None, seals=ALL_SEALS,
         then=None):
    """HOP_RECIPIENT for each, HOP_SEND; the code of the first, or None: the
    channel was closed (struct hop_sent). then is called with the channel."""
    smtpd = relay.peer("smtpd", 0, 0)
    fd = os.memfd_create("message", os.MFD_ALLOW_SEALING)
    os.write(fd, TEXT)
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    try:
        for i, sealed in enumerate(routes):
            smtpd.send(ASK["HOP_RECIPIENT"], struct.pack("!QH", 7, i) +
                       slice_of("s1") + slice_of(sealed))
        smtpd.send(ASK["HOP_SEND"], struct.pack("!Q", 7) + slice_of(sender) +
                   bytes(8 + 4) + slice_of("") + struct.pack(
                       "!QH", len(TEXT) if size is None else size,
                       len(routes) if n is None else n),
                   fd, number=1, deadline_ms=20000)
        if then is not None:
            then(smtpd)
        answer = smtpd.receive(20)
    except (BrokenPipeError, ConnectionResetError):
        return None
    finally:
        os.close(fd)
    if answer is None:
        return None
    assert answer[0] == ASK["HOP_SENT"]
    reader = Reader(answer[2])
    reader.slice(), reader.slice()      # host, TLS
    return [reader.number(form) for form in "HHBBH"][-1]


def test_what_is_sealed(relay, sink):
    """It goes, and nothing of it does once the seal is too old."""
    assert send(relay, [route(sink)], "a@example.org") == 250
    assert send(relay, [route(sink), route(sink)]) == 250
    assert send(relay, [route(sink, BACK)]) == 250
    assert len(sink.messages) == 3
    assert send(relay, [route(sink, expires=-5), route(sink)]) == 451
    assert len(sink.messages) == 3
    assert not relay.events("suspected_break_in")


@pytest.mark.parametrize("what", [
    "key", "session", "hosts", "seals", "bounce", "fewer", "more", "nobody",
    "open", "size"])
def test_what_is_not(relay, sink, what):
    """It is noticed, the channel is closed, and nothing was sent."""
    good = route(sink)
    args, options = {
        "key": ([route(sink, b"x" * 32)], {}),
        "session": ([route(sink, session="s2")], {}),
        "hosts": ([good, route(sink, host="127.0.0.2")], {}),
        "seals": ([good, route(sink, BACK)], {}),
        "bounce": ([route(sink, BACK)], {"sender": "a@example.org"}),
        "fewer": ([good, good], {"n": 1}),
        "more": ([good], {"n": 2}),
        "nobody": ([], {"n": 1}),
        "open": ([good], {"seals": 7}),
        "size": ([good], {"size": len(TEXT) - 1})}[what]
    assert send(relay, args, **options) is None
    relay.wait_event("suspected_break_in")
    assert sink.sessions == []


# ---- from the end of the message on ----

@pytest.mark.parametrize("stage, cancels, code", [
    ("dot", True, 250), ("dot", False, 250), ("data", True, 451)])
def test_who_has_the_message_is_waited_for(relay, stage, cancels, code):
    """The limit of the question (here: at once) is over, its client leaves:
    what the next hop says counts. Before its end the message is given up."""
    reached, goes_on = threading.Event(), threading.Event()

    def slow(_session, _arg):
        reached.set()
        goes_on.wait(10)
        return "250 2.0.0 taken" if stage == "dot" else "354 go on"

    def then(smtpd):
        assert reached.wait(10)
        if cancels:
            smtpd.send(ASK["HOP_CANCEL"], struct.pack("!Q", 7))
        time.sleep(0.3)
        goes_on.set()
    with Sink({stage: slow}) as sink:
        assert send(relay, [route(sink)], then=then) == code
        assert len(sink.ended) == (stage == "dot")
