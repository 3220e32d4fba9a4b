# Checks a model with spin. Sourced by the run.sh beside each model, which says what to check, and then calls finish.
#
#   run.sh            everything, but for those whose names begin with deep: they take minutes
#   LOCKKEEPER_LONG=1 run.sh   those marked long=yes as well, half a minute each
#   run.sh NAME       only the checks whose name contains NAME
#
# A setting must hold, a mutant must be caught: it is a mistake that is easy to make. run.sh fails if one is not as it
# must be. It needs spin and a C compiler, and leaves nothing behind.
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
only=${1:-}
cores=$(nproc 2>/dev/null || echo 2)
compiler=$(command -v tcc || echo cc)

for tool in spin cc; do
	command -v $tool >/dev/null || { echo "run.sh: $tool is not installed (Debian, Ubuntu: apt-get install spin gcc)" >&2; exit 2; }
done

# check NAME WANT FLAGS: the model is $here/$model. WANT is
#   holds     everything that can happen is right
#   live      the model's LTL formulas hold as well, if every process that can move does
#   acyclic   no state comes again, so whatever happens has an end
#   caught    something wrong can happen
# As many run at a time as there are cores. With compress=yes before it, states take less memory and more time.
# With long=yes before it, it runs only if LOCKKEEPER_LONG=1, or by its name.
check() {
	[[ $1 == *"$only"* ]] || return 0
	[[ $1 != deep-* || -n $only ]] || return 0
	[[ -z ${long:-} || ${LOCKKEEPER_LONG:-} = 1 || -n $only ]] || return 0
	while (($(jobs -rp | wc -l) >= cores)); do wait -n || true; done
	one "$@" || touch "$work/failed" &
}

one() {
	local name=$1 want=$2 got flags=() compile=(-DSAFETY) run=() began=$SECONDS
	shift 2
	mkdir "$work/$name"
	cd "$work/$name"
	for f in "$@"; do flags+=("$f"); done
	case $want in
	live) flags+=(-DLIVE) compile=(-DNFAIR=3) run=(-a -f) ;;
	acyclic) compile=(-DNP) run=(-l) ;;
	esac
	spin -a "${flags[@]}" "$here/$model" >spin.log 2>&1 || { cat spin.log >&2; return 2; }
	if [[ -n ${compress:-} ]]; then compile+=(-DCOLLAPSE); fi
	if [[ $name == deep-* ]]; then compile+=(-DHC4); fi # of each state only a hash of 8 bytes
	# Unoptimized: the compiler would take longer than the search, and cc still takes longer than tcc.
	"$compiler" -O0 -w -DMEMLIM=3000 "${compile[@]}" -o pan pan.c
	./pan -m1000000 -n "${run[@]}" >pan.log 2>&1 || true
	if grep -q 'errors: 0$' pan.log && ! grep -q -e 'max search depth too small' -e 'out of memory' -e 'reached -DMEMLIM' pan.log; then
		got=holds
	elif grep -q 'errors: [1-9]' pan.log; then
		got=caught
	else
		got=unknown
	fi
	local verdict=ok
	if [[ $want != caught ]]; then want=holds; fi
	if [[ $got != "$want" ]]; then verdict="WRONG, want $want"; fi
	printf '%-28s %-7s %9s states %3d s  %s  %s\n' "$name" "$got" \
		"$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)" $((SECONDS - began)) "$verdict" \
		"$(sed -n 's/^pan:1: //p' pan.log | cut -c1-50)"
	rm -rf "$work/$name"
	[[ $verdict == ok ]]
}

# finish waits for all checks and says whether all were as they must be.
finish() {
	wait
	[[ ! -e $work/failed ]]
}
