package backendtest

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Env is a store under test. Open is required, the rest may be left out.
type Env struct {
	// Open returns a further client of the store, which the suite closes. Clients stand to each other as those of
	// different processes do.
	Open func(t testing.TB) backends.Backend

	// Crash ends a client as SIGKILL ends its process: without a release, a goodbye, or a goroutine left behind. The
	// suite does not use the client afterwards.
	Crash func(t testing.TB, b backends.Backend)

	// CutOff makes the store unreachable for a client, until restore is called.
	CutOff func(t testing.TB, b backends.Backend) (restore func())

	// Listens returns when a client that holds something hears messages. Default: it does when it is
	// granted something.
	Listens func(t testing.TB, b backends.Backend)

	// Together returns n names that the store takes in one step. Default: any names. It is for a
	// cluster, where names of one slot are such names.
	Together func(t testing.TB, n int) []string

	// TTL is what the clauses about expiry ask for. Default: one second.
	TTL time.Duration

	// Patience bounds how long the suite waits for an event that must come. Default: two minutes,
	// for a busy machine.
	Patience time.Duration

	// Rounds is how often clauses about races try. Default: 200, a tenth of it with -short.
	Rounds int
}

// Clause is one sentence of the contract and the code that tries to refute it.
type Clause struct {
	Name string // of the subtest
	Text string // what is promised

	needs func(s *session) string // says why the clause cannot be checked, if so; nil: it always can
	check func(s *session)
}

// Clauses returns the contract.
func Clauses() []Clause {
	var all []Clause
	for _, group := range [][]Clause{
		exclusion, queue, cancellation, tokens, renewal, release, events,
		operations, several, severalNone, input, views, busy, repair, closing, expiry, faults, atLeast, detach, storm,
	} {
		all = append(all, group...)
	}
	return all
}

// Run runs every clause as a subtest, against a store of its own.
func Run(t *testing.T, open func(t testing.TB) Env) {
	for _, c := range Clauses() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open(t)) })
	}
}

// Run runs the clause.
func (c Clause) Run(t testing.TB, env Env) {
	t.Helper()
	if env.TTL == 0 {
		env.TTL = time.Second
	}
	if env.Patience == 0 {
		env.Patience = 2 * time.Minute
	}
	if env.Rounds == 0 {
		if env.Rounds = 200; testing.Short() {
			env.Rounds = 20
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the contract says: %s", c.Text)
		}
	})
	s := newSession(t, env)
	if c.needs != nil {
		if missing := c.needs(s); missing != "" {
			t.Skipf("not checked, for %s: %s", missing, c.Text)
		}
	}
	c.check(s)
}
