# SPDX-License-Identifier: ISC
"""A real Dovecot for one test: its LMTP server, at a unix socket and a port,
delivers into Maildirs of its own.

    with Dovecot(["bob@inner.example"]) as dovecot:
        dovecot.hop                 "lmtp:unix:/..."
        dovecot.tcp_hop             "lmtp:[127.0.0.1]:port"
        dovecot.mail("bob@inner.example")
"""
import os
import pwd
import shutil
import socket
import subprocess

from postern import OWNER, free_port, make_folder, maildir_mail, wait_until

CONFIG = """
base_dir = {folder}/run
log_path = {folder}/dovecot.log
ssl = {ssl}
{certificate}
protocols = lmtp
hostname = mx.example.org
postmaster_address = postmaster@inner.example
mail_location = maildir:{folder}/boxes/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwd
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/passwd
  default_fields = uid={uid} gid={gid} home={folder}/boxes/%u
}}
plugin {{
  quota = maildir:box
  quota_rule = *:storage={quota}
}}
protocol lmtp {{
  mail_plugins = quota
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0660
    user = {socket_user}
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """See the top of the file. tls: (certificate, key) files."""

    def __init__(self, users, quota="1G", tls=None, socket_user="root"):
        self.folder = make_folder()
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.process = None
        owner = pwd.getpwnam(OWNER)
        for name in ("run", "boxes"):
            os.mkdir(os.path.join(self.folder, name))
        os.chown(self.folder + "/boxes", owner.pw_uid, owner.pw_gid)
        self.write("passwd", "".join(
            "%s:{PLAIN}secret::::::\n" % user for user in users))
        self.config = self.write("dovecot.conf", CONFIG.format(
            folder=self.folder, port=self.port, quota=quota,
            uid=owner.pw_uid, gid=owner.pw_gid, socket_user=socket_user,
            ssl="yes" if tls else "no", certificate="ssl_cert = <%s\n"
            "ssl_key = <%s\n" % tls if tls else ""))
        self.hop = "lmtp:unix:%s/lmtp" % self.folder
        self.tcp_hop = "lmtp:[127.0.0.1]:%d" % self.port

    def write(self, name, text):
        """A file of its folder."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def listens(self):
        """Whether somebody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                return s.recv(100).startswith(b"220")
        except OSError:
            return False

    def start(self):
        """Run it."""
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.config])
        wait_until(self.listens, 20, "Dovecot: " + self.log_text())

    def stop(self):
        """End it; it may be started again."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def log_text(self):
        """Its log."""
        try:
            with open(self.folder + "/dovecot.log", encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def mail(self, user):
        """What lies in his Maildir."""
        return maildir_mail("%s/boxes/%s" % (self.folder, user))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
