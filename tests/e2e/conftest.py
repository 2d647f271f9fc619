# SPDX-License-Identifier: ISC
"""Fixtures of the end-to-end tests; see postern.py and client.py."""
import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import types

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import postern  # noqa: E402
import programs  # noqa: E402

STARTED = []


def pytest_collection_modifyitems(items):
    """needs_root marks what a plain user cannot arrange."""
    skip = pytest.mark.skip(reason="needs root: uids, owners or mounts")
    for item in items:
        if item.get_closest_marker("needs_root") and not postern.IS_ROOT:
            item.add_marker(skip)


def pytest_configure(config):
    config.addinivalue_line("markers", "needs_root: cannot run without root")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its servers' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in STARTED:
            text = server.log_text()
            if text:
                report.sections.append((
                    "log of %s" % server.folder, text[-6000:]))


def ensure_user(name):
    """A user without a home and with a uid that may own mailboxes."""
    with open("/tmp/postern-e2e-users.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            pwd.getpwnam(name)
        except KeyError:
            subprocess.run(["useradd", "--user-group", "--no-create-home",
                            "--home-dir", "/nonexistent", "--shell",
                            "/usr/sbin/nologin", name], check=True)


@pytest.fixture(scope="session", autouse=True)
def system_users():
    """The compartments' users and the owners of mailboxes."""
    if postern.IS_ROOT:
        subprocess.run([os.path.join(postern.TOP, "tests/make-users.sh")],
                       check=True)
        ensure_user(postern.OWNER)
        ensure_user(postern.OTHER_OWNER)


@pytest.fixture(scope="module", autouse=True)
def name_servers():
    """Behind all other fixtures: where a server cannot start, most of them
    do not come to their end."""
    yield
    if "nameserver" in sys.modules:
        sys.modules["nameserver"].close_left()


def make_factory():
    """A function that makes servers, and one that ends them all."""
    made = []

    def factory(start=True, **options):
        server = postern.Server(**options)
        made.append(server)
        STARTED.append(server)
        return server.start() if start else server

    def finish():
        problems = []
        for server in made:
            try:
                server.stop()
                if server.problems():
                    problems.append(server.log_text()[-6000:])
            finally:
                server.close()
                STARTED.remove(server)
        assert not problems, "something died or misbehaved:\n" + \
            "\n".join(problems)
    return factory, finish


@pytest.fixture
def make_server():
    """make_server(**Server's options): started unless start=False."""
    factory, finish = make_factory()
    yield factory
    finish()


@pytest.fixture(scope="module")
def make_module_server():
    """The same for a server that the tests of a module share."""
    factory, finish = make_factory()
    yield factory
    finish()


@pytest.fixture(scope="module", name="machine")
def make_machine():
    """A Machine of programs.py, with its server."""
    if not postern.IS_ROOT:
        pytest.skip("needs root: namespaces, chroot and users")
    made = programs.Machine()
    STARTED.append(made)
    try:
        with made:
            yield made
            assert not made.problems(), made.log_text()[-6000:]
    finally:
        STARTED.remove(made)


@pytest.fixture(scope="module")
def passwd_users():
    """Users of the system, each with a home (names), .add(name, gecos) for
    more and .remove(name). One run at a time may have them."""
    if not postern.IS_ROOT:
        pytest.skip("needs root: users of the system")
    lock = open("/tmp/postern-e2e-passwd.lock", "w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)
    homes = postern.make_folder()
    names = {"pt-alice": "Alice Ptarmigan", "pt-bob": "Bob Ptarmigan",
             "pt-carol": "Carol Quetzal,,,", "pt-dora": "Dora Quetzal"}
    made = []

    def remove(name):
        # --force: a delivery worker may be running under that uid
        subprocess.run(["userdel", "--force", name], check=False,
                       stderr=subprocess.DEVNULL)

    def add(name, gecos):
        remove(name)
        made.append(name)
        subprocess.run(["useradd", "--user-group", "--create-home",
                        "--home-dir", os.path.join(homes, name),
                        "--shell", "/usr/sbin/nologin", "--comment", gecos,
                        name], check=True)
        os.chmod(os.path.join(homes, name), 0o700)
        return pwd.getpwnam(name)

    for name, gecos in names.items():
        add(name, gecos)
    yield types.SimpleNamespace(homes=homes, add=add, remove=remove)
    for name in made:
        remove(name)
    shutil.rmtree(homes, ignore_errors=True)
    lock.close()
