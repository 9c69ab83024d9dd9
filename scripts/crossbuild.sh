#!/usr/bin/env bash
# crossbuild.sh [-quick] [os/arch ...]: builds and vets the tree, tests included, for systems other than this one, without cgo.
# With -quick it only compiles what the program is made of, for one system of each kind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
quick=
[ "${1:-}" = -quick ] && { quick=1; shift; }
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
	targets=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64)
	[ -z "$quick" ] || targets=(darwin/arm64 windows/amd64)
fi
export CGO_ENABLED=0
failed=0
for t in "${targets[@]}"; do
	echo "crossbuild: $t"
	export GOOS="${t%/*}" GOARCH="${t#*/}"
	if [ -n "$quick" ]; then
		go build $(go list -deps -f '{{if and .Module .Module.Main (ne .Name "main")}}{{.ImportPath}}{{end}}' .) || failed=1
	else
		{ go build ./... && go vet ./...; } || failed=1
	fi
done
[ $failed = 0 ] || echo "crossbuild: fails" >&2
exit $failed
