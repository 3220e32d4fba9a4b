package redis_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// faults says which test shows what. Names are of this package; with "manager." before them they are of package manager,
// which decides when a lease ends, and "contract:" is a clause of the suite that TestContract runs.
var faults = []struct{ property, tests string }{
	// The server.
	{"A server restarted empty: the holder is told, waiters are granted, tokens increase", "TestServerRestartedEmpty"},
	{"A server restarted with its log: leases, their time and tokens go on", "TestWaitersSurviveAnAbsentServer"},
	{"A log that lost its tail: tokens increase", "TestLogThatLostItsTailKeepsTokensIncreasing"},
	{"A server that is away for longer than the time to live: the holder stops by itself", "TestHolderOfAnAbsentServerStopsByItsOwnClock"},
	{"A frozen or paused server: a renewal that waited in the socket revives nothing",
		"TestServerFrozenForLongerThanTheTimeToLive TestRenewalThatWaitedOutAPauseRevivesNothing"},
	{"BUSY, MISCONF, LOADING, max clients: no lease ends, nothing is called busy",
		"TestBusyScriptOfSomebodyElseEndsNoLease TestServerThatCannotSaveEndsNoLease TestServerThatLoadsEndsNoLease TestFullServerRefusesOnlyNewConnections TestErrorsAreClassified"},
	{"FLUSHALL, DEL, RENAME, SWAPDB: the holder is told, tokens increase", "TestDataLossIsNoticedAndTokensGoOn TestStateThatIsPartlyThereIsMended"},
	{"SCRIPT FLUSH: nobody notices", "TestScriptFlushIsNotNoticed"},
	{"Eviction: the holder is told, tokens increase", "TestEvictionIsToldToTheHolder"},
	{"No memory left: acquires leave nothing, renewals and releases work", "TestExhaustedMemory TestReleaseDoesNotSufferFromTheRequestBehindIt"},
	{"Rights or user taken away: retried until the time is over, never busy", "TestRightsTakenAwayEndNoLease TestDeletedUserHoldsUntilTheirTimeIsOver TestMissingRightsAreErrPermission TestRefusedLoginIsErrPermission TestReleaseWithoutRightsHappensWhenTheyAreBack"},
	{"No right to publish: what was done stays done", "TestWithoutTheRightToPublishWaitersAreGrantedByTheirHeartbeat TestLeastRightsSuffice"},
	{"Data of somebody else: refused, and untouched", "TestForeignDataIsRefusedAndStays TestForeignDataEndsTheWait TestPoisonedNameDoesNotStopTheBatch"},
	{"A clock that steps: the holder is told, tokens increase", "TestServerClockThatStepsForwardIsToldAndTokensIncrease TestServerClockThatStepsBackKeepsTokensIncreasing"},
	{"A promoted replica whose clock is behind: tokens increase", "TestPromotedReplicaWhoseClockIsBehindKeepsTokensIncreasing"},

	// Replicas, sentinels, clusters.
	{"A server that is no primary is not believed", "TestOnlyAPrimaryIsBelieved TestReleaseRefusedByAReplicaIsTriedAgain TestHeartbeatsToAReplicaEndNothing TestClusterOfThree/ClientThatReadsFromReplicasAsksPrimaries"},
	{"A grant that a failover forgets: the holder is told, tokens increase", "TestGrantForgottenByAFailoverKeepsTokensIncreasing"},
	{"A grant that replicas do not confirm is undone; WAIT speaks of the grant's connection", "TestWaitReplicas"},
	{"Failover while waiting: the request survives", "TestFailover TestClusterOfThree/PrimaryFailsOver"},
	{"An old primary that is cut off with its clients grants and renews nothing", "TestIsolatedPrimaryGrantsAndRenewsNothing"},
	{"Sentinels away during a failover: recovers without a restart", "TestFailoverWhileTheSentinelIsDown"},
	{"A slot moves while held and waited for: nothing is lost", "TestClusterOfThree/SlotMovesWhileHeldAndWaitedFor"},
	{"Messages do not depend on the slot's owner: plain channels, and a heartbeat", "TestClusterOfThree/PrimaryFailsOver TestWaiterIsGrantedAlthoughItsSubscriptionIsDead"},
	{"A slot that nobody serves: unavailable, the others go on", "TestClusterOfThree/SlotThatNobodyServesLosesNothing TestClusterOfThree/SlotWithoutAPrimaryLeavesTheOthersAlone"},
	{"Scripts touch declared keys only", "TestScriptsTouchOnlyDeclaredKeys TestContractInACluster"},

	// The network.
	{"A holder that is cut off stops before the next starts", "TestHolderThatIsCutOffStopsBeforeTheNextStarts manager.TestHolderIsToldBeforeTheStoreCanGrantToOthers"},
	{"A storm of resets", "TestConnectionResetsAreSurvived TestLeaseIsKeptOverResets"},
	{"A reply that is lost: granted, renewed, released once", "TestLostReplyOfAnAcquireGrantsOnce TestLostReplyOfAClaimGrantsOnce TestRenewalRepeatedByTheClient TestLostReplyOfAReleaseIsNoLoss TestRepeatedReleaseAfterAnotherGrantIsNoLoss TestLateCopyOfAnAcquireHoldsNothing TestLostReplyOfAPostReleasesAndQueuesOnce TestRepeatedReleaseIsNoLossHoweverItIsSent TestBreakWhoseReplyIsLostIsNotRepeated"},
	{"A release that is not confirmed is tried again, by Close too", "TestReleaseThatWasNotHeardIsTriedAgain TestReleaseThatWasNotConfirmedIsNoLoss TestReleaseWithADoneContextHappens TestCloseReleasesWhenTheServerIsBack"},
	{"A release and a request in one command: neither spoils the other", "TestCancelledWaiterDoesNotCancelTheReleaseThatCarriesIt TestReleaseDoesNotSufferFromTheRequestBehindIt TestForbiddenPostReleasesAllTheSame"},
	{"An acquire that arrives after it was given up has no effect", "TestAcquireThatArrivesAfterItsCancellationHasNoEffect TestForbiddenPostReleasesAllTheSame"},
	{"A late renewal revives nothing", "manager.TestLateRenewalRevivesNothing contract:Expiry/LateRenewalDoesNotRevive"},
	{"Answers out of order: validity never goes back, an old answer ends no grant", "TestRenewalNeverShortens TestHeartbeatOvertakenByAGrantEndsNothing manager.TestValidityNeverGoesBack"},
	{"Slow answers: validity counts from before the request", "TestGrantThatComesAfterItsTimeIsAskedForAgain TestWhichNoticesAreBelieved serverclock.TestAGrantIsNeverReliedOnForTooLong TestProcessThatWasStoppedDoesNotBelieveAnOldMessage contract:Expiry/FromBeforeTheRequest manager.TestSlowRenewalsCountFromTheirSending"},
	{"A server that is back is used at once, whatever happened meanwhile", "TestClientRecoversWithItsServer TestClientOfASentinelRecoversWithItsServer TestClientOfAClusterRecoversWithItsServer"},
	{"A black hole: the caller returns at its deadline", "TestCallerReturnsAtItsDeadlineFromABlackHole TestCloseDoesNotWaitForAServerThatIsGone"},
	{"The application's pool is exhausted", "TestApplicationsExhaustedPoolDoesNotMatter TestClientIsOnlyRead"},
	{"A subscription that is dead, cut, or too slow", "TestWaiterIsGrantedAlthoughItsSubscriptionIsDead TestCutSubscriptionIsReplacedAndMissedGrantsAreFound TestInboxCutByTheServersBufferLimitIsReplaced"},
	{"Expiry sends no message, and is noticed", "TestExpiryIsNoticedWithoutAHeartbeat TestKilledHolderIsReplacedAfterItsTime"},
	{"No thundering herd", "TestReleaseWakesExactlyTheNext TestWaitingCostsOneCommandPerHeartbeat TestHandOffBetweenProcessesIsOneCommandAndOneMessage TestMessageMakesAHolder TestHolderThatNeedNotHearOfWaitersIsNotTold"},
	{"TLS: no trust, no request, no fallback, no storm", "TestLocksOverTLS TestServerThatCannotBeTrustedIsUnavailable TestServerThatWantsACertificateOfItsClients"},
	{"Another address behind the same name", "TestAddressBehindANameChanges"},

	// Waiters.
	{"A dead head is skipped, the others keep their order", "TestDeadHeadIsSkippedAndTheOthersKeepTheirOrder contract:Crash/Waiter"},
	{"All waiters dead: nothing is left of them", "TestWaitersThatAllDiedLeaveNoQueue"},
	{"A grant to a dead waiter goes on", "TestGrantToADeadClientGoesOn"},
	{"A waiter that gives up while it is granted passes it on", "TestGrantToACancelledWaiterGoesOnAtOnce contract:Cancel/RacesGrant"},
	{"A place that was lost is taken again, and told", "TestPlaceLostIsToldAndTakenAgain"},
	{"Killed processes never overlap", "TestProcessesThatAreKilledNeverOverlap"},

	// Values, names, people who mean harm.
	{"Tokens are exact", "TestTokensKeepAllTheirDigits"},
	{"Times to live out of range are refused", "contract:Input/InvalidTTL TestNewRefusesBadOptions"},
	{"Forged messages and junk grant nothing", "TestForgedMessagesGrantNothing TestMessageHeardTwiceGrantsOnce TestMessageThatComesTooLateMakesTheWaiterAsk TestJunkInTheQueueIsSkipped FuzzParseState FuzzMessages FuzzAnswers FuzzHash"},
	{"No password in an error", "TestMissingRightsAreErrPermission TestUnreachableServerIsUnavailable"},
	{"Any bytes make a name: one slot, own keys, own messages", "TestClusterOfThree/AnyNameLiesInOneSlotAndHasAChannelOfItsOwn FuzzNamesAreInjective FuzzDecodeRefusesWhatEncodeDoesNotMake contract:Input/NamesAreInjective"},
	{"Another kind or capacity for the same name is refused", "contract:Mismatch"},
	{"Close gives back what is held", "contract:Close/ReleasesAndWakes TestCloseLeavesNoConnectionAndNoSubscription"},
	{"Prefixes are independent", "TestPrefixesAreIndependent"},
	{"Nothing stays for ever", "TestAllKeysExpire TestThousandsOfCancelledAcquiresLeaveNoTrace TestAbandonedAcquireLeavesNothingForLong"},

	// Waiters of one process under one grant: package manager.
	{"A lost lease sends local waiters back to the store", "manager.TestLossSendsLocalWaitersBackToTheStore"},
	{"Each local holder has its own, larger token, and a stray one is waited for", "manager.TestNobodyEntersWhileAStrayMayStillRun manager.TestStormKeepsEveryPromise"},
	{"A busy process does not starve another", "manager.TestLocalHandoffsAreBoundedOnceAnotherProcessWaits manager.TestLocalHandoffsEndAfterTheTimeAllowed"},
	{"Nothing is handed on when too little time is left", "manager.TestNothingIsHandedOnWithLessThanTheMinimumLeft"},
}

// The table above is true as far as names go.
func TestEveryFaultHasItsTest(t *testing.T) {
	known := make(map[string]bool)
	collect(t, known, ".", "")
	collect(t, known, "../../manager", "manager.")
	collect(t, known, "../../internal/serverclock", "serverclock.")
	collect(t, known, "../backendtest", "")
	for _, f := range faults {
		for _, name := range strings.Fields(f.tests) {
			for _, part := range strings.SplitAfterN(name, "/", 2) {
				if clause, ok := strings.CutPrefix(name, "contract:"); ok {
					part = clause
				}
				if !known[strings.TrimSuffix(part, "/")] {
					t.Errorf("%s: there is no test %q", f.property, name)
				}
			}
		}
	}
}

// collect notes the names of functions in a folder's tests, and all strings, among which are those of subtests and clauses.
func collect(t *testing.T, known map[string]bool, dir, prefix string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "faults_test.go" {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				known[prefix+n.Name.Name] = true
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					known[text] = true
				}
			}
			return true
		})
	}
}
