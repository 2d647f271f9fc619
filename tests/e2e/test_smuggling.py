# SPDX-License-Identifier: ISC
"""Nothing but CR LF . CR LF ends a message, however the octets arrive."""
import pytest

from client import new_message

# what some server somewhere takes for the end of a message
VARIANTS = {
    "lf.lf": b"\n.\n", "lf.crlf": b"\n.\r\n", "crlf.lf": b"\r\n.\n",
    "cr.cr": b"\r.\r", "crlf.crcrlf": b"\r\n.\r\r\n", "crcrlf.crlf":
    b"\r\r\n.\r\n", "cr.crlf": b"\r.\r\n", "crlf.cr": b"\r\n.\rX",
    "lf.cr": b"\n.\rX", "nul": b"\r\n\0.\r\n", "crlf.nul": b"\r\n.\0\r\n",
    "lf": b"a\nb", "cr": b"a\rb",
}
# ends in CR LF . CR LF itself, so what stands behind it is a command again
ENDS_TRULY = {"crcrlf.crlf"}

SMUGGLED = b"MAIL FROM:<evil@elsewhere.example>\r\n" \
    b"RCPT TO:<alice@example.org>\r\nDATA\r\n" \
    b"Subject: smuggled\r\n\r\nsmuggled"
HEAD = b"Subject: outer\r\nMessage-ID: <x@y.example>\r\n\r\nouter"
REFUSED = sorted(set(VARIANTS) - ENDS_TRULY)


@pytest.fixture(scope="module")
def server(make_module_server):
    return make_module_server(limits="errors_per_session = 0")


@pytest.fixture
def session(server):
    with server.connect() as c:
        c.ehlo()
        yield c


def begin(c):
    """Up to 354."""
    c.envelope("alice@example.org")
    c.expect("DATA", "354")


def check_refused(server, c):
    """One refusal, no more; nothing in any mailbox; the session lives."""
    reply = c.reply()
    assert reply.says("550 5.5.2"), reply
    assert reply.id
    c.expect("NOOP", "250")
    assert server.all_files() == []


@pytest.mark.parametrize("name", REFUSED)
def test_in_one_packet(server, session, name):
    begin(session)
    session.send(HEAD + VARIANTS[name] + SMUGGLED + b"\r\n.\r\n")
    check_refused(server, session)


@pytest.mark.parametrize("name", REFUSED)
def test_at_the_very_end_of_a_packet(server, session, name):
    """The variant is the last that came: a reply now would be wrong."""
    begin(session)
    session.send(HEAD + VARIANTS[name])
    assert session.is_silent(0.2)
    session.send(SMUGGLED)
    assert session.is_silent(0.1)
    session.send(b"\r\n.\r\n")
    check_refused(server, session)


@pytest.mark.parametrize("name", REFUSED)
def test_split_at_every_octet(server, session, name):
    data = b"h:\r\n\r\no" + VARIANTS[name] + b"NOOP\r\nx" + b"\r\n.\r\n"
    for at in range(1, len(data)):
        begin(session)
        session.send_split(data, at)
        check_refused(server, session)


@pytest.mark.parametrize("name", REFUSED)
def test_each_octet_alone(server, session, name):
    begin(session)
    session.send_each(HEAD + VARIANTS[name] + SMUGGLED + b"\r\n.\r\n")
    check_refused(server, session)


@pytest.mark.parametrize("name", sorted(ENDS_TRULY))
def test_bare_cr_before_the_true_end(server, session, name):
    """CR CR LF . CR LF holds CR LF . CR LF: it ends, and is refused."""
    for at in range(1, len(VARIANTS[name])):
        begin(session)
        session.send_split(b"h:\r\n\r\no" + VARIANTS[name], 8 + at)
        check_refused(server, session)


@pytest.mark.parametrize("name", REFUSED)
def test_in_bdat(server, session, name):
    session.envelope("alice@example.org")
    chunk = HEAD + VARIANTS[name] + SMUGGLED + b"\r\n"
    if not set(VARIANTS[name].replace(b"\r\n", b"")) & set(b"\r\n\0"):
        pytest.skip("no bare octet in it")
    session.send(b"BDAT %d LAST\r\n" % len(chunk) + chunk)
    check_refused(server, session)


def test_pipelined_behind_a_refused_message(server, session):
    """What follows the true end are commands again, no less and no more."""
    begin(session)
    session.send(HEAD + b"\n.\n" + SMUGGLED + b"\r\n.\r\nNOOP\r\nRSET\r\n")
    assert [r.code for r in session.replies(3)] == [550, 250, 250]
    assert session.is_silent(0.2)
    assert server.all_files() == []


def test_helo_client_reads_550_too(server):
    with server.connect() as c:
        c.expect("HELO x.example", "250")
        begin(c)
        c.send(HEAD + b"\n.\n" + SMUGGLED + b"\r\n.\r\n")
        reply = c.reply()
        assert reply.code == 550 and reply.enhanced is None


# ---- bare_lf = normalize ----

@pytest.fixture(scope="module")
def lenient(make_module_server):
    return make_module_server(
        users="alice\nbob\n",
        checks='bare_lf = normalize\nbare_lf_exempt = {{ "127.0.0.0/8" }}')


def test_normalize_makes_line_ends(lenient):
    with lenient.connect() as c:
        c.ehlo()
        c.envelope("bob@example.org")
        c.expect("DATA", "354")
        c.send(b"Subject: x\n\none\ntwo\r\nthree\n\r\n.\r\n")
        assert c.reply().code == 250
    assert lenient.mail("bob")[-1].body == b"one\ntwo\nthree\n\n"
    assert lenient.mail("bob")[-1].get("Subject") == "x"


@pytest.mark.parametrize("variant", [b"\n.\n", b"\n.\r\n", b"\r\n.\n"])
def test_normalize_never_ends_data_at_a_bare_lf(lenient, variant):
    """Delivered as one message, with what was to be smuggled inside."""
    before = len(lenient.mail("alice"))
    data = b"Subject: outer\r\n\r\nouter" + variant + SMUGGLED + b"\r\n.\r\n"
    with lenient.connect() as c:
        c.ehlo()
        for at in list(range(20, 32)) + [len(data)]:
            begin(c)
            c.send_split(data, at)
            reply = c.reply()
            c.expect("NOOP", "250")
            got = len(lenient.mail("alice")) - before
            assert (reply.code == 250 and got == 1) or \
                (reply.says("550 5.5.2") and got == 0), (reply, got)
            if got:
                mail = lenient.mail("alice")[-1]
                assert mail.get("Subject") == "outer"
                assert b"MAIL FROM:<evil@elsewhere.example>\n" in mail.body
            before += got


@pytest.mark.parametrize("octets", [b"a\rb", b"a\0b", b"\r.\r"])
def test_normalize_is_for_bare_lf_only(lenient, octets):
    before = lenient.all_files()
    with lenient.connect() as c:
        c.ehlo()
        begin(c)
        c.send(HEAD + octets + b"\r\n.\r\n")
        assert c.reply().says("550 5.5.2")
    assert lenient.all_files() == before


def test_normalize_is_for_exempt_clients_only(lenient):
    before = lenient.all_files()
    with lenient.connect("::1") as c:
        c.ehlo()
        begin(c)
        c.send(HEAD + b"\nmore\r\n.\r\n")
        assert c.reply().says("550 5.5.2")
        assert c.deliver("alice@example.org", new_message()).code == 250
    assert len(lenient.all_files()) == len(before) + 1
