# SPDX-License-Identifier: ISC
"""Run by test_resolver.py in a network namespace: from_the_root.py FOLDER.

The addresses of the root's servers are on loopback, where one nsd has the
root zone; example.org is delegated to another one."""
import os
import subprocess
import sys

from compartment import ASK, Compartment, slice_of
from nameserver import Nsd, complete

# a.root-servers.net and its kin, as libunbound has them built in
ROOTS = ["198.41.0.4", "199.9.14.201", "170.247.170.2", "192.33.4.12",
         "199.7.91.13", "192.203.230.10", "192.5.5.241", "192.112.36.4",
         "198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129",
         "199.7.83.42", "202.12.27.33"]
CHILD = "203.0.113.53"


def start_servers(folder):
    """The two nsd."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in [*ROOTS, CHILD]:
        subprocess.run(["ip", "address", "add", address + "/32", "dev",
                        "lo"], check=True)
    servers = []
    root = """@ SOA a.root-servers.net. hostmaster.example. 1 60 60 60 60
@ NS a.root-servers.net.
a.root-servers.net. A 198.41.0.4
org NS ns.example.org.
example.org NS ns.example.org.
ns.example.org A %s
""" % CHILD
    for name, zones, addresses in (
            ("root", {".": root}, ROOTS),
            ("child", {"example.org": "@ MX 10 mx\nns A %s" % CHILD,
                       "org": "example NS ns.example.org."}, [CHILD])):
        place = os.path.join(folder, name)
        os.mkdir(place)
        servers.append(Nsd(place, {o: complete(o, t)
                                   for o, t in zones.items()}, addresses))
    return servers


def ask(folder):
    """The MX records of example.org, from a resolver without servers."""
    with open(os.path.join(folder, "resolv.conf"), "w", encoding="ascii"):
        pass
    # those of the machine are not seen here
    subprocess.run(["mount", "--bind", os.path.join(folder, "resolv.conf"),
                    "/etc/resolv.conf"], check=True)
    with Compartment("resolver", "resolver { dnssec = off }") as resolver:
        smtpd, control = resolver.start([("smtpd",), ("control",)])
        number = control.ask(ASK["RESOLVER_STATUS"], b"")
        status = control.answers([number])[number][1]
        assert b' servers="" ' in status or b" servers= " in status, status
        number = smtpd.ask(ASK["DNS_ASK"], b"\0\x0f" + slice_of(
            "example.org") + slice_of(""))
        return smtpd.answers([number])[number][1]


def main(folder):
    """Ends with a traceback unless the answer is right."""
    servers = start_servers(folder)
    try:
        answer = ask(folder)
        assert answer.endswith(slice_of(b"\0\x0amx.example.org")), answer
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    main(sys.argv[1])
