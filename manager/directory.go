package manager

import (
	"hash/maphash"
	"sync"
)

// directory finds the keeper of a name, and makes it if there is none. There is one keeper for a
// name at any time.
//
// It is an index under mutexes, not an actor: it decides nothing, is held for the length of a map
// operation, and every acquire in the process passes through it, whatever its name; as an actor's
// turn it would be the one thing that all names wait for.
type directory struct {
	seed    maphash.Seed
	history histories
	shards  [64]shard
}

type shard struct {
	mu      sync.Mutex
	keepers map[string]*keeper
	past    counters // of keepers that have retired
	closed  bool
	_       [32]byte // neighbours' locks on other cache lines, near enough
}

func (d *directory) shard(name string) *shard {
	return &d.shards[maphash.String(d.seed, name)%uint64(len(d.shards))]
}

// keeper returns the keeper of the name; nil once the directory is closed.
func (m *Manager) keeper(name string) *keeper {
	s := m.dir.shard(name)
	s.mu.Lock()
	k, closed := s.keepers[name], s.closed
	s.mu.Unlock()
	if k != nil || closed {
		return k
	}
	return m.makeKeeper(name)
}

// makeKeeper makes the keeper of the name, unless there is one by now.
func (m *Manager) makeKeeper(name string) *keeper {
	key, kept := m.dir.history.of(name) // calls the user's function, so not under the mutex
	s := m.dir.shard(name)
	s.mu.Lock()
	k := s.keepers[name]
	if k != nil || s.closed {
		s.mu.Unlock()
		return k
	}
	k = newKeeper(m, name)
	k.key, k.kept = key, kept
	if s.keepers == nil {
		s.keepers = make(map[string]*keeper)
	}
	s.keepers[name] = k
	s.mu.Unlock()
	m.startPatrol()
	return k
}

// remove takes out a keeper that retires and adds its counts to the past, in one step, so that
// Stats counts nothing twice and misses nothing.
func (d *directory) remove(k *keeper) {
	s := d.shard(k.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keepers[k.name] != k {
		return
	}
	delete(s.keepers, k.name)
	if len(s.keepers) == 0 {
		s.keepers = nil // a map keeps the buckets it once needed
	}
	s.past.count(k.key, k.kept, func(c *Counters) { c.add(&k.counters) })
}

// count applies f to the counters of the name, for an acquire that no keeper has seen. A name that
// is not in use has no row, so its acquires count in the totals and in the history.
func (m *Manager) count(name string, f tally) {
	key, kept := m.dir.history.of(name)
	s := m.dir.shard(name)
	s.mu.Lock()
	k := s.keepers[name]
	if k == nil {
		s.past.count(key, kept, f)
	}
	s.mu.Unlock()
	if k != nil {
		k.mail.Deliver(f)
	}
}

// late counts what a keeper hears of after it has retired.
func (d *directory) late(k *keeper, count func(*Counters)) {
	s := d.shard(k.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.count(k.key, k.kept, count)
	count(&k.counters) // for a Stats that found the keeper before it retired
}

// refuse counts an acquire that came after Close.
func (d *directory) refuse(name string) {
	key, kept := d.history.of(name)
	s := d.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.count(key, kept, func(c *Counters) { c.refused(ErrClosed) })
}

// close refuses new keepers and returns those there are.
func (d *directory) close() []*keeper {
	ks, _ := d.all(true)
	return ks
}

// all returns every keeper and the sum of those that have retired.
func (d *directory) all(closing bool) (ks []*keeper, past counters) {
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		for _, k := range s.keepers {
			ks = append(ks, k)
		}
		past.add(&s.past)
		s.closed = s.closed || closing
		s.mu.Unlock()
	}
	return ks, past
}
