#!/usr/bin/env bash
# Installs what the tests talk to (Debian or Ubuntu): redis-server 7, redis-cli and redis-benchmark, redis-sentinel, redis-py,
# prometheus-redis-exporter, a headless Chromium, Node.js, and (not as root, into the user's cache) the Node.js libraries and the Go ones.
# Does nothing where all of it stands already. The packaged services are not started.
set -euo pipefail

cd "$(dirname "$0")/.."

# What tests/clients plays the user of, beside Debian's packages. REPLICA_TEST_NPM is another place for the Node.js libraries.
libraries() {
	local dir="${REPLICA_TEST_NPM:-${XDG_CACHE_HOME:-$HOME/.cache}/redis-inmemory-replica/npm}"
	if [ ! -d "$dir/node_modules/ioredis" ] || [ ! -d "$dir/node_modules/redis" ]; then
		mkdir -p "$dir"
		(cd "$dir" && npm install --no-save --no-package-lock --no-audit --no-fund --loglevel error ioredis@6 redis@6 >&2) ||
			{ echo "install-test-deps: npm could not install ioredis and redis" >&2; return 1; }
	fi
	(cd tests/clients && go mod download)
}

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
{ command -v redis-cli && command -v redis-benchmark; } >/dev/null || missing+=(redis-tools)
command -v redis-sentinel >/dev/null || missing+=(redis-sentinel)
{ [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import redis'; } 2>/dev/null || missing+=(python3-redis)
command -v prometheus-redis-exporter >/dev/null || missing+=(prometheus-redis-exporter)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || missing+=(chromium-headless-shell)
if [ ${#missing[@]} -eq 0 ]; then
	libraries
	exit
fi

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
libraries
