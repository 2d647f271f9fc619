# SPDX-License-Identifier: ISC
"""Listeners: bound, handed over, taken by somebody else, added, removed."""
import os
import re
import signal
import socket
import sys
import time

from client import new_message
from postern import free_port, wait_until

# A program that runs the words behind it where nobody may have a socket of
# IPv6, as behind RestrictAddressFamilies= of systemd.
NO_IPV6 = [sys.executable, "-c", """
import ctypes, os, socket, sys

class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operation", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

ALLOW, ERRNO, EQUAL, EAFNOSUPPORT = 0x7fff0000, 0x00050000, 4, 97
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(library.seccomp_init(ALLOW))
call = library.seccomp_syscall_resolve_name(b"socket")
if library.seccomp_rule_add_array(
        rules, ERRNO | EAFNOSUPPORT, call, 1,
        ctypes.byref(Compare(0, EQUAL, socket.AF_INET6, 0))) or \
        library.seccomp_load(rules):
    sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
"""]


def configuration(server):
    with open(server.config_path, encoding="utf-8") as f:
        return f.read()


def listen_at(server, address):
    """Write that this is its one listener."""
    server.write("postern.conf", re.sub(
        r'(?m)^listen "127.*$', 'listen "%s:%d" { role = mx }' %
        (address, server.port), re.sub(r'(?m)^listen "\[::1.*\n', "",
                                       configuration(server))))


def test_reload_adds_and_removes_listeners_and_domains(make_server):
    server = make_server()
    port = free_port()
    server.write_config(settings='listen "127.0.0.1:%d" {{ role = mx }}\n'
                        % port, more="""
domain "later.example" {{
    users = "table:{folder}/users"
    mailbox = "{folder}/mail/%d/%u/Maildir"
    {owner}
}}
""")
    assert server.rcpt("alice@later.example").says("550 5.7.1")
    server.reload()

    def is_new():
        try:
            with socket.create_connection(("127.0.0.1", port), 2):
                return server.rcpt("alice@later.example").code == 250
        except OSError:
            return False
    wait_until(is_new, 15, "the new listener and domain", every=0.2)
    server.wait_event("drained")
    server.write_config(settings="", more="")
    server.reload()

    def is_gone():
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return False
        except ConnectionRefusedError:
            return server.rcpt("alice@later.example").says("550 5.7.1")
    wait_until(is_gone, 15, "end of the listener", every=0.2)


def test_reload_to_an_address_within_another(make_server):
    """From all addresses to some of them and back, on one port, while a
    session of before goes on."""
    server = make_server(start=False)
    some = configuration(server)
    listen_at(server, "*")
    every = configuration(server)
    server.start()
    for config in (some, every):
        with server.connect() as before:
            server.write("postern.conf", config)
            server.reload()
            for host in ("127.0.0.1", "::1"):
                with server.connect(host) as client:
                    client.quit()
            before.ehlo()
            before.quit()
        wait_until(lambda: not server.events("cannot_listen") and
                   len(server.events("drained")) ==
                   len(server.events("reloaded")), what="end of the old one")


def test_port_in_use_is_said(make_server):
    server = make_server(start=False)
    server.may_crash = True         # it may well give up
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        server.launch()
        wait_until(lambda: "EADDRINUSE" in server.log_text(), 20,
                   "EADDRINUSE in the log")


def test_a_port_that_is_given_back_late(make_server):
    """As by a child of a server that was killed a moment ago."""
    server = make_server(start=False)
    with socket.create_server(("127.0.0.1", server.port)):
        server.launch()
        wait_until(lambda: os.path.exists(
            os.path.join(server.folder, "state", "postern.lock")), 10,
            "a start")
        time.sleep(0.2)
        assert server.process.poll() is None, server.log_text()
    server.wait_event("ready")
    assert server.deliver("alice@example.org", new_message()).code == 250


def test_socket_activation(make_server):
    """Descriptors of systemd are used; nothing else is bound there."""
    server = make_server(start=False)
    four = socket.socket()
    six = socket.socket(socket.AF_INET6)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    for s, host in ((four, "127.0.0.1"), (six, "::1")):
        s.bind((host, server.port))
        s.listen(10)

    def hand_over():
        fds = [os.dup2(os.dup(s.fileno()), 100 + i, True)
               for i, s in enumerate((four, six))]
        for i, fd in enumerate(fds):
            os.dup2(fd, 3 + i, True)
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.environ["LISTEN_FDS"] = "2"
    log = open(server.log_path, "ab")
    pid = os.fork()
    if pid == 0:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        hand_over()
        words = server.command("postern", "-f", server.config_path)
        os.execv(words[0], words)
    log.close()
    try:
        server.wait_event("ready", 30)
        for host in ("127.0.0.1", "::1"):
            with server.connect(host) as c:
                assert c.greeting.code == 220
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        four.close()
        six.close()
    assert "EADDRINUSE" not in server.log_text()


# ---- a host without IPv6 ----

def test_every_address_of_a_host_without_ipv6(make_server):
    server = make_server(start=False)
    listen_at(server, "*")
    server.launcher = NO_IPV6
    server.start()
    assert server.rcpt("alice@example.org").code == 250


def test_ipv6_alone_on_a_host_without_it(make_server):
    """It does not run as if somebody could connect."""
    server = make_server(start=False)
    server.may_crash = True
    listen_at(server, "[::]")
    server.launcher = NO_IPV6
    server.launch()
    server.wait_event("cannot_listen", address="::", error="EAFNOSUPPORT")
    wait_until(lambda: server.process.poll() is not None, what="its end")
    assert server.process.returncode == 1
    assert not server.events("ready")
