package primitives

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A mutant is a mistake that is easy to make in the protocol: changes of the sources that make
// it, and where it needs a race, others that make that likely. The model has the
// same mutants under the same names, see model/run.sh.
type mutant struct {
	name  string
	edits []edit
}

// An edit replaces some text, which a file has once, by another.
type edit struct{ file, from, to string }

var mutants = []mutant{
	{"enter: the fast path takes permits on a stale look", []edit{{
		"gate.go", `if s <= limit-n && g.word.CompareAndSwap(s, s+n) { // model: enter`,
		`if s <= limit-n && storeLate(&g.word, s+n) {`,
	}}},
	{"store: the fast release stores instead of swapping", []edit{{
		"mutex.go", `if !m.gate.word.CompareAndSwap(limit, 0) { // model: leave`,
		`if m.gate.word.Load() != limit || !storeLate(&m.gate.word, 0) {`,
	}}},
	{"put: a release beside a turn does not wake the keeper", []edit{
		{"gate.go", "// model: put\n\t\t\tg.keeper.Wake(g)\n", "\n"},
		slowTurn,
	}},
	{"flag: the flags are set before the push, not after", []edit{
		{"gate.go", "k, n := w.kind(), w.permits() //", "k, n := w.kind(), w.permits()\n\tg.word.Or(queued | mail)\n\tyield() //"},
		{"gate.go", "s = g.word.Or(queued | mail) // model: flag\n", "\n"},
	}},
	{"knock: a waiter that fits does not see to itself", []edit{{
		"gate.go", `if s&inUse <= limit-n || atOnce {`, `if n == 0 || atOnce {`,
	}}},
	{"home: the keeper goes home without regard to mail", []edit{{
		"turn.go", "if t.word.CompareAndSwap(s, s&^queued-t.pot) { // model: home",
		"yield()\n\t\tif s = t.word.Load(); t.word.CompareAndSwap(s, s&^(queued|mail)-t.pot) {",
	}}},
	{"shut: the turn grants while the fast path is open", []edit{
		{"turn.go", "t.word.Or(queued) // model: shut", "yield()"},
		slowPost, slowKnock, checkedGrant,
	}},
	{"free: the word passes through free in a hand-over", []edit{{
		"batch.go", "if w.batch.CompareAndSwap(s, s-1+called) { // model: call",
		"g.word.Store(0)\n\t\tyield()\n\t\tg.word.Store(limit | queued | mail)\n\t\tif w.batch.CompareAndSwap(s, s-1+called) {",
	}}},
	{"cancel: a cancelled waiter does not wait for the answer", []edit{{
		"gate.go", "\t<-w.ready // at once: gone", "\treturn contextError(ctx) // at once: gone",
	}}},
	{"called: a cancelled member that was called leaves without its token", []edit{{
		"gate.go", "\t\t<-w.ready // at once: there", "\t\treturn contextError(ctx) // at once: there",
	}}},
	{"close: the inbox looks empty before the back of the line is closed", []edit{
		{"turn.go", "t.line.close() // before", "// before"},
		{"turn.go", "next := w.next // before", "yield()\n\t\tnext := w.next // before"},
	}},
	{"open: one joins a batch that is closed", []edit{{
		"batch.go", "if s&open == 0 || s&waiting == waiting ||", "if s&waiting == waiting ||",
	}}},
	{"last: the last member is called without a turn", []edit{{
		"batch.go", "case s&waiting < 2:", "case s&waiting < 1:",
	}}},
	{"quit: the last one that quits does not tell the keeper", []edit{{
		"batch.go", "if to&waiting == 0 {", "if to == 0 {",
	}}},
	{"left: one that quits does not count itself out", []edit{{
		"batch.go", "\t\tto := s - 1\n", "\t\tto := s\n",
	}}},
	{"reuse: a batch is freed while there is a message about it", []edit{
		{"batch.go", "to = to&^open | spoiled", "to = to &^ open"},
		slowTurn,
	}},
	{"pass: a grant found with a done context is dropped", []edit{{
		"gate.go", "g.release(n) // model: passOn", "// nothing",
	}}},
	{"leave: the keeper overlooks a wake-up as it leaves", []edit{
		{"../actor/lend.go", "if a.state.CompareAndSwap(running, atRest) ||", "if a.state.Store(atRest); true ||"},
		slowTurn,
	}},
	{"join: a reader enters that should not have added itself", []edit{
		{"rwmutex.go", "if m.gate.word.Add(1)&^upgrader < crowd { // no flag", "if m.gate.word.Add(1) != 0 { // no flag"},
	}},
	{"phantom: a reader does not take back what it added in vain", []edit{
		slowJoin,
		{"rwmutex.go", "\t\tm.undo()\n", "\n"},
	}},
	{"take: what was added in vain is taken back without a word", []edit{
		slowJoin, slowTakeBack,
		{"rwmutex.go", "s > inUse { // model: takeBack", "s == 1<<62+1 {"},
	}},
	{"part: a reader that leaves does not wake the keeper", []edit{
		{"rwmutex.go", "if s > inUse { // else", "if s == inUse { // else"},
	}},
	{"front: an upgrade waits behind those who wait for it", []edit{
		{"turn.go", "t.line.addFront(w) // model: front", "t.line.add(w)"},
	}},
}

