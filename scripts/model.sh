#!/usr/bin/env bash
# Checks the model of the gate. Without spin there is nothing to check with: that is said loudly, and it is a failure
# under CI=true where apt-get could have installed it.
set -euo pipefail
cd "$(dirname "$0")/.."

for cmd in spin cc; do
	if ! command -v "$cmd" >/dev/null; then
		echo "*** THE MODEL WAS NOT CHECKED: $cmd is missing (Debian, Ubuntu: apt-get install spin gcc) ***" >&2
		if [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then exit 1; fi
		exit 0
	fi
done
exec bash primitives/model/run.sh
