package manager

import (
	"runtime/pprof"
	"sync"
)

// profiles are those of all managers of the process.
type profiles struct{ holders, waiters *pprof.Profile }

// profileSkip makes a stack begin at the exported method: it leaves out Add, sight or end, and
// their caller.
const profileSkip = 3

// theProfiles makes the profiles when the first manager wants them.
var theProfiles = sync.OnceValue(func() *profiles {
	get := func(name string) *pprof.Profile {
		if p := pprof.Lookup(name); p != nil { // of another version of this package
			return p
		}
		return pprof.NewProfile(name)
	}
	return &profiles{get("lockkeeper.holders"), get("lockkeeper.waiters")}
})

// WithProfiles fills two profiles of runtime/pprof: lockkeeper.holders has the stacks of the
// acquires whose leases are held now, lockkeeper.waiters of those that have not returned. An All is
// one entry. All managers of the process share the profiles, and [net/http/pprof] serves them:
//
//	go tool pprof http://localhost:6060/debug/pprof/lockkeeper.holders
//
// It costs about twice an uncontended acquire in memory, and makes acquires of all goroutines take
// turns at two mutexes. Default: no profiles.
func WithProfiles() Option {
	return Option{func(c *config) error {
		c.observer.on, c.observer.sites, c.observer.profiles = true, true, theProfiles()
		return nil
	}}
}
