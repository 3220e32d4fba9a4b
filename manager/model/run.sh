#!/usr/bin/env bash
# Checks the protocol for several names, several.pml: the protocol itself in several settings, which must hold, and the
# mutants, which must be caught. See scripts/spin.sh for how.
set -euo pipefail

model=several.pml
source "$(dirname "$0")/../../scripts/spin.sh"

# wants A B C D: what requesters A and B of process 0, and C and D of process 1, want: a digit for each name, 0 for none.
wants() { echo "-DWANT0=$1 -DWANT1=$2 -DWANT2=$3 -DWANT3=$4"; }
# Three requesters in process 0: two singles and an All. One All in process 1.
many="-DLOCALS=3 -DWANT0=1 -DWANT1=10 -DWANT2=11 -DWANT3=11"
# A request that is cancelled keeps nobody waiting: see AWAITED.
forgotten="-DAWAITED -DCANCELLERS=1 -DCAP=2 $(wants 22 10 10 0)"

# The protocol, in settings small enough to be searched to the end.
check alls holds $(wants 11 11 11 11)
check singles holds $(wants 11 1 11 10)
check shared holds -DCAP=2 $(wants 11 22 21 2)
check three-names holds -DK=3 $(wants 11 110 101 0)
check idle holds -DIDLE $(wants 11 11 11 11)
check idle-singles holds -DIDLE $many
check cancel holds -DCANCELLERS=15 $(wants 11 0 11 0)
check cancel-singles holds -DCANCELLERS=1 $(wants 11 1 11 0)
check cancel-idle holds -DCANCELLERS=15 -DIDLE $(wants 11 1 10 0)
check cancel-forgotten holds $forgotten
check try holds -DTRIERS=15 $(wants 11 1 11 0)
check try-idle holds -DTRIERS=15 -DIDLE $(wants 11 1 11 0)
check slots holds -DSLOTS $(wants 11 11 11 11)
check slots-cancel holds -DSLOTS -DCANCELLERS=15 $(wants 11 0 11 0)
check slots-three holds -DK=3 -DSLOTS $(wants 111 110 101 0)
check loss holds -DLOSS $(wants 11 11 11 0)
check requeue holds -DREQUEUE -DCAP=2 $(wants 1 22 22 0)
check crash holds -DCRASH $(wants 11 0 11 0)
check crash-idle holds -DCRASH -DIDLE $(wants 11 0 11 10)
check everybody-ends acyclic $(wants 11 1 11 10)
check everybody-ends-or-leaves acyclic -DCANCELLERS=1 $(wants 11 0 11 0)
check deep-cancel holds -DCANCELLERS=15 $(wants 11 1 11 0)
check deep-cancel-alls holds -DCANCELLERS=15 $(wants 11 11 11 0)
check deep-cancel-idle holds -DCANCELLERS=15 -DIDLE $(wants 11 1 11 0)
check deep-crash-singles holds -DCRASH $(wants 11 1 11 10)
check deep-crash-alls holds -DCRASH $(wants 11 11 11 11)

# The mutants.
check mutant-places caught -DM_ONEBYONE $(wants 11 11 0 0)          # the parts of a request are placed one by one
check mutant-steps caught -DM_STEPS $(wants 11 0 11 0)              # the store gives the places one by one
check mutant-ride caught -DM_RIDE $(wants 11 1 11 0)                # a part takes a whole grant of its process
check mutant-eager caught -DM_EAGER $(wants 11 11 11 0)             # the operation does not wait for the pins
check mutant-past caught -DM_PAST -DLOCALS=3 -DWANT0=1 -DWANT1=11 -DWANT2=1 -DWANT3=0 # a hand-off passes a part
check mutant-descending caught -DSLOTS -DM_DESCENDING $(wants 11 0 11 0) # a process takes the slots in descending order
check mutant-pinned caught -DCANCELLERS=15 -DM_PINNED $(wants 11 1 0 0) # a cancelled part keeps its name pinned
check mutant-late caught -DCANCELLERS=15 -DM_LATE $(wants 11 0 0 0) # the grant of a cancelled part is kept
check mutant-holds caught -DCANCELLERS=15 -DM_HOLDS $(wants 11 0 1 0) # a cancel forgets what is held
check mutant-next caught -DCANCELLERS=1 -DM_NOSERVE $(wants 11 1 0 0) # a cancel does not serve the next
check mutant-twice caught -DM_TWICE $(wants 11 0 0 0)               # two keepers start the operation
check mutant-starts caught -DCANCELLERS=15 -DM_STARTS $(wants 11 1 0 0) # the operation starts after the cancel
check mutant-unseen caught -DM_UNSEEN $forgotten                    # a cancel just before the start cancels nothing
check mutant-overtaken caught -DM_FORBID $forgotten                 # a cancel that comes before its operation is lost
check mutant-partial caught -DTRIERS=15 -DM_PARTIAL $(wants 11 0 11 0) # the failure of a part does not fail the whole
check mutant-try caught -DTRIERS=15 -DM_TRYPLACE $(wants 11 0 11 0) # a try that is in vain leaves a place
check mutant-requeue caught -DREQUEUE -DM_REQUEUE -DCAP=2 $(wants 1 22 22 0) # a part waits on at the end of a queue
check mutant-loss caught -DLOSS -DM_LOSS $(wants 11 11 11 0)        # the loss of a part does not fail the whole
check mutant-again caught -DLOSS -DM_AGAIN $(wants 11 11 11 0)      # a part that is lost is requested again, by itself
check mutant-loss-holds caught -DLOSS -DM_HOLDS $(wants 11 11 11 0) # after a loss, what is held stays held
check mutant-stays caught -DIDLE -DM_IDLEHELD $(wants 11 1 0 0)     # an idle grant stays when a part is pinned
check mutant-kept caught -DIDLE -DM_IDLEKEPT $many                  # an idle grant waits for the other pins
check mutant-kept-cancel caught -DIDLE -DCANCELLERS=15 -DM_IDLEKEPT $(wants 11 1 10 0) # and for ever
check mutant-deaf caught -DIDLE -DM_DEAF $(wants 11 0 1 0)          # an idle grant stays although others wait

finish
