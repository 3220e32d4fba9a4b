#!/usr/bin/env bash
# Every package and its tests compile for the other systems that we name; one of them has 32 bits, for the alignment of atomics.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

for target in linux/386 darwin/arm64 freebsd/amd64 netbsd/amd64 openbsd/amd64 windows/amd64; do
	echo "vet for $target"
	export CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/}
	"$GO" vet ./... # compiles what it looks at, the tests as well
done
