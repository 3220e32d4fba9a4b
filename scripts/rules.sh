#!/usr/bin/env bash
# The rules of the house that no linter knows:
#   - only package actor starts goroutines (tests, test support and the bench module aside): a goroutine has an owner and an end
#     (programs in testdata are wrong on purpose)
#   - no test sleeps: it waits for a signal, or runs in a synctest bubble
#   - every fuzz test has a corpus (make corpus)
#   - no Go files at the root, no file of more than 400 lines, sources are formatted
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
failed=0

no() { # no MESSAGE FINDINGS
	[ -z "$2" ] && return
	printf 'rule broken: %s\n%s\n' "$1" "$2" >&2
	failed=1
}

files() { git ls-files --cached --others --exclude-standard "$@" | while read -r f; do [ -f "$f" ] && echo "$f"; done; }

production=$(files '*.go' ':!*_test.go' ':!bench' ':!internal/*test/*' ':!internal/torture' ':!*/testdata/*')
tests=$(files '*_test.go' ':!bench')

no 'a go statement outside package actor' \
	"$(grep -v '^actor/' <<<"$production" | xargs -r grep -nE '(^|[{;])[[:space:]]*go[[:space:]]+(func\b|[A-Za-z_][A-Za-z0-9_.]*(\[[^]]*\])?\()' || true)"
# In a bubble of testing/synctest a sleep is exact and takes no time.
no 'a sleep in a test, outside synctest' \
	"$(xargs -r grep -L '"testing/synctest"' <<<"$tests" | xargs -r grep -nE '\btime\.Sleep\(' || true)"
no 'a fuzz test without a corpus in testdata/fuzz' "$(xargs -r grep -HoE '^func Fuzz[A-Za-z0-9_]+' <<<"$tests" |
	sed 's|/[^/]*:func |/testdata/fuzz/|' | while read -r dir; do [ -n "$(files "$dir")" ] || echo "$dir"; done)"
no 'a Go file at the root' "$(files '*.go' | grep -v / || true)"
no 'a file of more than 400 lines' \
	"$(xargs -r wc -l <<<"$production" | awk '$2 != "total" && $1 > 400 {print $2 ": " $1 " lines"}')"
no 'not formatted by gofmt' "$(files '*.go' | xargs -r gofmt -l)"
exit "$failed"
