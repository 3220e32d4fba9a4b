#!/usr/bin/env bash
# Checks the gate's protocol with spin: the protocol itself in several settings, which must hold, and the
# mutants, each a mistake that is easy to make, which must be caught. Fails if one is not as it must be.
#
#   run.sh            everything, but for those whose names begin with deep: they take minutes
#   run.sh NAME       only the checks whose name contains NAME
#
# Needs spin and a C compiler. It leaves nothing behind.
set -euo pipefail

model=$(cd "$(dirname "$0")" && pwd)/gate.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
only=${1:-}
cores=$(nproc 2>/dev/null || echo 2)

for tool in spin cc; do
	command -v $tool >/dev/null || { echo "run.sh: $tool is not installed (Debian, Ubuntu: apt-get install spin gcc)" >&2; exit 2; }
done

# check NAME WANT FLAGS: WANT is holds, live or caught. As many run at a time as there are cores.
check() {
	[[ $1 == *"$only"* ]] || return 0
	[[ $1 != deep-* || -n $only ]] || return 0
	while (($(jobs -rp | wc -l) >= cores)); do wait -n || true; done
	one "$@" || touch "$work/failed" &
}

one() {
	local name=$1 want=$2 got flags=() compile=(-DSAFETY) run=()
	shift 2
	mkdir "$work/$name"
	cd "$work/$name"
	for f in "$@"; do flags+=("$f"); done
	if [[ $want == live ]]; then
		flags+=(-DLIVE) compile=(-DNFAIR=3) run=(-a -f)
	fi
	spin -a "${flags[@]}" "$model" >spin.log 2>&1 || { cat spin.log >&2; return 2; }
	# Unoptimized: the compiler would take longer than the search. The large one compresses its states, to spare memory.
	if [[ " $* " == *" -DRESIZE "* || " $* " == *" -DTWICE="* ]]; then compile+=(-DCOLLAPSE); fi
	if [[ $name == deep-* ]]; then compile+=(-DHC4); fi # of each state only a hash of 8 bytes
	cc -O0 -w -DMEMLIM=3000 "${compile[@]}" -o pan pan.c
	./pan -m1000000 -n "${run[@]}" >pan.log 2>&1 || true
	if grep -q 'errors: 0$' pan.log && ! grep -q -e 'max search depth too small' -e 'out of memory' -e 'reached -DMEMLIM' pan.log; then
		got=holds
	elif grep -q 'errors: [1-9]' pan.log; then
		got=caught
	else
		got=unknown
	fi
	local verdict=ok
	if [[ $want == live ]]; then want=holds; fi
	if [[ $got != "$want" ]]; then verdict="WRONG, want $want"; fi
	printf '%-28s %-7s %9s states  %s  %s\n' "$name" "$got" \
		"$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)" "$verdict" \
		"$(sed -n 's/^pan:1: //p' pan.log | cut -c1-50)"
	[[ $verdict == ok ]]
}

# The protocol, in settings small enough to be searched to the end.
check mutex holds -DMUTEX
check semaphore holds
check semaphore-small-cancel holds -DN=2 -DCANCELLER=0
check mutex-twice holds -DMUTEX -DN=2 -DROUNDS=2 -DCANCELLER=0
check mutex-nominee holds -DMUTEX -DROUNDS=2 -DTWICE=0 -DCANCELLER=9 # a batch that is called and joined by turns
check try holds -DTRIER=2
check mutex-try holds -DMUTEX -DTRIER=2
check resize holds -DRESIZE -DN=2 -DCANCELLER=9 # a shrink and a growth, among one and both permits
check readers holds -DREADERS
check readers-twice holds -DREADERS -DN=2 -DROUNDS=2 -DCANCELLER=9
check readers-try-writer holds -DREADERS -DTRIER=1 -DCANCELLER=9
check readers-writers holds -DREADERS -DWRITERS # of three, two are writers: batches and single waiters in one line
check readers-awaited holds -DREADERS -DAWAITED=2 # who stands behind a writer that gives up needs no release to get in
check upgrade holds -DUPGRADE -DREADERS -DCANCELLER=9
check upgrade-cancel holds -DUPGRADE -DCANCELLER=0
check upgrade-try holds -DUPGRADE -DREADERS -DTRIER=0 -DCANCELLER=9
check deep-writers holds -DWRITERS -DN=4 -DCANCELLER=9 -DONETURN
check everybody-ends live -DMUTEX -DN=2
check everybody-is-called live -DMUTEX -DCANCELLER=9
check everybody-upgrades live -DUPGRADE -DREADERS -DN=2 -DCANCELLER=9

# The mutants.
two=(-DMUTEX -DN=2 -DROUNDS=2 -DCANCELLER=9)
check mutant-enter caught -DM_ENTER                        # the fast path takes permits on a stale look
check mutant-store caught -DM_STORE "${two[@]}"            # the fast release stores instead of swapping
check mutant-put caught -DM_PUT                            # a release beside a turn does not wake the keeper
check mutant-flag caught -DM_FLAG "${two[@]}"              # the flags are set before the push, not after
check mutant-knock caught -DM_KNOCK -DMUTEX -DN=2          # a waiter that fits does not see to itself
check mutant-home caught -DM_HOME "${two[@]}"              # the keeper goes home without regard to mail
check mutant-shut caught -DM_SHUT                          # the turn grants while the fast path is open
check mutant-free caught -DM_FREE -DMUTEX -DN=4 -DCANCELLER=9 # the word passes through free in a hand-over
check mutant-cancel caught -DM_CANCEL -DMUTEX -DN=2        # a cancelled waiter does not wait for the answer
check mutant-pass caught -DM_PASS -DMUTEX -DN=2            # a grant found with a done context is dropped
check mutant-leave caught -DM_LEAVE "${two[@]}"            # the keeper overlooks a wake-up as it leaves
readers=(-DREADERS -DCANCELLER=9)
check mutant-join caught -DM_JOIN "${readers[@]}"          # a reader enters that should not have added itself
check mutant-phantom caught -DM_PHANTOM "${readers[@]}"    # a reader does not take back what it added in vain
check mutant-part caught -DM_PART "${readers[@]}"          # a reader that leaves does not wake the keeper
check mutant-take caught -DM_TAKE -DREADERS -DCANCELLER=0  # what was added in vain is taken back without a word
check mutant-front caught -DM_FRONT -DUPGRADE -DCANCELLER=9 # an upgrade waits behind those who wait for it
check mutant-close caught -DM_CLOSE -DWRITERS -DN=4 "${readers[@]}" # the back of the line is open while the inbox looks empty
check mutant-open caught -DM_OPEN -DMUTEX -DCANCELLER=9    # a batch is joined that is not open
check mutant-last caught -DM_LAST -DMUTEX                  # the last of a batch is called without a turn
check mutant-quit caught -DM_QUIT -DREADERS -DAWAITED=2    # the last of a batch quits without a word
check mutant-left caught -DM_LEFT -DMUTEX                  # one that quits a batch does not count itself out

wait
if [[ -e $work/failed ]]; then exit 1; fi
