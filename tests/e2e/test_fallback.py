# SPDX-License-Identifier: ISC
"""A domain with users here and others at another host (fallback): that host
is asked about whom nobody here knows, and its answer counts. While it cannot
be asked nobody is unknown."""
import contextlib

from client import new_message
from filters import Program
from postern import DEFAULT_ALIASES, Server, free_port, wait_until
from relay_lab import USUAL, Sink
from test_forward import Front
from test_submission import ALICE, Lab, message


class Split(Front):
    """A server whose example.org has a fallback, and that host."""

    def __init__(self, replies=None, port=None, **options):
        self.sink = Sink(replies)
        self.server = Server(
            domain_keys='fallback = "smtp:[127.0.0.1]:%d"\n' % (
                port or self.sink.port), **options)
        self.server.start()


def only_over(word, name):
    """A sink's answer to RCPT: word to this name."""
    return {"rcpt": lambda _, to: word if name in to else USUAL}


def test_who_is_not_here_is_asked_about_there():
    """Users, aliases, plus-addresses and postmaster stay here."""
    with Split(only_over("550 5.1.1 no such user", "nobody"),
               aliases=DEFAULT_ALIASES + "info: alice\n") as lab:
        for name in ("alice", "alice+tag", "info", "postmaster", "abuse"):
            assert lab.server.rcpt(name + "@example.org").code == 250
        assert not lab.sink.commands
        reply = lab.server.deliver(["alice@example.org",
                                    "zoe@example.org"], new_message())
        assert reply.says("250"), reply
        assert len(lab.server.mail("alice")) == 1
        sent, = lab.sink.messages
        assert sent.recipients == ["TO:<zoe@example.org>"]
        reply = lab.server.rcpt("nobody@example.org")
        assert reply.says("550 5.1.1") and "no such user" in repr(reply)
        # the one message is the one that a mailbox has
        assert b"for <" not in sent.text.split(b"\r\n\r\n")[0]


def test_the_answer_to_the_message_counts():
    with Split({"dot": "554 5.6.0 rotten"}) as lab:
        reply = lab.server.deliver(["alice@example.org",
                                    "zoe@example.org"], new_message())
        assert reply.says("451 4.6.0"), reply    # one of two
        assert not lab.server.mail("alice")
        reply = lab.server.deliver(["yan@example.org"], new_message())
        assert reply.says("554 5.6.0"), reply


def test_while_it_is_down_nobody_is_unknown():
    with Split(port=free_port()) as lab:
        assert lab.server.rcpt("zoe@example.org").says("451 4.4.1")
        assert lab.server.rcpt("alice@example.org").code == 250


def test_an_alias_to_somebody_there():
    """By a whole address; a bare name that nobody here has is a mistake."""
    with Split(aliases=DEFAULT_ALIASES +
               "z: zoe@example.org\nboth: alice, zoe@example.org\n"
               "wrong: zoe\n") as lab:
        assert lab.server.deliver(["both@example.org"],
                                  new_message()).says("250")
        assert len(lab.server.mail("alice")) == 1
        assert lab.server.deliver(["z@example.org"],
                                  new_message()).says("250")
        assert [m.recipients for m in lab.sink.messages] == [
            ["TO:<zoe@example.org>"]] * 2
        assert lab.server.rcpt("wrong@example.org").says("451 4.2.4")
        code, said = lab.server.check()
        assert code == 1 and '"zoe" is no user or alias' in said


def test_how_it_is_explained():
    with Split() as lab:
        told = lab.server.ctl("route", "zoe@example.org")
        assert "asked at smtp:[127.0.0.1]:%d" % lab.sink.port in told
        assert lab.server.check()[0] == 0
        assert "if that server accepts recipients that it does not have" in \
            " ".join(lab.server.check()[1].split())


def test_a_bounce_with_a_tag_that_is_not_ours():
    """Mail of the users there leaves by that host, which has its own keys."""
    with Split() as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<>", "250")
            client.expect("RCPT TO:<prvs=3021abcdef=zoe@example.org>", "250")
            client.expect("RSET", "250")
            client.expect("MAIL FROM:<>", "250")
            reply = client.command(
                "RCPT TO:<prvs=3021abcdef=alice@example.org>")
            # nobody here says that it is alice's
            assert "prvs=3021abcdef=alice" in lab.sink.commands[-2] or \
                reply.code == 550, reply
        assert not lab.server.mail("alice")


