package manager

import "sync"

// MaxHistory is how many keys the history has at most, see [WithHistory].
const MaxHistory = 256

// WithHistory keeps the counters of names that are not live any more, in Stats.History. The
// function tells under which key a name counts, or false for none. It makes one key of many names,
// "user:*" of "user:123" say, or keeps those that it knows, see [OnlyNames]. The counters of a key
// never go back. The first [MaxHistory] keys are kept, further ones only count in the totals.
//
// The function is called when a name comes into use, on the goroutine of an acquire or on one of
// the manager's own. It must be quick, safe for concurrent use, and give the same key for the same
// name. If it panics, the name has no history. Default: no history.
func WithHistory(key func(name string) (key string, ok bool)) Option {
	return Option{func(c *config) error {
		c.historyKey = key
		if key == nil {
			return &InvalidError{Field: "history", Value: nil, Want: "a function"}
		}
		return nil
	}}
}

// OnlyNames returns a function for [WithHistory] that keeps these names, each under itself.
func OnlyNames(names ...string) func(name string) (key string, ok bool) {
	kept := make(map[string]bool, len(names))
	for _, name := range names {
		kept[name] = true
	}
	return func(name string) (string, bool) { return name, kept[name] }
}

// histories decides which names have one.
type histories struct {
	key func(string) (string, bool) // nil: none has

	mu   sync.Mutex
	keys map[string]bool // of all shards
}

// of returns the key of a name. The answer for a key never changes.
func (h *histories) of(name string) (key string, kept bool) {
	if h.key == nil {
		return "", false
	}
	defer func() {
		if recover() != nil {
			key, kept = "", false
		}
	}()
	if key, kept = h.key(name); !kept {
		return "", false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.keys[key] {
		if len(h.keys) >= MaxHistory {
			return "", false
		}
		if h.keys == nil {
			h.keys = make(map[string]bool)
		}
		h.keys[key] = true
	}
	return key, true
}

// counters are those that a shard keeps of retired keepers: the sum, and by the keys of the
// history. The mutex of the shard protects them, so one look sees either a keeper or its counts
// here.
type counters struct {
	sum   Counters
	byKey map[string]*Counters
}

// count applies f, for a name with this key.
func (c *counters) count(key string, kept bool, f func(*Counters)) {
	f(&c.sum)
	if kept {
		f(c.at(key))
	}
}

func (c *counters) at(key string) *Counters {
	if c.byKey == nil {
		c.byKey = make(map[string]*Counters)
	}
	n := c.byKey[key]
	if n == nil {
		n = new(Counters)
		c.byKey[key] = n
	}
	return n
}

func (c *counters) add(o *counters) {
	c.sum.add(&o.sum)
	for key, n := range o.byKey {
		c.at(key).add(n)
	}
}
