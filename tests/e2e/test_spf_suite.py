# SPDX-License-Identifier: ISC
"""SPF over real DNS answers: the suites of RFC 7208 and RFC 4408.

Each scenario's zone is served by tests/spf/dns_server.py; build/tests/
spf_suite looks up what policy's SPF wants, through libunbound, and says
what came out. Results and explanations are compared; the score is printed.
"""
import os
import subprocess
import sys

import pytest
import yaml

import postern

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "spf"))

import dns_server  # noqa: E402

SUITE = os.path.join(postern.BUILD, "tests", "spf_suite")


@pytest.fixture(scope="module", autouse=True)
def spf_suite():
    """The program is no part of what is installed: it is made here."""
    subprocess.run(["make", "-s", "BUILD=" + postern.BUILD, SUITE], cwd=TOP,
                   check=True)


LEAST = {"rfc7208-tests.yml": 200, "rfc4408-tests.yml": 180}
# Why an answer differs from the suite's, on purpose.
REASONS = {"rfc7208-tests.yml": {}, "rfc4408-tests.yml": {}}


def scenarios(file_name):
    path = os.path.join(TOP, "tests", "data", "spf", file_name)
    with open(path, encoding="utf-8") as suite:
        return list(yaml.safe_load_all(suite))


def run_scenario(scenario):
    """{test: (result, explanation, problem)}"""
    server = dns_server.Server(scenario["zonedata"])
    lines = "".join(
        "\t".join([name, test["host"], test["helo"], test["mailfrom"]]) + "\n"
        for name, test in scenario["tests"].items())
    try:
        done = subprocess.run([SUITE, server.address], input=lines, text=True,
                              capture_output=True, timeout=300, check=False)
    finally:
        server.close()
    assert done.returncode == 0, done.stderr
    assert server.asked > 0
    answers = {}
    for line in done.stdout.splitlines():
        name, result, explanation, _, problem = line.split("\t")
        answers[name] = (result, explanation, problem)
    return answers


def differs(test, answer):
    wanted = test["result"]
    if answer[0] not in (wanted if isinstance(wanted, list) else [wanted]):
        return "%s, not %s (%s)" % (answer[0], wanted, answer[2])
    if "explanation" in test:
        text = "" if test["explanation"] == "DEFAULT" else test["explanation"]
        if answer[1] != text:
            return "explanation %r, not %r" % (answer[1], text)
    return None


@pytest.mark.parametrize("file_name", sorted(LEAST))
def test_suite(file_name, capsys):
    n_tests, differences = 0, {}
    for scenario in scenarios(file_name):
        answers = run_scenario(scenario)
        for name, test in scenario["tests"].items():
            n_tests += 1
            difference = differs(test, answers[name])
            if difference:
                differences[name] = difference
    n_right = n_tests - len(differences)
    with capsys.disabled():
        print("\n%s: %d of %d cases agree" % (file_name, n_right, n_tests))
        for name, difference in differences.items():
            print("  %s: %s\n    because %s" % (
                name, difference, REASONS[file_name].get(name, "UNKNOWN")))
    assert n_right >= LEAST[file_name]
    assert set(differences) == set(REASONS[file_name])
