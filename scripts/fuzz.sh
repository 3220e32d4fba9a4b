#!/usr/bin/env bash
# Runs every fuzz test of every module for FUZZTIME, one after the other: the fuzzer takes one at a time.
# FUZZ names those to run, as a regular expression. What the fuzzer finds interesting is kept in
# FUZZCACHE, so the next run goes on from there. What it finds wrong is written to testdata/fuzz beside
# the test, to be committed with the fix. All targets run, whatever one of them finds.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
GO=${GO:-go}
FUZZTIME=${FUZZTIME:-60s}
FUZZ=${FUZZ:-.}
FUZZWORKERS=${FUZZWORKERS:-$(nproc)}
FUZZCACHE=${FUZZCACHE:-$("$GO" env GOCACHE)/fuzz/lockkeeper}
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT

# run fuzzes one target. When its time is up the fuzzer may take that for a failure of the test (Go
# issue 75804): a failure that counts leaves an input.
run() { # run DIR NAME
	# The fuzzer may take a minute to shorten one input, if the test does not do the same each time.
	if ! "$built/fuzz.test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$FUZZTIME" -test.fuzzminimizetime 10x \
		-test.parallel "$FUZZWORKERS" -test.fuzzcachedir "$FUZZCACHE/$1" </dev/null >"$built/log" 2>&1 &&
		! { grep -q '^    context deadline exceeded$' "$built/log" && ! grep -q 'Failing input' "$built/log"; }; then
		cat "$built/log"
		return 1
	fi
	grep -E 'execs:' "$built/log" | tail -n 1 || true # none, if the time was over with the corpus
}

targets=$(git ls-files '*_test.go' ':!bench' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's|/[^/]*:func |/ |' | grep -E "$FUZZ")
failed=0
for dir in $(cut -d' ' -f1 <<<"$targets" | sort -u); do
	cd "$root/$dir"
	"$GO" test -c -fuzz . -o "$built/fuzz.test" . # one binary for all targets of a package
	for name in $(awk -v dir="$dir" '$1 == dir {print $2}' <<<"$targets"); do
		echo "== $name in $dir"
		run "$dir" "$name" || failed=1
	done
done
exit "$failed"
