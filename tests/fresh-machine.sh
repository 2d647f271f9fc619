#!/bin/sh
# SPDX-License-Identifier: ISC
# fresh-machine.sh [STAGE ...]: what a newcomer meets. Makes a Debian 12 with
# nothing but gcc, make and git (debootstrap, below $TMPDIR or /tmp), clones
# this repository's HEAD into it and runs there, in this order:
#   a plain user's `make run`: must name the packages that are missing
#   root's `make run ONCE=1`: installs them, must show all that it promises
#   the plain user's `make run ONCE=1`: must now do so too
#   `make test STAGES="STAGE ..."`, if stages are given ("all": every one)
# Needs root and debootstrap. All mounts and processes live in namespaces of
# their own and end with it; the folder is removed.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/machine-lib.sh
. "$top/tests/machine-lib.sh"

inside() {
	# tests make mount namespaces, which needs a root that is a mount
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
	exec env -i HOME=/root TERM="${TERM:-dumb}" PORT="${PORT:-2525}" \
	    FUZZ_SECONDS="${FUZZ_SECONDS:-5}" STAGES="$*" \
	    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	    chroot "$root" /inside.sh
}

if [ "${FRESH_ROOT:-}" ]; then
	root=$FRESH_ROOT
	inside "$@"
fi
[ "$(id -u)" -eq 0 ] || die "needs root"
command -v debootstrap >/dev/null || die "needs debootstrap"
root=$(mktemp -d "${TMPDIR:-/tmp}/postern-fresh.XXXXXX")
chmod 755 "$root"
# nothing is mounted below it in this namespace
trap 'rm -rf --one-file-system "$root" "$root.log"' EXIT
trap 'exit 130' INT TERM
say "Debian 12 with gcc, make and git from $mirror"
make_machine gcc,make,git fresh-machine-inside.sh
status=0
FRESH_ROOT=$root unshare --mount --pid --fork --kill-child \
    --propagation private "$0" "$@" || status=$?
say "ended with status $status"
exit $status
