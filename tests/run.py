#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Run every test and print "N passed, N failed" as the last line.

Stages, each of which counts its own tests and says how long it took:
  headers   every public header compiles by itself
  compile   gcc and clang, without a warning
  unit      cmocka programs: plain, sanitizers, valgrind
  fuzz      libFuzzer targets, FUZZ_SECONDS each (5; in CI 60)
  manuals   mandoc -T lint
  e2e       pytest: the real server, real clients
  soak      random cases with random faults, SOAK_MINUTES (3)
usage: run.py [STAGE ...]      without one: all of them

Programs of a stage run side by side, one per core (TEST_JOBS), longest
first; files of tests/e2e two per core, since they wait nine tenths of their
time. Stages do not overlap: the end-to-end tests wait on real clocks, and
nothing else may take the machine from them.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
N_JOBS = int(os.environ.get("TEST_JOBS") or os.cpu_count() or 2)
JOBS = f"-j{N_JOBS}"
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "5"))
# These run processes behind seccomp filters, which a sanitizer's or
# valgrind's own system calls do not get past.
BEHIND_SECCOMP = {"sanitizers": {"test_sandbox"},
                  "valgrind": {"test_sandbox", "test_deliver",
                               "test_programs", "test_container"}}
# Those that take longest under valgrind, so that they start first.
LONG_TESTS = ["test_dkim", "test_auth", "test_tls", "test_slots",
              "test_records", "test_check_auth", "test_deliver"]
# The files of tests/e2e that take longest, so that they start first.
LONG_FILES = ["test_battery", "test_recipients", "test_queue", "test_auth",
              "test_resolver",
              "test_silence", "test_sandbox", "test_milters",
              "test_faults_disk", "test_queue_kill", "test_replies",
              "test_relay_sts", "test_sendmail", "test_probe",
              "test_faults_client", "test_faults_kill"]
# with the sanitizers' build, some seconds each: hostile and large input
SANITIZED = {
    "test_queue": "ret or never or delivered or list or forged or refused",
    "test_relay": "arrives or parameters or never or utf8",
    "test_outbound": "list_copies or success or whole",
    "test_auth": "dovecot_scram",
}
passed = failed = 0
again = []              # files of tests/e2e that failed once
counting = threading.Lock()


def run(command, **options):
    return subprocess.run(command, cwd=TOP, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)


def side_by_side(function, items, per_core=1):
    """function(item) for each, as many at a time as there are cores."""
    with concurrent.futures.ThreadPoolExecutor(N_JOBS * per_core) as pool:
        for future in [pool.submit(function, item) for item in items]:
            future.result()


def long_first(names, long_ones):
    return [n for n in long_ones if n in names] + \
        [n for n in names if n not in long_ones]


def report(name, good, bad, output=""):
    global passed, failed
    with counting:
        passed += good
        failed += bad
        print(f"{'ok  ' if bad == 0 else 'FAIL'} {name}: {good} passed"
              + (f", {bad} failed" if bad else ""), flush=True)
        if bad:
            print(output[-6000:], flush=True)


def check(name, command, **options):
    """One command that must end with status 0."""
    result = run(command, **options)
    report(name, int(result.returncode == 0), int(result.returncode != 0),
           result.stdout)
    return result.returncode == 0


def make_variable(name, *arguments):
    result = run(["make", "-s", f"print-{name}", *arguments])
    return result.stdout.split()


def stage_headers():
    check("headers", ["make", "-s", "check-headers"])


def compiles(name, *arguments):
    result = run(["make", "-s", JOBS, "all", *arguments])
    warned = "warning:" in result.stdout
    bad = int(result.returncode != 0 or warned)
    report(f"compile {name}", 1 - bad, bad, result.stdout)


def stage_compile():
    compiles("gcc")
    compiles("clang", "CC=clang", "BUILD=build-clang")


def cmocka(name, command, environment=None, late=None):
    """One program. A list in late: valgrind makes it many times slower, and a
    machine that others use too makes it miss what it waits for, so a failed
    assertion is shown and the program noted there, to be run once more with
    nothing beside it. A finding of valgrind's is a failure at once.
    """
    try:
        result = run(command, env={**os.environ, **(environment or {})},
                     timeout=600)
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        report(name, 0, 1, f"still running after {error.timeout} s\n"
               + output.decode("utf-8", "replace"))
        return
    good = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", result.stdout)))
    bad = sum(map(int, re.findall(r"\[  FAILED  \] (\d+) test", result.stdout)))
    output = re.sub(r"^\[ (RUN|      OK) .*\n", "", result.stdout, flags=re.M)
    if bad and late is not None and not re.search(r"^==\d+==", output, re.M):
        print(f"AGAIN {name}: {bad} failed\n{output[-6000:]}", flush=True)
        late.append((name, command))
        return
    if result.returncode != 0 and bad == 0:
        bad = 1
    if good + bad == 0:
        bad = 1
    report(name, good, bad, output)


def unit_variant(label, build, make_arguments, wrapper=(), environment=None):
    late = []
    if not check(f"build unit tests ({label})",
                 ["make", "-s", JOBS, "unit", f"BUILD={build}",
                  *make_arguments]):
        return
    side_by_side(
        lambda test: cmocka(f"unit {test} ({label})",
                            [*wrapper, f"{build}/unit/{test}"], environment,
                            late if wrapper else None),
        [test for test in long_first(make_variable("UNIT_TESTS"), LONG_TESTS)
         if test not in BEHIND_SECCOMP.get(label, ())])
    for name, command in late:
        cmocka(name, command, environment)


