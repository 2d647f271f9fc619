# SPDX-License-Identifier: ISC
"""queue by itself: in, out, tried again, failed, reported, held."""
import email
import email.policy
import os
import time

import pytest

from queuelab import MESSAGE, QueueLab, VOUCH

QUICK = 'queue { retry_first = 1s retry_longest = 2s }'


@pytest.fixture(name="lab")
def fixture_lab():
    with QueueLab(QUICK) as lab:
        yield lab


def test_message_goes_out(lab):
    """Prepared, committed, noted in the ledger, tagged, sent, gone."""
    queue_id = lab.submit(["bob@example.net"])
    lab.wait(lambda: lab.arrived["bob@example.net"] == 1)
    job, = lab.jobs
    assert job.domain == "example.net"
    assert job.body == MESSAGE
    assert job.reverse_path == "prvs=0123abcdef=alice@example.org"
    assert lab.ledger == [("m1@example.org", "bob@example.net")]
    lab.wait(lab.is_empty)
    assert lab.mailboxes == {}
    assert lab.queue.events("sent")[0]["queue"] == queue_id
