#!/bin/sh
# SPDX-License-Identifier: ISC
# install-packages.sh SET...: see that Debian's packages of these sets are
# there. As root they are installed; otherwise the command to do it is
# printed and the exit status is 1.
set -eu

build="gcc libc6-dev make pkg-config libssl-dev libdb5.3-dev libseccomp-dev libidn2-dev libunbound-dev libspf2-dev libopendkim-dev libpsl-dev libcurl4-openssl-dev libgsasl-dev libcrypt-dev"
demo="swaks adduser"
unit="libcmocka-dev clang libclang-rt-14-dev valgrind mandoc"
e2e="python3 python3-pytest python3-dnspython python3-yaml python3-dkim python3-milter openssl nsd ldnsutils iproute2 swaks libio-socket-inet6-perl libnet-ssleay-perl curl msmtp dovecot-imapd dovecot-lmtpd mutt strace adduser e2fsprogs btrfs-progs xfsprogs clamav-daemon clamav-milter opendkim opendmarc rspamd spamass-milter spamassassin spamc spamd cron at anacron procmail bsd-mailx mailutils s-nail nmh php-cli git git-email exim4-daemon-light libnss-systemd bindfs"

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $demo" ;;
	unit) wanted="$wanted $unit" ;;
	e2e) wanted="$wanted $e2e" ;;
	*) echo "install-packages.sh: no set $set" >&2; exit 2 ;;
	esac
done

missing=
for package in $wanted; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
	    grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "These Debian packages are missing. Install them with" >&2
	echo "    sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# services of test peers must not start by themselves on this machine
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
apt-get -qq update
# shellcheck disable=SC2086
apt-get -qq -y install --no-install-recommends $missing >/dev/null