def test_a_bounce_to_a_forward_that_is_not_ours():
    """The host there forwards in the name of the domain, too."""
    address = "SRS0=HHHHHH=2A=good.example=bob@example.org"
    with Split(only_over("550 5.1.1 not made here", "=ann")) as lab:
        with lab.server.connect() as client:
            client.ehlo()
            client.expect("MAIL FROM:<>", "250")
            client.expect("RCPT TO:<%s>" % address, "250")
            assert "RCPT TO:<%s>" % address in lab.sink.commands
            client.expect("RSET", "250")
            client.expect("MAIL FROM:<>", "250")
            client.expect("RCPT TO:<%s>" % address.replace("=bob", "=ann"),
                          "550 5.1.1")


def test_our_own_users_mail_is_queued_for_it():
    with Sink() as there:
        lab = Lab()
        lab.server.write_config(domain_keys=lab.server.pieces["domain_keys"]
                                + 'fallback = "smtp:[127.0.0.1]:%d"\n'
                                % there.port)
        with lab:
            code, said = lab.send(["zoe@example.org", ALICE], message())
            assert code == 250, said
            wait_until(lambda: there.messages, 20, "zoe's copy")
            assert there.messages[0].recipients == ["TO:<zoe@example.org>"]
            assert len(lab.server.mail("alice")) == 1
            # its report comes home
            there.replies["rcpt"] = "550 5.1.1 no such user"
            code, said = lab.send("yan@example.org", message())
            assert code == 250, said
            wait_until(lambda: len(lab.server.mail("alice")) == 2, 20,
                       "the report")
            assert "yan@example.org" in \
                lab.server.mail("alice")[-1].raw.decode()


def test_bounces_of_what_leaves_by_the_host_there():
    """They prove nothing to us: the operator has to say that they pass."""
    with Lab() as lab:
        server, word = lab.server, "bounces to the users at the fallback of"
        keys = server.pieces["domain_keys"]
        assert word not in server.check()[1]
        keys += 'fallback = "smtp:[127.0.0.1]:%d"\n' % free_port()
        server.write_config(domain_keys=keys)
        assert word in server.check()[1]
        server.write_config(domain_keys=keys,
                            checks="untagged_bounces = accept")
        assert word not in server.check()[1]


def test_our_own_users_milter_adds_somebody_there():
    """A copy goes there as it would to anybody else; never a stranger's."""
    with Sink() as there, contextlib.closing(Program()) as milter:
        lab = Lab(checks='milter "%s" {{ }}' % milter.endpoint)
        lab.server.write_config(domain_keys=lab.server.pieces["domain_keys"]
                                + 'fallback = "smtp:[127.0.0.1]:%d"\n'
                                % there.port)
        asks = "X-Do: rcpt zoe@example.org\r\n"
        with lab:
            code, said = lab.send(ALICE, message(more=asks))
            assert code == 250, said
            wait_until(lambda: there.messages, 20, "zoe's copy")
            assert there.messages[0].recipients == ["TO:<zoe@example.org>"]
            reply = lab.server.deliver([ALICE], message(more=asks))
            assert reply.says("451 4.3.0"), reply


def test_a_reload_brings_it_and_takes_it_away():
    with Sink() as there:
        server = Server().start()
        with contextlib.closing(server):
            assert server.rcpt("zoe@example.org").says("550 5.1.1")
            server.write_config(domain_keys='fallback = "smtp:[127.0.0.1]:%d"'
                                "\n" % there.port)
            server.reload()
            assert server.rcpt("zoe@example.org").code == 250
            server.write_config(domain_keys="")
            server.reload()
            assert server.rcpt("zoe@example.org").says("550 5.1.1")


def test_who_is_lost_from_a_table_is_not_asked_about():
    """Half of the users at once: until that is accepted they might be here,
    which is no question to another host."""
    users = ["alice", "bob"] + ["u%d" % i for i in range(10)]
    with Split(users="\n".join(users) + "\n") as lab:
        lab.server.write("users", "\n".join(users[:4]) + "\n")
        wait_until(lambda: lab.server.rcpt("u7@example.org").says(
            "451 4.4.3"), 20, "the guard", every=0.3)
        assert lab.server.rcpt("zoe@example.org").code == 250
        assert not [c for c in lab.sink.commands if "u7" in c]
        lab.server.ctl("tables", "accept")
        assert lab.server.rcpt("u7@example.org").code == 250
        assert [c for c in lab.sink.commands if "u7" in c]
