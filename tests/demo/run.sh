#!/bin/sh
# SPDX-License-Identifier: ISC
# run.sh BUILD: `make run`. Starts a server on 127.0.0.1:2525 with its files
# below ./run, sends it a real message with a real client, shows the
# delivered file and a refused recipient with its explanation, and stays up
# until Ctrl-C. ONCE=1 ends after the demonstration; the exit status tells
# whether all of it came out as promised.
set -eu

build=$(cd "$1" && pwd)
port=${PORT:-2525}
here=$(pwd)/run

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "demonstration failed: $*" >&2; exit 1; }

# The compartments run under uids of their own and must be able to reach
# their files: below a closed folder (/root, say) ./run becomes a link.
reachable() {
	d=$(dirname "$here")
	while [ "$d" != / ]; do
		case $(stat -c %A "$d") in *x|*t) ;; *) return 1 ;; esac
		d=$(dirname "$d")
	done
}
# what an earlier run left, and where it led
case $(readlink "$here") in /tmp/postern-run.*) rm -rf "$(readlink "$here")" ;;
esac
rm -rf "$here"
why=
if [ "$(id -u)" -eq 0 ] && ! reachable; then
	why="other users cannot enter $(pwd)"
elif [ ${#here} -gt 88 ]; then		# and state/control.sock, 107 in all
	why="the path of a socket in it would be too long"
fi
if [ -n "$why" ]; then
	real=$(mktemp -d /tmp/postern-run.XXXXXX)
	chmod 755 "$real"
	ln -s "$real" "$here"
	echo "($why: ./run is a link to $real)"
	here=$real
else
	mkdir -p "$here"
fi

owner=
if [ "$(id -u)" -eq 0 ]; then
	"$(dirname "$0")/../make-users.sh" postern-demo
	owner='owner   = "postern-demo"'
fi
mkdir -p "$here/mail"
[ -z "$owner" ] || chown postern-demo "$here/mail"
cat >"$here/users" <<END
alice  name="Alice Smith"
bob    name="Bob Jones"  quota=1M
END
cat >"$here/aliases" <<END
postmaster: alice
root:       alice
team:       alice, bob
old:        error:550 5.1.6 moved away
END
cat >"$here/postern.conf" <<END
hostname   = "mx.example.org"
origin     = "example.org"
postmaster = "alice@example.org"
state_dir  = "$here/state"
log        = "stderr"
min_uid    = 100

listen "127.0.0.1:$port" { role = mx }
checks { default = off }    # nothing outside of this machine is asked

domain "example.org" {
    users   = "table:$here/users"
    aliases = "$here/aliases"
    mailbox = "$here/mail/%u/Maildir"
    names   = true
    $owner
}

# this demonstration asks nobody outside of the machine
resolver { servers = { "127.0.0.1@9" }  dnssec = off }
END

say "checking the configuration: postern -n -f run/postern.conf"
"$build/postern" -n -f "$here/postern.conf"

"$build/postern" -f "$here/postern.conf" 2>"$here/log" &
server=$!
stop() {
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

n=0
until grep -q event=ready "$here/log"; do
	n=$((n + 1))
	kill -0 "$server" 2>/dev/null || {
		cat "$here/log"
		! grep -q EADDRINUSE "$here/log" ||
		    die "the port is taken; try make run PORT=2526"
		die "no start"
	}
	[ $n -lt 100 ] || { cat "$here/log"; die "not ready in 10 s"; }
	sleep 0.1
done

say "sending a message with swaks"
swaks --server 127.0.0.1 --port "$port" --from bob@elsewhere.example \
    --to team@example.org --header 'Subject: hello' \
    --body 'A 250 means delivered.' --hide-informational ||
    die "the message was refused"

say "delivered, before the 250, to:"
for user in alice bob; do
	file=$(find "$here/mail/$user/Maildir/new" -type f | head -n 1)
	[ -n "$file" ] || die "nothing in the mailbox of $user"
	echo "$file"
done
echo; cat "$file"
grep -q 'A 250 means delivered.' "$file" || die "the body is not there"

say "an unknown recipient is refused while the client waits"
refusal=$(swaks --server 127.0.0.1 --port "$port" --hide-informational \
    --from bob@elsewhere.example --to nobody@example.org --quit-after RCPT \
    2>&1) && die "nobody@example.org was accepted"
echo "$refusal" | grep '^<\*\*' || die "no refusal: $refusal"
id=$(echo "$refusal" | sed -n 's/^<\*\* 550 .*(\([0-9a-z]*\)).*/\1/p')
[ -n "$id" ] || die "the refusal has no id"

say "and explains itself: posternctl -f run/postern.conf why $id"
"$build/posternctl" -f "$here/postern.conf" why "$id" || die "why $id"

say "how an address resolves: posternctl route team@example.org"
"$build/posternctl" -f "$here/postern.conf" route team@example.org ||
    die "route"

say "posternctl status"
"$build/posternctl" -f "$here/postern.conf" status || die "status"

[ -z "${ONCE:-}" ] || { say "all of it worked"; exit 0; }
say "the server stays up on 127.0.0.1:$port (log: run/log); Ctrl-C ends it"
wait "$server"
