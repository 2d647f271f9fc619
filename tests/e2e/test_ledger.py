# SPDX-License-Identifier: ISC
"""The ledger by itself (tests/bench/ledger_drive.c): all that was committed is
there after a kill, what is too old goes and nothing else, without stalls.
`make bench` does it with a million records; the size here stands for that."""
import os
import subprocess
import tempfile

import postern

RECORDS = 40000
DRIVE = os.path.join(postern.BUILD, "bench", "ledger_drive")


def test_noted_killed_expired():
    subprocess.run(["make", "-s", "BUILD=" + postern.BUILD, DRIVE],
                   cwd=postern.TOP, check=True)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([DRIVE, folder + "/db", str(RECORDS), "20"],
                              capture_output=True, text=True, timeout=300,
                              check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") == 6, done.stdout
    assert " are missing" in done.stdout and "are left" in done.stdout
