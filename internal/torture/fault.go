//go:build linux

package torture

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is something that breaks, or that is broken, for a while.
type Fault struct {
	Name string
	Text string

	// Outside says that exclusion without fencing does not survive the fault: a grant from before it
	// and one from after it may overlap, until the time to live of the first is over. Tokens still
	// increase, and the register still refuses stale writes. Why says what is lost. This is written
	// down before a run, and no other fault excuses an overlap.
	Outside bool
	Why     string

	Min, Max float64 // bounds of how long it lasts, in times to live
	Link     bool    // of the way between one process and the store

	process bool // of a worker process, whatever the store
}

// Faults of processes happen with every store.
var processFaults = []Fault{
	{Name: "kill", Text: "SIGKILL of a process, which is replaced", process: true},
	{Name: "stop", Text: "SIGSTOP for less than the time to live, then SIGCONT", Min: 0.1, Max: 0.8, process: true},
	{Name: "long-stop", Text: "SIGSTOP for longer than the time to live, then SIGCONT", Min: 1.3, Max: 2.5, process: true},
}

// redisFaults are those of a Redis server and of the way to it.
var redisFaults = []Fault{
	{Name: "restart", Text: "Redis is killed and started again, with its data"},
	{Name: "script-flush", Text: "SCRIPT FLUSH"},
	{Name: "client-pause", Text: "CLIENT PAUSE: the server answers nobody", Min: 0.2, Max: 1.5},
	{Name: "reset", Text: "all connections of all processes are cut"},
	{Name: "black-hole", Text: "the connections of a process are silent", Min: 1.2, Max: 3, Link: true},
	{Name: "slow-link", Text: "each way from and to a process takes a while longer", Min: 1, Max: 2, Link: true},
	{Name: "fading-link", Text: "answers to a process are late, and then its link is silent", Min: 2.4, Max: 4, Link: true},
	{Name: "late-link", Text: "answers to a process are so late that no renewal has one in time, and then its link is silent", Min: 2.4, Max: 3, Link: true},
	{Name: "lost-replies", Text: "the server executes a command, the answer is lost, the connection is cut", Min: 0.5, Max: 1.5, Link: true},
	{Name: "restart-empty", Text: "Redis is killed and started again without its data", Outside: true, Why: "all grants"},
	{Name: "flushall", Text: "FLUSHALL", Outside: true, Why: "all grants"},
	{Name: "eviction", Text: "the memory is full, and any key may be evicted", Min: 0.3, Max: 0.6, Outside: true, Why: "grants of the names that are evicted"},
}

// Step is one fault of a schedule.
type Step struct {
	Fault  Fault
	At     time.Duration // since the start of the round
	For    time.Duration
	Target int // the place of the process that it hits
}

// schedule makes the steps of one round, in the order of At: two tracks, one for the faults of
// processes and one for the others. Every fault comes once before any comes a second time.
func schedule(r *rand.Rand, c Config, faults []Fault) []Step {
	const warmUp = 500 * time.Millisecond
	settle := 2 * c.TTL
	var all []Step
	for _, process := range []bool{true, false} {
		var kinds []Fault
		for _, f := range faults {
			if f.process == process {
				kinds = append(kinds, f)
			}
		}
		if len(kinds) == 0 {
			continue
		}
		var queue []Fault
		for at := warmUp; ; {
			if len(queue) == 0 {
				queue = slices.Clone(kinds)
				r.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
			}
			f := queue[0]
			queue = queue[1:]
			s := Step{Fault: f, At: at, Target: r.IntN(c.Processes)}
			s.For = time.Duration((f.Min + r.Float64()*(f.Max-f.Min)) * float64(c.TTL))
			at += s.For + c.TTL/4 + time.Duration(r.Float64()*float64(c.TTL)/2)
			if at+settle > c.Duration {
				break
			}
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b Step) int { return int(a.At - b.At) })
	return all
}
