#!/usr/bin/env bash
# Installs what the tests talk to (Debian or Ubuntu): redis-server 7, redis-cli and redis-benchmark, redis-sentinel, redis-py.
# Does nothing where all of it stands already. The packaged service is not started.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
{ command -v redis-cli && command -v redis-benchmark; } >/dev/null || missing+=(redis-tools)
command -v redis-sentinel >/dev/null || missing+=(redis-sentinel)
{ [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import redis'; } 2>/dev/null || missing+=(python3-redis)
[ ${#missing[@]} -eq 0 ] && exit 0

fail() {
	echo "install-test-deps: $*" >&2
	echo "install-test-deps: the tests need: ${missing[*]} (redis-server 7.0.x)" >&2
	exit 1
}
command -v apt-get >/dev/null || fail "no apt-get here: install them by hand"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	{ command -v sudo && sudo -n true; } >/dev/null 2>&1 || fail "not root and no password-less sudo: run as root, apt-get install ${missing[*]}"
	as_root=(sudo -n)
fi

# A policy that answers 101 keeps the package scripts from starting the service; one that is there already is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
	"${as_root[@]}" chmod 755 "$policy"
	trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
install() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >&2
}
install || { "${as_root[@]}" apt-get update >&2 && install; } || fail "apt-get could not install them"
