#!/usr/bin/env bash
# fuzz.sh TIME [NAME]: runs every fuzzer of the tree (or those whose name contains NAME) for TIME each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10s}
want=${2:-}
found=0
while IFS=: read -r file line; do
	name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/' <<<"$line")
	case "$name" in *"$want"*) ;; *) continue ;; esac
	found=1
	echo "== $(dirname "$file") $name"
	go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
done < <(grep -rE '^func Fuzz[A-Za-z0-9_]+\(' --include '*_test.go' . | sed 's|^\./||' | sort)
[ "$found" = 1 ] || { echo "fuzz: no fuzzer${want:+ matches $want}" >&2; exit 1; }
