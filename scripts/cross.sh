#!/usr/bin/env bash
# Every package compiles for the systems that we name, tests included: 32 bits too, for the alignment of atomics.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

for target in linux/arm64 linux/386 darwin/arm64 freebsd/amd64 windows/amd64; do
	echo "vet for $target"
	CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} "$GO" vet ./...
done
