#!/usr/bin/env bash
# bench-compare.sh REF [flags of ./benchmarks]: this tree's server against the one at REF, in the same run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ref=${1:?usage: bench-compare.sh REF [flags]}
shift
git rev-parse --verify --quiet "$ref^{commit}" >/dev/null || { echo "bench-compare: no such commit: $ref" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'git worktree remove --force "$tmp/tree" >/dev/null 2>&1 || true; rm -rf "$tmp"' EXIT
git worktree add --quiet --detach "$tmp/tree" "$ref"
(cd "$tmp/tree" && go build -o "$tmp/base" .)
go build -o "$tmp/head" .
go run ./benchmarks -ours "$tmp/head" -redis "$tmp/base" -labels "this tree,$ref" "$@"
