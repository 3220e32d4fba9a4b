#!/usr/bin/env bash
# demo-svg.sh FILE records `lockkeeper demo` at a terminal of 80 columns, and draws it as an animated SVG. It needs script,
# python3 and npx (svg-term-cli, https://github.com/marionebl/svg-term-cli).
set -euo pipefail
out=$(realpath "$1")
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
lockkeeper=$(realpath bin/lockkeeper)
cd "$temp"
script -q -e -T timing -O output -c "stty cols 80 rows 22; TMPDIR=/tmp '$lockkeeper' demo" >/dev/null
python3 - <<'EOF'
import json
output = open("output", "rb").read()
output = output[output.index(b"\n") + 1:]  # a header
frames, now, at = [], 0.0, 0
for line in open("timing"):
    wait, size = line.split()[:2]
    now, size = now + float(wait), int(size)
    if frames and now - frames[-1][0] < 0.4:  # two or three in a second are enough, and make a small file
        frames[-1][1] += output[at:at + size]
    else:
        frames.append([now, output[at:at + size]])
    at += size
frames.append([frames[-1][0] + 6, b""])  # time to read the result
with open("cast", "w") as cast:
    print(json.dumps({"version": 2, "width": 80, "height": 22}), file=cast)
    for when, text in frames:
        print(json.dumps([round(when, 3), "o", text.decode("utf-8", "replace")]), file=cast)
EOF
npx --yes svg-term-cli@2.1.1 --in cast --out "$out" --window --no-cursor
