# SPDX-License-Identifier: ISC
"""Certificates for tests, made by openssl, and what clients see of them."""
import os
import re
import ssl
import subprocess

KINDS = {
    "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ec384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "rsa": ["rsa:2048"],
    "ed25519": ["ed25519"],
    "ed448": ["ed448"],
    "secp256k1": ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
}


def make_certificate(folder, stem, name="mx.example.org", kind="ec", days=30):
    """A self-signed certificate STEM.pem and its key STEM.key; its section
    tls. A negative number of days is over."""
    pem, key = (os.path.join(folder, stem + end) for end in (".pem", ".key"))
    new = ["openssl", "req", "-newkey", *KINDS[kind], "-nodes", "-keyout",
           key + ".new", "-subj", "/CN=" + name]
    extension = "subjectAltName=DNS:" + name
    if days >= 0:
        subprocess.run([*new, "-x509", "-out", pem + ".new", "-days",
                        str(days), "-addext", extension], check=True,
                       capture_output=True)
    else:
        made_up(folder, new, pem, key, extension)
    os.chmod(key + ".new", 0o600)
    os.rename(key + ".new", key)
    os.rename(pem + ".new", pem)
    return section(name, pem, key)


def made_up(folder, new, pem, key, extension):
    """One that expired long ago: `openssl ca` takes any dates."""
    request = pem + ".csr"
    subprocess.run([*new, "-out", request], check=True, capture_output=True)
    config = os.path.join(folder, "ca.conf")
    database = os.path.join(folder, "ca.index")
    for path, text in ((database, ""), (config, """[ca]
default_ca = d
[d]
database = %s
rand_serial = yes
new_certs_dir = %s
default_md = sha256
policy = p
x509_extensions = e
[p]
commonName = supplied
[e]
%s
""" % (database, folder, extension.replace("=", " = ")))):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", config,
                    "-in", request, "-keyfile", key + ".new", "-out",
                    pem + ".new", "-startdate", "20200101000000Z",
                    "-enddate", "20200201000000Z"], check=True,
                   capture_output=True)


def section(name, pem, key):
    """The section tls, with braces as Server.fill wants them."""
    return 'tls "%s" {{ certificate = "%s"  key = "%s" }}\n' % (
        name, pem, key)


def context(version=None, ciphers=None):
    """A client's SSLContext that takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    if ciphers:
        made.set_ciphers(ciphers)
    return made


def starttls(client, name=None, **options):
    """STARTTLS on a Client, and the handshake."""
    client.expect("STARTTLS", "220")
    assert not client.buffer, "%r behind the 220" % client.buffer
    client.sock = context(**options).wrap_socket(client.sock,
                                                 server_hostname=name)
    return client


def fingerprint(path):
    """SHA-256 of a certificate in a PEM file."""
    with open(path, encoding="ascii") as f:
        text = f.read()
    pem = re.search("-----BEGIN CERTIFICATE-----.*?"
                    "-----END CERTIFICATE-----", text, re.S).group(0)
    return ssl.PEM_cert_to_DER_cert(pem)


def shown(client):
    """The certificate that a connected client was shown."""
    return client.sock.getpeercert(binary_form=True)
