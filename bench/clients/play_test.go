package clients

import (
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

func TestHandOffsAreMeasuredBetweenProcesses(t *testing.T) {
	offs, err := HandOffs(Spec{Library: Flock, Store: t.TempDir(), Name: "n"}, 5, 2*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range offs {
		if d <= 0 || d > 10*time.Second {
			t.Errorf("a hand-off took %v", d)
		}
	}
}

func TestTwoHoldersAtOnceAreNoticed(t *testing.T) {
	ms := time.Millisecond
	_, err := handOffs([][]Turn{{{Acquired: 1 * ms, Released: 5 * ms}}, {{Acquired: 4 * ms, Released: 6 * ms}}})
	if err == nil || !strings.Contains(err.Error(), "two holders") {
		t.Errorf("error %v, want one about two holders", err)
	}
	offs, err := handOffs([][]Turn{{{Acquired: 1 * ms, Released: 5 * ms}, {Acquired: 8 * ms, Released: 9 * ms}}, {{Acquired: 6 * ms, Released: 7 * ms}}})
	if err != nil || len(offs) != 2 || offs[0] != ms || offs[1] != ms {
		t.Errorf("hand-offs %v, %v; want two of 1 ms", offs, err)
	}
}

func TestKilledHolderFreesTheLockOfAnObedientProcess(t *testing.T) {
	s := Spec{Library: Flock, Store: t.TempDir(), Name: "n"}
	holder, err := StartObedient(s)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Kill()
	waiter, err := StartObedient(s)
	if err != nil {
		t.Fatal(err)
	}
	defer waiter.Kill()
	if err := holder.Acquire(); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := waiter.Acquire(); err != nil {
		t.Fatal(err)
	}
	at := harness.Now()
	holder.Kill()
	d, err := waiter.Answer()
	if err != nil || d.At < at {
		t.Errorf("granted %v after the kill, error %v", d.At-at, err)
	}
	if err := waiter.Close(); err != nil {
		t.Error(err)
	}
}

func TestCrowdSharesAreCollectedFromEveryProcess(t *testing.T) {
	nothing := func() error { return nil }
	b := harness.Budget{Duration: 50 * time.Millisecond, Quick: true}
	sum, byProcess, err := Crowd(Spec{Library: Flock, Store: t.TempDir(), Name: "n"}, 2, 3, b, nothing, nothing)
	if err != nil {
		t.Fatal(err)
	}
	if len(byProcess) != 2 || len(sum.Grants) != 6 || sum.Overall == 0 || byProcess[0]+byProcess[1] != sum.Total() {
		t.Errorf("%d processes, %d goroutines, %d grants; want 2, 6 and some", len(byProcess), len(sum.Grants), sum.Overall)
	}
}

func TestEveryMemberOfAHerdGetsTheLockOnce(t *testing.T) {
	s := Spec{Library: Flock, Store: t.TempDir(), Name: "n"}
	h, err := StartHerds(s, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Kill()
	if err := h.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
