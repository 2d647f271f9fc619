# SPDX-License-Identifier: ISC
"""clamd before the 250: the real one with a signature of its own, and fake
ones that are slow or talk rubbish. Each time the reply, the trail and the
mailbox."""
import base64
import io
import threading
import time
import zipfile

import pytest

from client import new_message
from filters import EICAR, Clamd, Fake, read_exactly, read_fildes
from postern import wait_until

CLEAN = "Nothing to see here.\n"


def section(clamd, keys="timeout = 10s"):
    """A section of postern.conf."""
    return 'clamd "%s" {{ %s }}\n' % (clamd.endpoint, keys)


def mime(*parts):
    """A multipart message: (fields, body) each."""
    text = "This is MIME.\n"
    for fields, body in parts:
        text += "--=_b\n%s\n\n%s\n" % (fields, body)
    return new_message(fields="MIME-Version: 1.0\n"
                       "Content-Type: multipart/mixed; boundary=\"=_b\"\n",
                       body=text + "--=_b--\n")


def attachment(data, name="a.bin"):
    """base64, in lines of 76."""
    return ("Content-Type: application/octet-stream; name=\"%s\"\n"
            "Content-Transfer-Encoding: base64\n"
            "Content-Disposition: attachment; filename=\"%s\"" % (name, name),
            base64.encodebytes(data).decode().strip())


def zipped(data, name="eicar.com", times=1):
    """data in a zip, in a zip ..."""
    for _ in range(times):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr(name, data)
        data, name = out.getvalue(), "inner.zip"
    return data


def trail(server, reply):
    """What posternctl says about the id in a reply."""
    return server.ctl("why", reply.text.rsplit("(", 1)[1].rstrip(")"))


@pytest.fixture(scope="module")
def clamd():
    daemon = Clamd(more="AlertEncrypted yes\nMaxFileSize 1M\n"
                   "MaxScanSize 1M\nAlertExceedsMax yes\n")
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def server(make_module_server, clamd):
    return make_module_server(checks=section(clamd))


def test_clean(server):
    before = len(server.mail("alice"))
    assert server.deliver("alice@example.org",
                          mime(("Content-Type: text/plain", CLEAN))).code \
        == 250
    assert len(server.mail("alice")) == before + 1


@pytest.mark.parametrize("message", [
    new_message(body=EICAR + "\n"),
    mime(("Content-Type: text/plain", CLEAN), attachment(EICAR.encode())),
    mime(attachment(zipped(EICAR.encode()))),
    mime(attachment(zipped(EICAR.encode(), times=3))),
], ids=["plain", "base64", "zip", "nested"])
def test_found(server, message):
    before = server.all_files()
    reply = server.deliver("alice@example.org", message)
    assert reply.code == 554, reply
    assert "5.7.1 virus found: Test.Eicar" in reply.text
    assert server.all_files() == before
    why = trail(server, reply)
    assert "virus" in why and "Test.Eicar" in why, why
