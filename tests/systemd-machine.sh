#!/bin/sh
# SPDX-License-Identifier: ISC
# systemd-machine.sh: Postern as a service. Makes a Debian 12 (debootstrap,
# below $TMPDIR or /tmp), builds and installs this repository's HEAD in it as
# README says, boots it with systemd as its process 1, and runs
# systemd-machine-inside.sh there: what it names is checked with the unit, the
# socket unit, the journal and libnss-systemd that a postmaster has.
# Needs root, debootstrap and cgroup2. All mounts and processes live in
# namespaces of their own and end with it; the folder is removed.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/machine-lib.sh
. "$top/tests/machine-lib.sh"

# README's "Installing", but for the editor
install_in_it() {
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	    chroot "$root" sh -euc '
		git clone -q /source.bundle /root/postern
		cd /root/postern
		tests/install-packages.sh build
		make -s -j2
		make -s install PREFIX=/usr/local
		systemd-sysusers' >"$root.log" 2>&1 ||
	    { tail -n 20 "$root.log"; die "it cannot be installed"; }
}

# As process 1 of new namespaces. No name server answers in there.
boot() {
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	mkdir "$root/dev/pts" "$root/dev/shm"
	for name in null zero full random urandom tty; do
		touch "$root/dev/$name"
		mount --bind "/dev/$name" "$root/dev/$name"
	done
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	ip link set lo up
	hostname mx
	rm -f "$root/etc/resolv.conf"
	echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
	cat >"$root/etc/systemd/system/inside.service" <<-UNIT
	[Unit]
	Wants=multi-user.target
	After=multi-user.target
	[Service]
	Type=oneshot
	ExecStart=/bin/sh -c '/inside.sh >/said 2>&1; echo \$? >/status'
	ExecStopPost=/bin/systemctl --no-block exit
	UNIT
	cd "$root"
	mkdir old
	pivot_root . old
	umount -l old
	exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	    /sbin/init --log-target=journal --unit=inside.service
}

case ${SYSTEMD_STEP:-} in
install) root=$SYSTEMD_ROOT; install_in_it; exit ;;
boot) root=$SYSTEMD_ROOT; boot ;;
esac
[ "$(id -u)" -eq 0 ] || die "needs root"
command -v debootstrap >/dev/null || die "needs debootstrap"
root=$(mktemp -d "${TMPDIR:-/tmp}/postern-systemd.XXXXXX")
chmod 755 "$root"
groups=$(sed -n 's,^[^ ]* \([^ ]*\) cgroup2 .*,\1,p' /proc/mounts | head -n 1)
[ "$groups" ] || die "needs cgroup2"
group=$groups/${root##*/}
mkdir "$group"
# nothing is mounted below it in this namespace
cleanup() {
	rm -rf --one-file-system "$root" "$root.log"
	find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT TERM
say "Debian 12 with systemd from $mirror"
make_machine "systemd,systemd-sysv,dbus,libnss-systemd,procps,python3,gcc,make,git" \
    systemd-machine-inside.sh
say "make, make install"
export SYSTEMD_ROOT="$root"
SYSTEMD_STEP=install unshare --mount --pid --fork --kill-child \
    --propagation private "$0"
say "boot"
sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
    env SYSTEMD_STEP=boot unshare --mount --pid --fork --cgroup --uts --ipc \
    --net --kill-child --propagation private "$0" >"$root.log" 2>&1 || true
cat "$root/said" 2>/dev/null || cat "$root.log"
status=$(cat "$root/status" 2>/dev/null || echo 1)
say "ended with status $status"
exit "$status"
