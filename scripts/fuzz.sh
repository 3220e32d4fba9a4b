#!/usr/bin/env bash
# Runs every fuzz test of the module for FUZZTIME, one after the other: the fuzzer takes one at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

git ls-files '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | while IFS=: read -r file line; do
	case "$file" in bench/*) continue ;; esac
	name=${line#func }
	echo "== $name in $(dirname "$file")"
	"$GO" test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" "./$(dirname "$file")" </dev/null
done