def stage_unit():
    unit_variant("plain", "build", [])
    unit_variant("sanitizers", "build-san", ["SAN=1"], environment={
        "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"})
    unit_variant("valgrind", "build", [], wrapper=[
        "valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
        "--errors-for-leak-kinds=definite", "--child-silent-after-fork=yes",
        "--suppressions=tests/valgrind.supp"],
        environment={"UNDER_VALGRIND": "1"})


def fuzz(target):
    corpus = f"tests/fuzz/corpus/{target[len('fuzz_'):]}"
    work = f"build-fuzz/corpus/{target}"
    os.makedirs(os.path.join(TOP, work), exist_ok=True)
    os.makedirs(os.path.join(TOP, corpus), exist_ok=True)
    check(f"fuzz {target}, {FUZZ_SECONDS} s", [
        f"build-fuzz/fuzz/{target}", f"-max_total_time={FUZZ_SECONDS}",
        "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0",
        "-print_final_stats=0", f"-artifact_prefix=build-fuzz/{target}-",
        work, corpus])


def stage_fuzz():
    if check("build fuzz targets", ["make", "-s", JOBS, "fuzz"]):
        side_by_side(fuzz, make_variable("FUZZ_TARGETS"), per_core=3)


def stage_manuals():
    pages = [os.path.join("doc", p) for p in sorted(os.listdir(
        os.path.join(TOP, "doc"))) if re.search(r"\.[158]$", p)]
    check("manual pages", ["mandoc", "-T", "lint", "-W", "warning", *pages])


def sanitized(name):
    """The short ones of a file with the sanitizers' build: what they say in a
    log is a failure (postern.py)."""
    result = run(["/usr/bin/python3", "-m", "pytest", "-q", "--no-header",
                  "-p", "no:cacheprovider", "-k", SANITIZED[name],
                  f"tests/e2e/{name}.py"],
                 env={**os.environ, "POSTERN_BUILD": "build-san",
                      "UBSAN_OPTIONS": "print_stacktrace=1"})
    good = sum(map(int, re.findall(r"(\d+) passed", result.stdout)))
    report(f"e2e {name} (sanitizers)", good,
           int(result.returncode != 0 or good == 0), result.stdout)


def end_to_end(name, may_repeat=True):
    """One file of tests/e2e, in a pytest of its own. Many have deadlines, and
    a machine that others use too misses some: a file that fails is named,
    with its output, and counts as it does once more with nothing beside it.
    """
    if failed and os.environ.get("FAIL_FAST"):
        return
    began = time.monotonic()
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-rsfE", "--no-header",
               "-p", "no:cacheprovider", f"tests/e2e/{name}.py"]
    if os.environ.get("FAIL_FAST"):
        command.append("-x")
    result = run(command)
    lines = result.stdout.strip().splitlines()
    summary = lines[-1] if lines else ""
    counts = {k: int(n) for n, k in re.findall(
        r"(\d+) (passed|failed|error|skipped)", summary)}
    good = counts.get("passed", 0)
    bad = counts.get("failed", 0) + counts.get("error", 0)
    # a run that says nothing of itself has not been one
    if bad == 0 and (result.returncode != 0 or
                     good + counts.get("skipped", 0) == 0):
        bad = 1
    if bad and may_repeat and not os.environ.get("FAIL_FAST"):
        print(f"AGAIN e2e {name}: {summary}\n{result.stdout[-6000:]}",
              flush=True)
        again.append(name)
        return
    skips = [line for line in lines if line.startswith("SKIPPED")]
    report("\n".join([f"e2e {name}, {time.monotonic() - began:.0f} s", *skips]),
           good, bad, result.stdout)


def stage_e2e():
    make = ["make", "-s", JOBS, "all"]
    if not check("build", make) or not check(
            "build with fault points",
            [*make, "FAULTS=1", "BUILD=build-faults"]):
        return
    names = sorted(n[:-len(".py")] for n in os.listdir(
        os.path.join(TOP, "tests/e2e")) if re.match(r"test_.*\.py$", n))
    side_by_side(end_to_end, long_first(names, LONG_FILES), per_core=2)
    for name in again:
        end_to_end(name, may_repeat=False)
    if check("build with sanitizers", [*make, "SAN=1", "BUILD=build-san"]):
        side_by_side(sanitized, list(SANITIZED))


def stage_soak():
    """Counts as it counts itself (tests/soak/soak.py)."""
    result = run(["make", "-s", JOBS, "soak"], env={
        **os.environ, "SOAK_MINUTES": os.environ.get("SOAK_MINUTES") or "3"})
    last = re.search(r"(\d+) passed, (\d+) failed\s*\Z", result.stdout)
    good, bad = map(int, last.groups()) if last else (0, 1)
    report("soak", good, bad or int(result.returncode != 0), result.stdout)


STAGES = {"headers": stage_headers, "compile": stage_compile,
          "unit": stage_unit, "fuzz": stage_fuzz, "manuals": stage_manuals,
          "e2e": stage_e2e, "soak": stage_soak}


def main():
    wanted = sys.argv[1:] or list(STAGES)
    times = []
    for name in wanted:
        began = time.monotonic()
        STAGES[name]()
        times.append((name, time.monotonic() - began))
    print("seconds: " + ", ".join(f"{n} {t:.0f}" for n, t in times)
          + f", together {sum(t for _, t in times):.0f}")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
