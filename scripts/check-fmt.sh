#!/usr/bin/env bash
# Fails, naming the files, when gofmt would change something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
list=$(find . -name '*.go' -not -path './.git/*' -not -path './node_modules/*' -print0 | xargs -0 -r gofmt -l)
if [ -n "$list" ]; then
	echo "gofmt would change (make fmt mends it):" >&2
	echo "$list" >&2
	exit 1
fi
