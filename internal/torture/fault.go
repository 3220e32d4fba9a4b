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

	// Reach is for how long after the fault, besides the time to live, a holder may take its grant for
	// valid that is not.
	Reach time.Duration

	// Back says that the server's clock goes back. Tokens follow that clock, and the last one given out:
	// where the data is lost at about the same time, those that come are smaller until the clock has
	// passed the last one.
	Back bool

	// Split says that for a while there may be two servers that grant.
	Split bool

	// Behind says that the store may have forgotten the last things that it has answered, and grants
	// nothing until no holder relies on them.
	Behind bool

	Min, Max float64 // bounds of how long it lasts, in times to live
	Link     bool    // of the way between one process and the store

	process bool // of a worker process, whatever the store
}

// ClockReach is the Reach of a server's clock that is set ahead: by three times to live of a second or
// so, and seen by a process when it has asked for the time again, which it may be stopped before.
const ClockReach = 7 * time.Second

// limited is a Bed that cannot cause all faults on every machine.
type limited interface{ Can(f Fault) bool }

// Faults of processes happen with every store.
var processFaults = []Fault{
	{Name: "kill", Text: "SIGKILL of a process, which is replaced", process: true},
	{Name: "stop", Text: "SIGSTOP for less than the time to live, then SIGCONT", Min: 0.1, Max: 0.8, process: true},
	{Name: "long-stop", Text: "SIGSTOP for longer than the time to live, then SIGCONT", Min: 1.3, Max: 2.5, process: true},
	{Name: "no-descriptors", Text: "a process cannot open any file or connection", Min: 0.3, Max: 1.5, process: true},
}

// fileFaults are those of a file system.
var fileFaults = []Fault{
	{Name: "full-disk", Text: "the file system has no room (where the program may mount one)", Min: 0.3, Max: 1.5},
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
	{Name: "max-clients", Text: "the server has cut all connections, and takes no new ones", Min: 0.3, Max: 1.5},
	{Name: "full-disk", Text: "the disk of the server is full: it refuses to write", Min: 0.3, Max: 1.5},
	{Name: "clock-back", Text: "the clock of the server is set back, for good", Min: 0.5, Max: 1.5, Back: true},
	{Name: "clock-ahead", Text: "the clock of the server is set ahead by more than the time to live, for good", Min: 1, Max: 3, Outside: true, Reach: ClockReach, Why: "grants that are over by that clock"},
	{Name: "restart-empty", Text: "Redis is killed and started again without its data", Outside: true, Why: "all grants"},
	{Name: "flushall", Text: "FLUSHALL", Outside: true, Why: "all grants"},
	{Name: "eviction", Text: "the memory is full, and any key may be evicted", Min: 0.3, Max: 0.6, Outside: true, Why: "grants of the names that are evicted"},
}

// sentinelFaults are those of a primary, its replica, and the sentinels that watch them.
var sentinelFaults = []Fault{
	{Name: "script-flush", Text: "SCRIPT FLUSH"},
	{Name: "reset", Text: "all connections to the primary are cut"},
	{Name: "no-sentinels", Text: "the sentinels are killed and started again", Min: 0.3, Max: 1.5},
	{Name: "primary-stops", Text: "SIGSTOP of the primary, so briefly that it stays the primary", Min: 0.05, Max: 0.3},
	{Name: "primary-dies", Text: "the primary is killed, the replica is promoted", Outside: true, Split: true, Why: "grants that the replica did not have"},
	{Name: "two-primaries", Text: "SIGSTOP of the primary until the replica is promoted, then SIGCONT: two primaries for a while", Min: 0.3, Max: 1.5, Outside: true, Split: true, Why: "what the old primary granted meanwhile, and what the replica did not have"},
	{Name: "switch", Text: "SENTINEL FAILOVER: the replica is promoted though the primary lives", Outside: true, Split: true, Why: "grants that the replica did not have"},
}

// clusterFaults are those of a cluster of three primaries with a replica each.
var clusterFaults = []Fault{
	{Name: "script-flush", Text: "SCRIPT FLUSH of all nodes"},
	{Name: "reset", Text: "all connections to a primary are cut"},
	{Name: "primary-stops", Text: "SIGSTOP of a primary, so briefly that it stays the primary", Min: 0.05, Max: 0.3},
	{Name: "slot-moves", Text: "the slot of a name moves to another primary while it is used"},
	{Name: "planned-failover", Text: "CLUSTER FAILOVER: a replica takes over when it has everything"},
	{Name: "primary-dies", Text: "a primary is killed, its replica takes over", Outside: true, Split: true, Why: "grants that the replica did not have"},
}

// Step is one fault of a schedule.
type Step struct {
	Fault  Fault
	At     time.Duration // since the start of the round
	For    time.Duration
	Target int // the place of the process that it hits
}

// settle is how long before the end nothing is broken any more.
func settle(c Config) time.Duration { return 2 * c.TTL }

// schedule makes the steps of one round, in the order of At: two tracks, one for the faults of
// processes and one for the others. Every fault comes once before any comes a second time.
func schedule(r *rand.Rand, c Config, faults []Fault) []Step {
	const warmUp = 500 * time.Millisecond
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
			if at+settle(c) > c.Duration {
				break
			}
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b Step) int { return int(a.At - b.At) })
	return all
}
