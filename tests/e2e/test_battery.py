# SPDX-License-Identifier: ISC
"""The battery that must show zero (tests/battery/run.py), once over IPv4 in
clear, once over IPv6 with TLS and pipelining: a test for each case."""
import json
import os
import subprocess
import sys

import pytest

from postern import TOP

sys.path.append(os.path.join(TOP, "tests/battery"))
from every_case import CASES  # noqa: E402

RUN = os.path.join(TOP, "tests/battery/run.py")
WAYS = ("plain", "all")
pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module", name="results")
def fixture_results(tmp_path_factory):
    """What run.py found out."""
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork",
                       "true"], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        pytest.skip("no namespaces here")
    path = tmp_path_factory.mktemp("battery") / "results"
    result = subprocess.run(
        ["/usr/bin/python3", RUN, "--postern-only", "--json", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=600, check=False)
    print(result.stdout)
    assert path.exists(), result.stdout
    return json.loads(path.read_text())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("title", [t for t, c in CASES.items()
                                   if c.only in (None, "postern")])
def test_case(results, title, way):
    """Nothing to the victim, all or nobody, one answer each."""
    [case] = [r for r in results["cases"]
              if (r["title"], r["way"]) == (title, way)]
    assert case["answers"] and case["problems"] == [] and \
        case["victim"] == 0, case


def test_nothing_else(results):
    """No mailbox has what nobody sent; the sink has only our own user's."""
    assert results["stray"] == []
