//go:build linux

package torture

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Config says how a round is run.
type Config struct {
	Seed       uint64
	Duration   time.Duration
	Processes  int // at a time
	Goroutines int // in each
	TTL        time.Duration
	Heartbeat  time.Duration // of clients that have one
	Mutant     string        // name of a seeded bug; empty: none
	Faults     []string      // names of the only faults; empty: all
	Program    string        // of the workers; empty: this one
	Keep       bool          // the histories, also if nothing was found
}

// Defaults returns the configuration of a round, but for its seed.
func Defaults() Config {
	return Config{
		Duration: time.Minute, Processes: 3, Goroutines: 9,
		TTL: 1200 * time.Millisecond, Heartbeat: 600 * time.Millisecond,
	}
}

// A Store is a kind of store that can be put to the test.
type Store struct {
	Name   string
	Extra  bool            // not by default
	Slots  bool            // a request for several names takes its places slot by slot, the next when it has the one before
	Faults []Fault         // besides those of processes
	Leaks  []goleak.Option // of goroutines that its client library leaves behind

	// Open opens a client of the store at the address. It is called in the workers and the director.
	Open func(c Config, address string) (backends.Backend, error)
	// Start starts a store for one round. It ends with the stage.
	Start func(s *Stage, c Config) Bed
}

// A Bed is a store that runs, and what makes it fail. Address is for any goroutine, the other
// methods for one at a time.
type Bed interface {
	Address(place int) string // for the worker at this place; -1: the director
	Cause(s Step)             // causes a fault that is none of a process, and returns when it is over
	Left() []string           // what is there after everything was released
}

// part is what a worker process has to know.
type part struct {
	Config
	Store   string
	Process string
	Place   int
	Address string
	Dir     string
	Start   int64 // history.Now at the start of the round
}

// variable has the part of a process that is a worker.
const variable = "LOCKKEEPER_TORTURE_WORKER"

// Worker plays the part of a worker and ends the process, if it was started as one. Main programs
// and TestMain call it first.
func Worker(stores ...Store) {
	goredis.SetLogger(silent{}) // first: the library's variable must not be written while clients run
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = work(p, find(stores, p.Store))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "worker %s: %v\n", p.Process, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func find(stores []Store, name string) Store {
	for _, s := range stores {
		if s.Name == name {
			return s
		}
	}
	panic("bug: no store is called " + name)
}

// random returns a source of random numbers that follows from the seed and what it is for.
func random(seed uint64, what ...any) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprintln(h, what...)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// A resource is one of the names that the workers use.
type resource struct {
	name     string
	kind     backends.Kind
	capacity int64
}

// window is how long one of the names with checked calls is used.
const window = 2 * time.Second

// The names of a round.
var (
	mutexes = mutexesOf("m", 3)
	longs   = mutexesOf("long", 5)
	shared  = resource{"rw", backends.ReadWrite, backends.ReadWriteCapacity}
	permits = resource{"permits", backends.Semaphore, 5}
	hourly  = resource{"least", backends.Mutex, 1}
	baton   = resource{"baton", backends.Mutex, 1}
	leader  = resource{"leader", backends.Mutex, 1}
)

func mutexesOf(name string, n int) []resource {
	var all []resource
	for i := range n {
		all = append(all, resource{name + strconv.Itoa(i), backends.Mutex, 1})
	}
	return all
}

func windowed(i int) resource {
	return resource{"window" + strconv.Itoa(i), backends.Mutex, 1}
}

// resources returns all names of a round.
func (c Config) resources() []resource {
	all := append([]resource{shared, permits, hourly, baton, leader}, mutexes...)
	all = append(all, longs...)
	for i := range c.windows() {
		all = append(all, windowed(i))
	}
	return all
}

func (c Config) windows() int { return int(c.Duration/window) + 1 }
