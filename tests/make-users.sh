#!/bin/sh
# SPDX-License-Identifier: ISC
# make-users.sh: the system users of the compartments, as
# etc/sysusers.d/postern.conf declares them, also where systemd is not there.
# Extra arguments are more system users to make.
set -eu
[ "$(id -u)" -eq 0 ] || exit 0

for group in postern postern-admin; do
	getent group $group >/dev/null || groupadd --system $group
done
make_user() {
	getent passwd "$1" >/dev/null && return
	useradd --system "$2" ${3:+"$3"} --home-dir /nonexistent \
	    --no-create-home --shell /usr/sbin/nologin "$1"
}
for user in postern-directory postern-compiler; do
	make_user $user --gid postern
done
for user in postern-smtpd postern-policy postern-deliver postern-store \
    postern-control postern-resolver postern-vault postern-auth \
    postern-queue postern-relay postern-program "$@"; do
	make_user "$user" --user-group
done