// Edits that are no mistakes: they make turns last, hold up who posts before it sets the
// flags and before it looks after itself, and readers before they add and take back; have batches of three
// members at most; and look at an invariant, as the model does.
var (
	slowTurn     = edit{"turn.go", "\tg.keeper.Leave(g)\n\tt.wake()", "\tyield()\n\tg.keeper.Leave(g)\n\tt.wake()"}
	slowPost     = edit{"gate.go", "\ts := g.word.Load()\n\tif s&(queued|mail) !=", "\tyield()\n\ts := g.word.Load()\n\tif s&(queued|mail) !="}
	slowKnock    = edit{"gate.go", "\tif s&inUse <= limit-n || atOnce {", "\tyield()\n\tif s&inUse <= limit-n || atOnce {"}
	slowJoin     = edit{"rwmutex.go", "\t\tif m.gate.word.Add(1)&^upgrader < crowd {", "\t\tyield()\n\t\tif m.gate.word.Add(1)&^upgrader < crowd {"}
	slowTakeBack = edit{"rwmutex.go", "\tif s := m.gate.word.Add(minusOne); s&inUse >", "\tyield()\n\tif s := m.gate.word.Add(minusOne); s&inUse >"}
	smallBatch   = edit{"batch.go", "= 1<<20 - 1 //", "= 1<<2 - 1 //"}
	checkedGrant = edit{"turn.go", "\t\tt.line.remove(w)\n\t\tt.take(w.permits())", "\t\tmustBeQueued(t)\n\t\tt.line.remove(w)\n\t\tt.take(w.permits())"}
)

// mustBeQueued is the invariant that only those in the queue are granted anything by a turn.
//
//nolint:unused // by the sources; the mutants call it
func mustBeQueued(t *turn) { //nolint:unused // called where an edit says so
	if t.word.Load()&queued == 0 {
		panic("a turn grants, and queued is not set")
	}
}

// storeLate is half of a mutant: it stores what it should compare and swap, after a while.
//
//nolint:unused // by the sources; the mutants call it
func storeLate(word *atomic.Uint64, s uint64) bool { //nolint:unused // called by a mutant
	yield()
	word.Store(s)
	return true
}

// yield makes a race likely where a mutant has one.
//
//nolint:unused // by the sources; the mutants call it
func yield() { //nolint:unused // called where an edit says so
	for range rand.IntN(10) {
		runtime.Gosched()
	}
}

// stressed is the environment variable that has a test program only stress this many locks.
const stressed = "PRIMITIVES_STRESS"

// progress is a line that a test program writes now and then while it stresses locks.
const progress = "progress\n"

// silence is how long a test program may make no progress. It takes milliseconds for each.
const silence = 2 * time.Minute

func TestMutantsOfTheProtocolAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test program for each mutant; not with -short")
	}
	if n, err := strconv.Atoi(os.Getenv(stressed)); err == nil {
		stress(t, n, func(lock int) {
			if lock%1000 == 0 {
				fmt.Print(progress)
			}
		})
		return
	}
	t.Run("none: the edits that are no mistakes", func(t *testing.T) {
		slow := mutant{edits: []edit{slowTurn, slowPost, slowKnock, slowJoin, slowTakeBack, checkedGrant, smallBatch}}
		if out := stressMutant(t, slow.sources(t), 20_000); out != "" {
			t.Errorf("caught, and there is nothing to catch:\n%s", out)
		}
	})
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			if out := stressMutant(t, m.sources(t), 1_000_000); out == "" {
				t.Error("the stress test does not catch it")
			} else {
				t.Log(out)
			}
		})
	}
}

// sources returns the files of the mutant.
func (m mutant) sources(t *testing.T) map[string]string {
	files := map[string]string{}
	for _, e := range m.edits {
		text, edited := files[e.file]
		if !edited {
			original, err := os.ReadFile(filepath.FromSlash(e.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(original)
		}
		if n := strings.Count(text, e.from); n != 1 {
			t.Fatalf("%s has the text that the mutant replaces %d times, not once:\n%s", e.file, n, e.from)
		}
		files[e.file] = strings.Replace(text, e.from, e.to, 1)
	}
	return files
}

// leaveOut empties the test files that the stress does not need: a mutant is built in half the time
// without them.
func leaveOut(t *testing.T, files map[string]string) {
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tests {
		switch f {
		case "mutant_test.go", "stress_test.go", "main_test.go", "weighted_test.go", "norace_test.go":
		default:
			files[f] = "package primitives\n"
		}
	}
}

// stressMutant builds the tests with files changed, and runs the stress. It returns what was
// found, or "". A goroutine that waits for ever is found by the runtime, at once: there
// must be no timer, and no C code. Goroutines that spin for ever are found by the silence.
func stressMutant(t *testing.T, files map[string]string, locks int) string {
	t.Setenv("CGO_ENABLED", "0")
	program := filepath.Join(t.TempDir(), "mutant")
	leaveOut(t, files)
	run(t, "go", "test", "-c", "-vet=off", "-o", program, "-overlay", overlay(t, files), ".")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &output{silence: time.AfterFunc(silence, cancel)}
	cmd := exec.CommandContext(ctx, program, "-test.run=^TestMutantsOfTheProtocolAreCaught$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), stressed+"="+strconv.Itoa(locks))
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	out.silence.Stop()
	switch {
	case ctx.Err() != nil:
		return "no progress: goroutines spin for ever"
	case err == nil:
		return ""
	}
	text := strings.ReplaceAll(out.String(), progress, "")
	if i := strings.Index(text, "\n\n"); i >= 0 { // the goroutines
		text = text[:i]
	}
	return text
}

// output is what a test program writes. Each write puts off the end of the silence.
type output struct {
	bytes.Buffer
	silence *time.Timer
}

func (o *output) Write(p []byte) (int, error) {
	o.silence.Reset(silence)
	return o.Buffer.Write(p)
}
