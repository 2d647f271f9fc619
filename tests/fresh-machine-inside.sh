#!/bin/sh
# SPDX-License-Identifier: ISC
# fresh-machine-inside.sh: the part of fresh-machine.sh that runs as root in
# the new machine. /source.bundle is the repository; STAGES names what
# `make test` is to run, nothing without it.
set -eu

say() { printf '\n== %s\n' "$*"; }
useradd --create-home newcomer
as_newcomer() {
	su -s /bin/sh newcomer -c "cd && cd postern && $1"
}
su -s /bin/sh newcomer -c 'cd && git clone -q /source.bundle postern'
git clone -q /source.bundle /root/postern

say "make run, a plain user, packages missing"
if as_newcomer "make run ONCE=1" >/tmp/said 2>&1; then
	cat /tmp/said; echo "it claims to have worked"; exit 1
fi
cat /tmp/said
grep -q 'sudo apt-get install .*libssl-dev' /tmp/said
grep -q 'Error 1$' /tmp/said

say "make run ONCE=1, root"
cd /root/postern
make run ONCE=1

say "make run ONCE=1, a plain user"
as_newcomer "PORT=$PORT make run ONCE=1"

[ -n "$STAGES" ] || exit 0
[ "$STAGES" != all ] || STAGES=
say "make test STAGES=$STAGES"
make test STAGES="$STAGES"
