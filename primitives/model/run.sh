#!/usr/bin/env bash
# Checks the gate's protocol, gate.pml: the protocol itself in several settings, which must hold, and the mutants, which
# must be caught. See scripts/spin.sh for how.
set -euo pipefail

model=gate.pml
source "$(dirname "$0")/../../scripts/spin.sh"

# The protocol, in settings small enough to be searched to the end.
check mutex holds -DMUTEX
check semaphore holds
check semaphore-small-cancel holds -DN=2 -DCANCELLER=0
check mutex-twice holds -DMUTEX -DN=2 -DROUNDS=2 -DCANCELLER=0
long=yes compress=yes check mutex-nominee holds -DMUTEX -DROUNDS=2 -DTWICE=0 -DCANCELLER=9 # a batch that is called and joined by turns
check try holds -DTRIER=2
check mutex-try holds -DMUTEX -DTRIER=2
long=yes compress=yes check resize holds -DRESIZE -DN=2 -DCANCELLER=9 # a shrink and a growth, among one and both permits
check readers holds -DREADERS
check readers-twice holds -DREADERS -DN=2 -DROUNDS=2 -DCANCELLER=9
check readers-try-writer holds -DREADERS -DTRIER=1 -DCANCELLER=9
check readers-writers holds -DREADERS -DWRITERS # of three, two are writers: batches and single waiters in one line
check readers-awaited holds -DREADERS -DAWAITED=2 # who stands behind a writer that gives up needs no release to get in
check upgrade holds -DUPGRADE -DREADERS -DCANCELLER=9
long=yes check upgrade-cancel holds -DUPGRADE -DCANCELLER=0
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
long=yes check mutant-close caught -DM_CLOSE -DWRITERS -DN=4 "${readers[@]}" # the back of the line is open while the inbox looks empty
check mutant-open caught -DM_OPEN -DMUTEX -DCANCELLER=9    # a batch is joined that is not open
check mutant-last caught -DM_LAST -DMUTEX                  # the last of a batch is called without a turn
check mutant-quit caught -DM_QUIT -DREADERS -DAWAITED=2    # the last of a batch quits without a word
check mutant-left caught -DM_LEFT -DMUTEX                  # one that quits a batch does not count itself out

finish
