# SPDX-License-Identifier: ISC
# machine-lib.sh: what fresh-machine.sh and systemd-machine.sh share. They
# set top (this repository) and root (the machine's folder).

mirror=${MIRROR:-$(sed -nE \
    's,^(URIs: |deb )(http[^ ]*/debian)/?( .*)?$,\2,p' /etc/apt/sources.list \
    /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)}
mirror=${mirror:-http://deb.debian.org/debian}

say() { printf '\n== %s\n' "$*"; }
die() { echo "${0##*/}: $*" >&2; exit 1; }

# make_machine PACKAGES SCRIPT: a Debian 12 with these (a,b,c), HEAD as
# /source.bundle, and the script, from beside this file, as /inside.sh
make_machine() {
	debootstrap --variant=minbase --include="$1" \
	    bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
	    { tail -n 20 "$root.log"; die "debootstrap failed"; }
	apt-config dump | grep -i '^Acquire::[a-z]*::Proxy' \
	    >"$root/etc/apt/apt.conf.d/01proxy" || true
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	# HEAD may be detached: the clone gets a branch of that name
	git -C "$top" bundle create -q "$root/source.bundle" HEAD
	chmod 644 "$root/source.bundle"
	cp "$top/tests/$2" "$root/inside.sh"
}
