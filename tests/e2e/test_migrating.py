# SPDX-License-Identifier: ISC
"""What doc/migrating.md shows can be loaded."""
import os
import re

import pytest

from certificates import make_certificate
from postern import IS_ROOT, TOP, Server
from test_submission import make_keys

with open(os.path.join(TOP, "doc", "migrating.md"), encoding="utf-8") as page:
    BLOCKS = re.findall("^## (.*?)$|^```conf\n(.*?)^```$", page.read(),
                        re.M | re.S)
CASES, title = {}, None
for heading, block in BLOCKS:
    title = heading or title
    if block:
        CASES[title] = block
# what an example takes for granted
PASSWD = 'domain "example.org" {{ users = "passwd" }}\n'
FRONT = 'domain "example.com" {{ next_hop = "lmtp:unix:/run/dovecot/lmtp" }}\n'
HEAD = """hostname = "mx.example.org"
postmaster = "postern-test@example.org"
state_dir = "{folder}/state"
listen "127.0.0.1:{port}" {{ role = mx }}
tls "mx.example.org" {{
    certificate = "{folder}/mx.pem"  key = "{folder}/mx.key" }}
"""


def test_there_are_examples():
    assert len(CASES) >= 7


@pytest.mark.skipif(not IS_ROOT, reason="mailboxes of others need root")
@pytest.mark.parametrize("name", CASES)
def test_example(name):
    """No error; warnings are about what this machine has not."""
    block = CASES[name]
    server = Server()
    try:
        make_certificate(server.folder, "mx")
        make_keys(server.folder)
        os.rename(server.folder + "/rsa.pem", server.folder + "/dkim.pem")
        server.write("users.example.com", "alice\nbob\n")
        server.write("aliases.example.com", "info: alice\n")
        server.write("aliases", "root: postern-test\n")
        server.write("password", "secret\n")
        text = HEAD
        if 'domain "example.org"' not in block:
            text += PASSWD.replace("}}", 'aliases = "/etc/aliases" }}')
        if 'domain "example.com"' not in block:
            text += FRONT
        text = server.fill(text) + block.replace('"vmail"', '"mail"')
        text = re.sub('/etc/(postern/)?', server.folder + "/", text)
        server.write("postern.conf", "min_uid = 1\n" + text)
        code, said = server.check()
        assert code == 0, said
        for words in ("does nothing", "is no user", "has no mailbox"):
            assert words not in said, said
    finally:
        server.close()
