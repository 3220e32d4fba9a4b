#!/usr/bin/env bash
# go build that shows its progress: on a cold machine it takes a minute. With everything built it is silent.
# build.sh [FLAG …] PACKAGE
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

# go build -v writes the path of each package that it builds on a line of its own; all else is a message.
progress() {
	local n=0 line
	while IFS= read -r line; do
		if [[ $line =~ ^[a-zA-Z0-9._/~-]+$ ]]; then
			n=$((n + 1))
			if [ -t 2 ]; then
				printf '\r\033[Kbuilding lockkeeper: %d packages, %.50s' "$n" "$line" >&2
			elif [ $((n % 50)) = 1 ]; then
				echo "building lockkeeper: package $n, $line" >&2
			fi
		else
			[ -t 2 ] && [ "$n" -gt 0 ] && printf '\r\033[K' >&2
			printf '%s\n' "$line" >&2
		fi
	done
	[ -t 2 ] && [ "$n" -gt 0 ] && printf '\r\033[K' >&2
	return 0
}

"$GO" build -v "$@" 2>&1 | progress
