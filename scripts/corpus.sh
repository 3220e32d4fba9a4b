#!/usr/bin/env bash
# Commits to testdata/fuzz a part of what fuzz.sh has found interesting: up to MOST inputs of each test, none longer than
# LONGEST bytes, spread over their sizes. All tests run them. What is there already stays.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
MOST=${MOST:-10}
LONGEST=${LONGEST:-600}
FUZZCACHE=${FUZZCACHE:-$("$GO" env GOCACHE)/fuzz/lockkeeper}

git ls-files '*_test.go' ':!bench' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's|/[^/]*:func |/ |' | while read -r dir name; do
	to=${dir}testdata/fuzz/$name
	[ -d "$FUZZCACHE/$dir$name" ] || { echo "nothing of $name in $dir: make fuzz FUZZ=$dir" >&2; continue; }
	mkdir -p "$to"
	room=$((MOST - $(find "$to" -type f | wc -l)))
	find "$FUZZCACHE/$dir$name" -type f -size -"$((LONGEST + 1))"c -printf '%s %p\n' | sort -k1,1n -k2 | cut -d' ' -f2 |
		awk -v room="$room" '{all[NR] = $0} END {n = room < NR ? room : NR; for (i = 1; i <= n; i++) print all[int((i - 0.5) * NR / n) + 1]}' |
		xargs -r cp -n -t "$to"
	rmdir --ignore-fail-on-non-empty "$to"
done
