#!/usr/bin/env bash
# release.sh [VERSION] [os/arch ...]: the program for every system that it runs on (or for those named), as archives with checksums,
# in dist/. The builds are reproducible: the same commit and the same Go make the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${1:-}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64)
: "${version:=$(sed -nE 's/^const Version = "(.*)"$/\1/p' redisreplica/*.go)}"
name=redis-inmemory-replica
stamp=$(git log -1 --format=%ct 2>/dev/null || echo 0)
rm -rf dist
mkdir dist
for t in "${targets[@]}"; do
	os=${t%/*} arch=${t#*/} ext=
	[ "$os" = windows ] && ext=.exe
	dir="$name-$version-$os-$arch"
	mkdir "dist/$dir"
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -ldflags "-s -w" -o "dist/$dir/$name$ext" .
	cp README.md LICENSE CHANGELOG.md SECURITY.md "dist/$dir/"
	cp deploy/redis.conf "dist/$dir/"
	[ "$os" = linux ] && cp deploy/systemd/redis-inmemory-replica.service "dist/$dir/"
	find "dist/$dir" -exec touch -d "@$stamp" {} +
	tar -C dist --sort=name --owner=0 --group=0 --numeric-owner -cf - "$dir" | gzip -n >"dist/$dir.tar.gz"
	rm -r "dist/$dir"
	echo "dist/$dir.tar.gz"
done
(cd dist && sha256sum ./*.tar.gz | sed 's|\./||' >SHA256SUMS)
