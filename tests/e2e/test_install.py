# SPDX-License-Identifier: ISC
"""What an operator meets first: the Makefile, and the unit of systemd."""
import os
import re
import stat
import subprocess

import pytest

from client import new_message
from filters import Fake, read_fildes
from postern import BUILD, OTHER_OWNER, TOP, Server, wait_until

UNIT = os.path.join(TOP, "etc/postern.service")


def test_every_goal_of_the_makefile_is_phony():
    """A folder run/ is there after the first `make run`."""
    with open(os.path.join(TOP, "Makefile"), encoding="utf-8") as f:
        text = f.read()
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.M).group(1)
    goals = set(re.findall(r"^([a-z-]+):(?!=)", text, re.M))
    assert "run" in goals and goals == set(phony.replace("\\", "").split())


@pytest.mark.parametrize("flags", ["CPPFLAGS=-D_FORTIFY_SOURCE=3",
                                   "CFLAGS=-O2 -D_FORTIFY_SOURCE=3"])
def test_flags_of_a_packager(tmp_path, flags):
    """On the command line of make, beside ours."""
    result = subprocess.run(
        ["make", "-C", TOP, "BUILD=%s" % tmp_path, flags,
         "%s/obj/lib/utf8.o" % tmp_path], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "-D_FORTIFY_SOURCE=3" in result.stdout
    assert "warning:" not in result.stdout, result.stdout


def install(folder, *settings):
    """make install below folder."""
    subprocess.run(["make", "-s", "-C", TOP, "-o", "all", "BUILD=" + BUILD,
                    "DESTDIR=%s" % folder, *settings, "install"],
                   check=True, umask=0o077)


@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_what_is_installed_fits_together(tmp_path, prefix):
    """The unit starts the programs where they are; the files that the sample
    configuration names are there."""
    install(tmp_path, "PREFIX=" + prefix)
    unit = tmp_path / prefix[1:] / "lib/systemd/system/postern.service"
    programs = re.findall(r"^ExecStart(?:Pre)?=-?(\S+)", unit.read_text(),
                          re.M)
    assert programs == [prefix + "/sbin/postern"] * 2
    assert os.access(tmp_path / programs[0][1:], os.X_OK)
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    config = (tmp_path / "etc/postern/postern.conf").read_text()
    for path in re.findall(r'^    aliases = "/(.*)"', config, re.M):
        assert (tmp_path / path).is_file(), path


def test_installing_leaves_what_is_configured(tmp_path):
    for name in ("aliases", "postern/postern.conf"):
        path = tmp_path / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine\n")
    install(tmp_path)
    assert (tmp_path / "etc/aliases").read_text() == "mine\n"
    assert (tmp_path / "etc/postern/postern.conf").read_text() == "mine\n"


def reload_command(server, tmp_path):
    """ExecReload as systemd would run it, of this server: (status, text)."""
    install(tmp_path)
    unit = (tmp_path / "usr/local/lib/systemd/system/postern.service"
            ).read_text()
    command, = re.findall(r"^ExecReload=/bin/sh -c '(.*)'$", unit, re.M)
    assert "/usr/local/sbin/posternctl" in command
    command = command.replace("$MAINPID", str(server.process.pid)).replace(
        "$$", "$").replace("/usr/local/sbin/", "%s/usr/local/sbin/" %
                           tmp_path).replace("/etc/postern/postern.conf",
                                             server.config_path)
    result = subprocess.run(["/bin/sh", "-c", command], check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=120)
    return result.returncode, result.stdout


def test_systemctl_reload_tells_the_outcome(make_server, tmp_path):
    server = make_server()
    status, text = reload_command(server, tmp_path)
    assert status == 0 and len(server.events("reloaded")) == 1, text
    with open(server.config_path, encoding="utf-8") as f:
        lines = f.read()
    server.write("postern.conf", lines + "nonsense = 1\nmore = 2\n")
    status, text = reload_command(server, tmp_path)
    n = lines.count("\n")
    assert status != 0 and "the configuration has errors" in text, text
    assert '%d: unknown key "nonsense"' % (n + 1) in text
    assert '%d: unknown key "more"' % (n + 2) in text
    assert len(server.events("reloaded")) == 1
    server.wait_event("config_error", line=str(n + 1))
    # the rest of posternctl goes on with the server that runs
    status, text = server.ctl("status", check=False)
    assert status == 0 and "has errors, which postern -n" in text
    # control does not answer: it is signalled
    server.write_config()
    os.unlink(os.path.join(server.folder, "state/control.sock"))
    status, text = reload_command(server, tmp_path)
    assert status == 0, text
    wait_until(lambda: len(server.events("reloaded")) == 2, 30, "reload")


def bounding_set():
    """The capabilities that the unit leaves to root: "setuid" ..."""
    with open(UNIT, encoding="utf-8") as f:
        return [name.lower() for line in
                re.findall(r"^CapabilityBoundingSet=(.*)$", f.read(), re.M)
                for name in re.findall(r"CAP_(\w+)", line)]


class AsUnit(Server):
    """With the rights of a service of systemd, and no more."""

    def command(self, program, *arguments):
        rights = ",".join(["-all", *("+" + c for c in bounding_set())])
        return ["setpriv", "--bounding-set", rights, "--no-new-privs", "--",
                *super().command(program, *arguments)]


def test_a_dead_alias_does_not_keep_the_server_down(make_server):
    """postern -n fails, which the unit passes over; the server serves."""
    server = make_server(start=False, aliases="postmaster: alice\nroot: alice"
                         "\nteam: alice, gone\n")
    status, text = server.check()
    assert status == 1 and "gone" in text, text
    with open(UNIT, encoding="utf-8") as f:
        assert re.search(r"^ExecStartPre=-\S*/postern -n ", f.read(), re.M)
    server.start()
    assert server.rcpt("team@example.org").says("451 4.2.4")
    assert server.rcpt("alice@example.org").says("250")


def scans(connection):
    """A scanner that finds what the self-test sends, and nothing else."""
    found = b"\nSubject: self-test\n" in b"\n" + read_fildes(connection)
    connection.sendall(b"fd[10]: Eicar FOUND\0" if found else
                       b"fd[10]: OK\0")


@pytest.mark.needs_root
def test_rights_of_the_unit_are_enough():
    """root opens folders that it has given away and a socket of somebody
    else; the group of a folder is that of what the compiler writes there."""
    scanner = Fake(scans)
    Server.own_by(scanner.socket, OTHER_OWNER)
    os.chmod(scanner.socket, 0o600)
    server = AsUnit(checks='virus = refuse  clamd "%s" {{ }}' %
                    scanner.endpoint)
    try:
        for _ in range(2):
            server.start()
            assert server.deliver(["alice@example.org"],
                                  new_message()).code == 250
            server.stop()
        assert len(server.mail("alice")) == 2
        for name in ("tables", "passwords"):
            folder = os.stat(os.path.join(server.folder, "state", name))
            assert folder.st_mode & stat.S_ISGID, name
        assert not server.problems(), server.log_text()
    finally:
        server.close()
        scanner.close()


# ---- on another machine, in a container ----

@pytest.mark.needs_root
def test_missing_capabilities_are_said(make_server):
    """Of root in a container, at the start and once: no compartment dies of
    what it cannot give up."""
    server = make_server(start=False)
    end = subprocess.run(
        ["setpriv", "--bounding-set", "-kill,-setpcap", "--", *server.command(
            "postern", "-f", server.config_path)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        timeout=30, check=False)
    assert end.returncode == 1
    assert "need: CAP_KILL CAP_SETPCAP;" in end.stderr
    assert "compartment_died" not in end.stderr


@pytest.mark.needs_root
@pytest.mark.parametrize("name, folder", (("secret", "store"),
                                          ("active", "spool")))
def test_state_dir_of_other_uids_is_said(make_server, name, folder):
    """Of another machine, or copied back by root: it says what to do, and
    that helps."""
    server = make_server(
        more='listen "unix:{folder}/submit" {{ role = local }}\n')
    assert server.stop() == 0
    path = os.path.join(server.folder, "state", folder)
    os.chown(os.path.join(path, name), 4242, 4242)
    server.may_crash = True
    server.launch()
    assert server.process.wait(30) == 1
    said = server.events("fatal")[-1].get("text")
    assert "%s/%s belongs to uid 4242 and not to postern-" % (
        path, name) in said
    subprocess.run(said[said.index("chown -R "):].split(), check=True)
    server.start()
    assert server.deliver("alice@example.org", new_message()).code == 250
