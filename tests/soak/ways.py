# SPDX-License-Identifier: ISC
"""How a client sends one message: over IPv4 or IPv6, in clear or under TLS,
by DATA or BDAT, with a command at a time or pipelined, with PRDR or HELO.

    way = Way(rng)                  drawn once for each message
    way.deliver(lab, sender, recipients, text, said)

is one try for those who have had no last word yet, as mail servers do it. said
is {recipient: [code of each try]}; None: none was read."""
import contextlib
import smtplib
import ssl

from client import Closed, wire

BROKEN = (OSError, Closed, smtplib.SMTPException, AssertionError, ValueError)
CONTEXT = ssl._create_unverified_context()
PEER = "127.0.0.2"      # relay_peer


def is_last(codes):
    """Whether these end with a last word."""
    return bool(codes) and codes[-1] is not None and (
        codes[-1] == 250 or codes[-1] >= 500)


class Way:
    """See the top of the file."""

    def __init__(self, rng, is_prdr=False, source=None):
        self.rng, self.source = rng, source
        self.host = "127.0.0.1" if source else rng.choice(
            ["127.0.0.1", "127.0.0.1", "::1"])
        self.is_helo = not is_prdr and rng.random() < 0.1
        self.is_tls = not self.is_helo and rng.random() < 0.25
        self.is_bdat = not self.is_helo and rng.random() < 0.4
        self.is_pipelined = not self.is_helo and rng.random() < 0.4
        self.params = " PRDR" if is_prdr else ""

    @contextlib.contextmanager
    def session(self, lab):
        """A client who has been greeted. His QUIT confirms what he read;
        what becomes of that is of no interest to him."""
        with lab.server.connect(self.host, timeout=60,
                                source=self.source) as client:
            if self.is_helo:
                client.expect("HELO client.example", "250")
            else:
                client.ehlo()
            if self.is_tls:
                client.expect("STARTTLS", "220")
                client.sock = CONTEXT.wrap_socket(client.sock)
                client.ehlo()
            yield client
            with contextlib.suppress(*BROKEN):
                client.command("QUIT")

    def deliver(self, lab, sender, recipients, text, said):
        """See the top of the file; what this try was told."""
        told = {r: None for r in recipients if not is_last(said[r])}
        try:
            with self.session(lab) as client:
                self.send(client, sender, list(told), text, told)
        except BROKEN:
            pass
        for recipient, code in told.items():
            said[recipient].append(code)
        return told

    # ---- the transaction ----

    def send(self, client, sender, recipients, text, told):
        """From MAIL to the last word of each, as far as it comes."""
        reply = self.envelope(client, sender, recipients, told)
        accepted = [r for r in recipients if told[r] == 250]
        if not accepted:
            if reply and reply.code == 354:     # it goes on all the same
                client.command(".")
            return
        told.update(dict.fromkeys(accepted))
        reply = self.bdat(client, text) if self.is_bdat else \
            self.data(client, text, reply)
        if reply.code == 353:
            for recipient in accepted:
                told[recipient] = client.reply().code
            client.reply()
        else:
            told.update(dict.fromkeys(accepted, reply.code))

    def envelope(self, client, sender, recipients, told):
        """Who is taken stands in told; the reply to DATA if it was sent."""
        lines = ["MAIL FROM:<%s>%s" % (sender, self.params)] + [
            "RCPT TO:<%s>" % r for r in recipients]
        reply = None
        if self.is_pipelined:
            lines += [] if self.is_bdat else ["DATA"]
            client.send("".join(line + "\r\n" for line in lines))
            replies = client.replies(len(lines))
            reply = None if self.is_bdat else replies.pop()
            codes = [r.code for r in replies]
        else:
            codes = [client.command(line).code for line in lines[:1]]
            if codes == [250]:
                codes += [client.command(line).code for line in lines[1:]]
        if codes[0] != 250:
            told.update(dict.fromkeys(recipients, codes[0]))
        else:
            told.update(zip(recipients, codes[1:]))
        return reply

    @staticmethod
    def data(client, text, reply=None):
        """The reply to the dot, or to DATA. reply: that to DATA."""
        reply = reply or client.command("DATA")
        if reply.code == 354:
            client.send(wire(text))
            reply = client.reply()
        return reply

    def bdat(self, client, text):
        """Chunks, of which some are empty: the first reply that is not 250,
        or the last one."""
        octets = text if isinstance(text, bytes) else text.encode()
        cuts = sorted(self.rng.randrange(len(octets) + 1)
                      for _ in range(self.rng.randint(0, 4)))
        cuts += [len(octets)] * self.rng.randint(1, 2)
        begin, lines = 0, []
        for i, end in enumerate(cuts):
            lines.append(b"BDAT %d%s\r\n" % (
                end - begin, b" LAST" * (i == len(cuts) - 1)) +
                octets[begin:end])
            begin = end
        if self.is_pipelined:
            client.send(b"".join(lines))
            replies = client.replies(len(lines))
            return next((r for r in replies if r.code != 250), replies[-1])
        for line in lines:
            client.send(line)
            reply = client.reply()
            if reply.code != 250:
                break
        return reply
