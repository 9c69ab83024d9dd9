#!/usr/bin/env bash
# crossbuild.sh [os/arch ...]: builds and vets the tree, tests included, for systems other than this one, without cgo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64)
failed=0
for t in "${targets[@]}"; do
	echo "crossbuild: $t"
	export CGO_ENABLED=0 GOOS="${t%/*}" GOARCH="${t#*/}"
	{ go build ./... && go vet ./...; } || { echo "crossbuild: $t fails" >&2; failed=1; }
done
exit $failed
