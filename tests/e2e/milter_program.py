#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A milter on libmilter (python3-milter) that does what a message says.

    milter_program.py SOCKET LOG [STAGE=WHAT ...]

Each callback is a line of JSON in LOG, with the macros that were there. What
is answered at a stage comes from the command line (connect=reject), from the
local part of the sender ("mail-reject", "rcpt-reject"), or from a field
"X-End: what"; changes come from fields "X-Do: action argument".
"""
import json
import sys
import time

import Milter

SOCKET, LOG = sys.argv[1], sys.argv[2]
AT = dict(word.split("=", 1) for word in sys.argv[3:])
MACROS = ("j", "i", "{client_addr}", "{client_name}", "{daemon_name}",
          "{daemon_port}", "{if_addr}", "{mail_addr}", "{mail_host}",
          "{mail_mailer}", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}",
          "_", "v", "{client_port}", "{client_ptr}", "{client_resolve}",
          "{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}",
          "{cert_issuer}")


class Program(Milter.Base):
    """One session."""

    def __init__(self):
        self.number = Milter.uniqueID()
        self.begin()

    def begin(self):
        """A new message."""
        self.sender, self.end = "", ""
        self.todo, self.octets = [], b""

    def note(self, what, *arguments):
        """A line in the log."""
        macros = {m: self.getsymval(m) for m in MACROS}
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps({
                "what": what, "n": self.number,
                "args": [a if isinstance(a, (str, int)) else str(a)
                         for a in arguments],
                "macros": {k: v for k, v in macros.items() if v}}) + "\n")

    def say(self, stage):
        """What this stage answers."""
        what = self.end if stage == "eom" and self.end else AT.get(stage, "")
        if self.sender.startswith(stage + "-"):
            what = self.sender.split("@")[0][len(stage) + 1:]
        replies = {
            "code": ("550", "5.7.9", "no, says " + stage),
            "lines": ("554", "5.7.8", "one of " + stage, "two 100%%", "three"),
            "later": ("452", "4.2.2", "not now"),
            "close": ("421", "4.7.0", "go away"),
        }
        if what in replies:
            self.setreply(*replies[what])
            return Milter.REJECT if replies[what][0] > "500" \
                else Milter.TEMPFAIL
        return {"reject": Milter.REJECT, "tempfail": Milter.TEMPFAIL,
                "accept": Milter.ACCEPT, "discard": Milter.DISCARD,
                }.get(what, Milter.CONTINUE)

    def connect(self, name, family, address):
        self.note("connect", name, family, address)
        return self.say("connect")

    def hello(self, name):
        self.note("helo", name)
        return self.say("helo")

    def envfrom(self, address, *arguments):
        self.begin()
        self.sender = address.strip("<>")
        self.note("mail", address, *arguments)
        return self.say("mail")

    def envrcpt(self, address, *arguments):
        self.note("rcpt", address, *arguments)
        return self.say("rcpt") if "alice" in address else Milter.CONTINUE

    def data(self):
        self.note("data")
        return self.say("data")

    def unknown(self, line):
        self.note("unknown", line)
        return self.say("unknown")

    def header(self, name, value):
        self.note("header", name, value)
        if name == "X-Do":
            self.todo.append(value.split(None, 1) + [""])
        if name == "X-End":
            self.end = value
        return self.say("header")

    def eoh(self):
        self.note("eoh")
        return self.say("eoh")

    def body(self, chunk):
        self.octets += chunk
        return self.say("body")

    def eom(self):
        self.note("eom", len(self.octets), self.octets.count(b"\r\n"),
                  self.octets.count(b"\n"))
        for action, argument, *_ in self.todo:
            getattr(self, "do_" + action)(argument)
        return self.say("eom")

    def abort(self):
        self.note("abort")
        return Milter.CONTINUE

    def close(self):
        self.note("close")
        return Milter.CONTINUE

    # ---- what a message can ask for ----

    def do_add(self, argument):
        name, value = argument.split("=", 1)
        self.addheader(name, value.replace("\\n", "\n\t"))

    def do_insert(self, argument):
        name, value = argument.split("=", 1)
        self.addheader(name, value, 0)

    def do_change(self, argument):
        name, value = argument.split("=", 1)
        self.chgheader(name, 1, value)

    def do_body(self, argument):
        self.replacebody(argument.replace("\\n", "\r\n") + "\r\n")

    def do_join(self, argument):
        self.replacebody(argument.replace(" ", "") + "\r\n")

    def do_rcpt(self, argument):
        self.addrcpt(argument)

    def do_rcptargs(self, argument):
        self.addrcpt(argument, "NOTIFY=NEVER")

    def do_unrcpt(self, argument):
        self.delrcpt(argument)

    def do_from(self, argument):
        self.chgfrom(argument)

    def do_hold(self, argument):
        self.quarantine(argument)

    def do_progress(self, argument):
        for _ in range(int(argument)):
            time.sleep(0.5)
            self.progress()


Milter.factory = Program
Milter.set_flags(Milter.ADDHDRS + Milter.CHGBODY + Milter.CHGHDRS +
                 Milter.ADDRCPT + Milter.DELRCPT + Milter.QUARANTINE +
                 Milter.CHGFROM + Milter.ADDRCPT_PAR)
Milter.runmilter("program", SOCKET, 60)
