# SPDX-License-Identifier: ISC
"""Both servers as they send mail on: from a client that may submit, through
the queue, to a sink on SINK. Each has an nsd of its own, in which every name
below dest.example has its MX there; Postfix asks it through unbound.
"""

import os
import subprocess

import servers
from checked import NSD, UNBOUND, ZONE_HEAD
from servers import HERE, write

SINK = "192.0.2.25"
SINK_PORT = 25
SENDER = "user0@example.test"
ZONE = """* MX 10 mx
mx A %s
""" % SINK
MAIN_CF = """
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
disable_dns_lookups = no
smtp_tls_security_level = none
"""
MASTER_CF = """smtp unix - - n - - smtp
relay unix - - n - - smtp
scache unix - - n - 1 scache
"""
START = """mount --bind "$folder" "$root/mnt"
chroot "$root" /usr/sbin/nsd -d -c /mnt/checks/nsd.conf &
"""
START_UNBOUND = \
    'chroot "$root" /usr/sbin/unbound -d -c /mnt/checks/unbound.conf &\n'


class Outbound:
    """What both have. Comes before the server in the list of bases."""

    nsd_port = None     # where its name server listens

    def prepare(self):
        super().prepare()
        servers.unpack(self.root)
        folder, port = self.folder + "/checks", self.nsd_port
        write(folder + "/dest.example.zone",
              ZONE_HEAD % "dest.example" + ZONE)
        write(folder + "/nsd.conf", NSD % port +
              'zone:\n    name: "dest.example"\n'
              '    zonefile: "dest.example.zone"\n')
        write(folder + "/unbound.conf", UNBOUND % port)


class OutboundPostfix(Outbound, servers.Postfix):
    instance = "postfix-outbound"
    nsd_port = 5304

    def prepare(self):
        super().prepare()
        write(self.root + "/etc/resolv.conf", "nameserver 127.0.0.1\n")

    def _complete(self, name, text):
        more = MAIN_CF if name == "main.cf" else MASTER_CF
        return super()._complete(name, text) + more

    def _helpers(self):
        return START + START_UNBOUND


class OutboundPostern(Outbound, servers.Postern):
    instance = "postern-outbound"
    nsd_port = 5305

    def _complete(self, text):
        text = text.replace("@DNS@", "127.0.0.1@%d" % self.nsd_port)
        text += """
listen "127.0.0.1:%d" { role = submission  tls = off }
submitter "127.0.0.0/8" { as = "%s" }
""" % (self.port + 20, SENDER)
        return super()._complete(text)

    def _helpers(self):
        return servers.BIND_DEVICES + START


def submit_port(server):
    return server.port + (20 if server.name == "postern" else 0)


class Sink:
    """Takes so many messages; wait() says when the last one was there."""

    def __init__(self, tools, messages):
        self.process = subprocess.Popen(
            [os.path.join(tools, "smtpsink"), "-a", SINK, "-n",
             str(messages), str(SINK_PORT)], stdout=subprocess.PIPE,
            text=True)

    def wait(self, timeout_s):
        """The wall clock's time in seconds, or None: not all have come."""
        try:
            output = self.process.communicate(timeout=timeout_s)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return None
        return float(output)
