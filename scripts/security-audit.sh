#!/usr/bin/env bash
# security-audit.sh: known vulnerabilities in what the binary uses, modules that differ from their checksums, mistakes that
# static analysis finds, secrets in the tree. Fails if one of them finds something. The vulnerability database is asked
# over the network (GOVULNDB names another place); where it cannot be reached that is said and, with STRICT=1, an error.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0
say() { printf '\n== %s\n' "$*"; }

say "modules are what go.sum says (go mod verify)"
go mod verify || failed=1

say "known vulnerabilities (govulncheck)"
if command -v govulncheck >/dev/null; then check=(govulncheck); else check=(go run golang.org/x/vuln/cmd/govulncheck@v1.9.0); fi
if ! out=$("${check[@]}" ./... 2>&1); then
	if grep -qiE 'dial tcp|no such host|vuln.go.dev|HTTP GET|Forbidden|connection refused|i/o timeout' <<<"$out" && ! grep -q '^Vulnerability #' <<<"$out"; then
		echo "NOT CHECKED: the vulnerability database cannot be reached from here:"
		tail -n 2 <<<"$out"
		[ "${STRICT:-0}" = 1 ] && failed=1
	else
		echo "$out"
		failed=1
	fi
else
	tail -n 3 <<<"$out"
fi

say "static analysis (go vet, staticcheck)"
{ go vet ./... && go tool staticcheck ./...; } || failed=1

say "secrets in the tree"
# What a secret looks like. The keys below testdata are made for the tests and protect nothing.
patterns='-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60}|xox[baprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|eyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.|sk-[A-Za-z0-9]{32,}'
if found=$(git ls-files -z --cached --others --exclude-standard -- ':!*/testdata/*' ':!scripts/security-audit.sh' | xargs -0 grep -IlE -e "$patterns" 2>/dev/null); [ -n "$found" ]; then
	echo "these files hold what looks like a secret:"
	echo "$found"
	failed=1
else
	echo "none"
fi
if git log --all --format=%H -n 2000 -G'AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}' -- . ':!scripts/security-audit.sh' 2>/dev/null | grep -q .; then
	echo "a commit of the past holds what looks like a token"
	failed=1
fi
exit $failed
