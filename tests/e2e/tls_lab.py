# SPDX-License-Identifier: ISC
"""Certificates, and the host of an MTA-STS policy, for tests of relay."""
import hashlib
import http.server
import os
import ssl
import subprocess
import threading
import time

# its port is fixed: each process of tests has an address of its own
HTTPS = "127.77.%d.%d" % (os.getpid() >> 8 & 255, os.getpid() & 255 or 255)


class Authority:
    """A CA and what it signs."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.path = self.make("ca", "-x509", "-subj", "/CN=test CA")
        self.number = 0

    def run(self, *args):
        """openssl."""
        return subprocess.run(["openssl", *args], check=True,
                              capture_output=True, cwd=self.folder).stdout

    def make(self, stem, *args):
        """A new key, and a self-signed certificate."""
        self.run("req", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 stem + ".key", "-out", stem + ".pem", "-days", "30", *args)
        return os.path.join(self.folder, stem + ".pem")

    def sign(self, name, days=30):
        """(certificate with chain, key) for a name."""
        self.number += 1
        stem = "c%d" % self.number
        with open(os.path.join(self.folder, stem + ".ext"), "w",
                  encoding="ascii") as f:
            f.write("subjectAltName=%s:%s\n" % (
                "IP" if name[-1].isdigit() else "DNS", name))
        self.run("req", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 stem + ".key", "-out", stem + ".csr", "-subj", "/CN=x")
        self.run("x509", "-req", "-in", stem + ".csr", "-CA", "ca.pem",
                 "-CAkey", "ca.key", "-CAcreateserial", "-out",
                 stem + ".crt", "-days", str(days), "-extfile",
                 stem + ".ext")
        with open(os.path.join(self.folder, stem + ".pem"), "wb") as f:
            for part in (stem + ".crt", "ca.pem"):
                with open(os.path.join(self.folder, part), "rb") as g:
                    f.write(g.read())
        return tuple(os.path.join(self.folder, stem + end)
                     for end in (".pem", ".key"))

    def tlsa(self, pem, usage=3, selector=1, matching=1):
        """A TLSA record of the first certificate in a file."""
        der = self.run("x509", "-in", pem, "-outform", "DER") \
            if selector == 0 else self.run(
                "pkey", "-pubin", "-outform", "DER", "-in",
                self.public(pem))
        data = {0: lambda d: d, 1: lambda d: hashlib.sha256(d).digest(),
                2: lambda d: hashlib.sha512(d).digest()}[matching](der)
        return "%d %d %d %s" % (usage, selector, matching, data.hex())

    def public(self, pem):
        """The file of its public key."""
        path = pem + ".pub"
        with open(path, "wb") as f:
            f.write(self.run("x509", "-in", pem, "-noout", "-pubkey"))
        return path


class PolicyHost:
    """https://mta-sts.example.net, on HTTPS port 443."""

    def __init__(self, pair, text, status=200, kind="text/plain"):
        host = self
        self.text, self.status, self.kind = text, status, kind
        self.n = 0
        self.delay = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            """One document."""

            def do_GET(self):
                """Whatever is asked for."""
                host.n += 1
                host.path = self.path
                time.sleep(host.delay)
                self.send_response(host.status)
                self.send_header("Content-Type", host.kind)
                self.send_header("Location", "https://evil.example/")
                self.end_headers()
                self.wfile.write(host.text)

            def log_message(self, *_):
                """Quiet."""
        self.server = http.server.ThreadingHTTPServer((HTTPS, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def policy(mode, *hosts, age=86400):
    """A policy's text."""
    return ("version: STSv1\r\nmode: %s\r\n" % mode + "".join(
        "mx: %s\r\n" % h for h in hosts) + "max_age: %d\r\n" % age).encode()
