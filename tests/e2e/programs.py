# SPDX-License-Identifier: ISC
"""Programs of Debian with our sendmail in the place of theirs.

    with Host(server) as host:
        host.run(["mail", "-s", "hi", "alice"], input=b"...", user="pt-alice")

Each run has a mount namespace of its own, in which /usr/sbin/sendmail,
/usr/bin/mailq and /usr/bin/newaliases are what was built, and
/etc/postern/postern.conf is the server's configuration. Nothing of it is
seen outside."""
import os
import shutil
import subprocess
import tempfile

import postern

# $1: a folder for tmpfs; $2: the sendmail; $3: the configuration
SCRIPT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
for name in sbin bin etc spool; do mkdir "$1/$name" "$1/$name.work"; done
over() {
    mount -t overlay none \
        -o "lowerdir=$2,upperdir=$1/$3,workdir=$1/$3.work" "$2"
}
over "$1" /usr/sbin sbin
over "$1" /usr/bin bin
over "$1" /etc etc
[ ! -d /var/spool/cron ] || over "$1" /var/spool/cron spool
rm -f /usr/sbin/sendmail /usr/bin/mailq /usr/bin/newaliases
cp "$2" /usr/sbin/sendmail
ln -s ../sbin/sendmail /usr/bin/mailq
ln -s ../sbin/sendmail /usr/bin/newaliases
mkdir -p /etc/postern
cp "$3" /etc/postern/postern.conf
chmod 755 /etc/postern
chmod 644 /etc/postern/postern.conf
mount -t tmpfs none /run
shift 3
exec "$@"
"""


class Host:
    """See above."""

    def __init__(self, server):
        self.server = server
        self.folder = tempfile.mkdtemp(prefix="postern-host-", dir="/tmp")
        os.chmod(self.folder, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def words(self, words, user=None):
        """The command line that runs these words so."""
        if user:
            words = ["runuser", "-u", user, "--", *words]
        return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", self.folder,
                os.path.join(self.server.build, "sendmail"),
                self.server.config_path, *words]

    def run(self, words, user=None, timeout=60, **options):
        """The finished process, with its output."""
        options.setdefault("input", b"")
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("POSTERN_CONFIG", "MAIL", "EMAIL")}
        environment.update(options.pop("env", {}))
        return subprocess.run(self.words(words, user), timeout=timeout,
                              stdout=subprocess.PIPE, env=environment,
                              stderr=subprocess.PIPE, check=False, **options)

    def start(self, words):
        """The same, left running."""
        return subprocess.Popen(self.words(words), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)


LOCAL = 'listen "unix:{folder}/submit" {{ role = local }}\n'


def sendmail(server, *arguments, text=b"", user=None, name="sendmail",
             **options):
    """sendmail itself: (exit status, stdout, stderr)."""
    program = os.path.join(postern.BUILD, "sendmail")
    environment = dict(os.environ, POSTERN_CONFIG=server.config_path)
    words = [name, *arguments]
    if user:
        options["user"] = user
        options["extra_groups"] = []
    result = subprocess.run(words, executable=program, input=text,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment, check=False, timeout=60,
                            **options)
    return result.returncode, result.stdout.decode("utf-8", "replace"), \
        result.stderr.decode("utf-8", "replace")
