package file

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// faults says which test shows what. "contract:" is a clause of the suite that TestContract and
// TestContractBetweenProcesses run.
var faults = []struct{ property, tests string }{
	// Processes.
	{"A holder is killed: the next is granted at once, with a larger token", "TestKilledHolderFreesAtOnce TestTryAfterKill"},
	{"Waiters are killed: they are skipped, the others keep their order", "TestKilledWaitersAreSkipped TestKilledHolderAndWaiters TestSurvivorsAreServedInOrder"},
	{"A holder is stopped: it holds on, and waits end with their contexts", "TestStoppedHolderHoldsOn"},
	{"A process is stopped while it changes a table: every call answers within its context", "TestTableLockedByStoppedProcess TestStartAndCancelNeverWait TestTableThatStaysLockedIsFound"},
	{"Processes are killed at any time: nobody overlaps, tokens increase", "TestHistoryWithKills"},
	{"A process is killed between the tables of an operation over several names", "TestKilledBetweenTheTablesOfAnOperation"},
	{"Many processes start at once", "TestManyProcessesAtOnce"},
	{"Children of a holder do not keep its lock", "TestChildrenDoNotInheritLocks TestDescriptorsAreClosedOnExec"},
	{"Signals do not disturb waiters", "TestSignalsDoNotDisturbWaiters"},
	{"Waiters take no threads, and little memory", "TestWaitersTakeNoThreads TestACrowdOfWaitersOfOneProcess"},

	// The kernel's lock.
	{"A shared lock is never made exclusive in place", "TestReadLockIsNeverUpgradedInPlace"},
	{"A release frees nobody else", "TestReleaseFreesNobodyElse"},
	{"flock(1) and gofrs/flock, shared and exclusive, exclude us and are excluded", "TestFlockCommandExcludesUs TestWeExcludeFlockCommand TestFlockCommandWaitsForUs TestFlockWatchPassesOn TestGofrsFlock"},
	{"A sole holder that lets go without writing leaves nobody waiting", "TestNoWaiterIsForgotten TestLettingGoNeedsNoMessage TestLeftoverLine"},

	// Files and directories.
	{"A lock file is removed, replaced or moved away: its holder is told, the next lock a new one", "TestLockFileRemovedUnderHolder TestStoppedHolderOfARemovedFileHoldsOn TestLockFileRemovedBetweenUses TestNameIsLookedUpAfterAChange TestNamesExchanged TestLeftoverLineOfARemovedFile"},
	{"A table, an inbox or the directory is removed or moved", "TestTableRemoved TestARemovedInboxIsMended TestWithoutAnInboxNobodyIsGrantedAPermit TestAnInboxThatCannotBeMended TestDirectoryRemoved TestDirectoryRemovedUnderWaiter TestDirectoryMoved TestStartWithReplacedFiles"},
	{"Any of the files of a name are removed, moved, replaced or emptied, at any moment", "TestFilesTamperedWith"},
	{"A directory is copied", "TestCopiedDirectory"},
	{"A lock file or table has other names: refused", "TestHardLinksAreRefused"},
	{"Files out of use are removed beside any use: tokens go on, nobody overlaps", "TestNamesOutOfUseAreRemovedAndTokensGoOn TestFilesInUseStay TestLingeringClientsNoticeRemovedFiles TestHousekeepingBesideUse"},
	{"A link, FIFO or directory in the place of a file is refused, not followed, not waited for", "TestForeignFiles"},
	{"A table is torn, empty, foreign or random bytes: tokens go on", "TestDamagedTable TestDamagedTableOfASemaphore TestSalvage FuzzParse TestDamagedFloor"},
	{"No name leaves the directory, or meets another's files", "TestStem FuzzStem"},
	{"Another kind or capacity for the same name is refused", "contract:Mismatch"},
	{"Inspect and List need no right to write and disturb nobody; locks of other programs are seen", "TestLookingTellsWhoHoldsAndWaits TestLookingOnlyReads TestAnotherUserMayLook TestAnUnreadableNameHidesNoOthers TestLockOfAnotherProgramIsSeen TestLookingDuringUseSeesNoForeignHolders"},
	{"Modes do not depend on the umask", "TestModesDoNotDependOnTheUmask"},
	{"Directories that others may write to are refused", "TestDirectoriesThatAreRefused"},
	{"Users do not share a directory; files of others are refused at once", "TestTwoUsers TestFileOfAnotherUser TestExistingFilesAreOpenedWithoutCreating"},
	{"Each fault of a directory is found, and mended where that is safe", "TestFindings TestKilledHolderIsFoundAndRemoved TestDirectoriesThatCannotBeUsedAreFindings"},

	// The system.
	{"No descriptor is left: unavailable, not busy; what is held stays", "TestNoDescriptorsLeft TestIdleNamesGiveTheirDescriptorsBackWhenNoneAreLeft"},
	{"The disk is full, or has no room for a token: no grant", "TestFullDisk TestNoGrantWithoutToken"},
	{"A table of an operation cannot be written, or many names take all descriptors: nothing is held", "TestTableOfAnOperationThatCannotBeWritten TestNoDescriptorsForManyNames"},
	{"A file system becomes read-only", "TestReadOnlyFileSystem"},
	{"Network file systems are refused", "TestRemoteFileSystems"},
	{"No file events are to be had", "TestWithoutFileEvents"},
	{"Nothing wakes a process: it looks by itself", "TestContractByLooksAlone TestDeathsAreFoundByLooking TestOrderByLooksAlone"},
	{"The directory is on an overlay, as in a container", "TestOverlay"},
	{"The directory holds the files of very many names", "TestVeryManyNames"},
	{"Nothing stays open, and no file that was not there", "TestNothingStaysOpen"},
}

// The table above is true as far as names go.
func TestEveryFaultHasItsTest(t *testing.T) {
	known := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	text := regexp.MustCompile(`"([A-Z]\w+)"`)
	for pattern, names := range map[string]*regexp.Regexp{"*_test.go": function, "internal/*/*_test.go": function, "../backendtest/*.go": text} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range names.FindAllStringSubmatch(string(src), -1) {
				known[m[1]] = true
			}
		}
	}
	for _, f := range faults {
		for _, name := range strings.Fields(f.tests) {
			if !known[strings.TrimPrefix(name, "contract:")] {
				t.Errorf("%s: there is no test %q", f.property, name)
			}
		}
	}
}
