#!/usr/bin/env bash
# Checks the models: of the gate, and of requests for several names. Without spin there is nothing to check with: that is
# said loudly, and it is a failure under CI=true where apt-get could have installed it.
set -euo pipefail
cd "$(dirname "$0")/.."

for cmd in spin cc; do
	if ! command -v "$cmd" >/dev/null; then
		echo "*** THE MODELS WERE NOT CHECKED: $cmd is missing (Debian, Ubuntu: apt-get install spin gcc) ***" >&2
		if [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then exit 1; fi
		exit 0
	fi
done
failed=0
for dir in primitives manager; do
	echo "$dir/model"
	bash "$dir/model/run.sh" || failed=1
done
exit "$failed"
