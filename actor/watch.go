package actor

// A watch is one actor's interest in another's end.
type watch struct {
	watcher *core
	target  *core
	ended   func(err error) // posts the message; on the goroutine of the actor that ended
}

// Watch makes a message of s when target ends, at once if it has ended already. The message is what
// ended makes of the target's [Ref.Err], on s's goroutine; it goes ahead of the mailbox. A restart
// is not an end. A watch ends with the watcher, or when that restarts. Two watches of one target
// are two messages. Watch is for the watcher's own goroutine. It panics if ended is nil.
func Watch[M, N any](s *Self[M], target Ref[N], ended func(err error) M) {
	if ended == nil {
		panic("actor: Watch needs a function that makes the message")
	}
	c := s.cell
	tell := func(w *watch, err error) {
		c.post(&signal{call: func(over bool) error {
			if over {
				return nil
			}
			if w != nil {
				if _, watching := c.extras.watching[w]; !watching { // of an earlier life
					return nil
				}
				delete(c.extras.watching, w)
			}
			return c.handle(envelope[M]{msg: ended(err)})
		}})
	}
	if target.cell == nil {
		tell(nil, ErrStopped)
		return
	}
	if t := &target.cell.core; t.away() && !t.left.Load() {
		panic(t.errAway())
	}
	w := &watch{watcher: &c.core, target: &target.cell.core}
	w.ended = func(err error) { tell(w, err) }
	x := c.extra()
	if x.watching == nil {
		x.watching = make(map[*watch]struct{})
	}
	x.watching[w] = struct{}{}
	if !w.target.addWatch(w) {
		w.ended(w.target.fate())
	}
}

// addWatch reports false if the actor has left already.
func (c *core) addWatch(w *watch) bool {
	c.system.mu.Lock()
	defer c.system.mu.Unlock()
	if c.left.Load() {
		return false
	}
	k := c.kinship()
	if k.watchers == nil {
		k.watchers = make(map[*watch]struct{})
	}
	k.watchers[w] = struct{}{}
	return true
}

// unwatch takes back all that this actor watches.
func (x *extras) unwatch() {
	for w := range x.watching {
		w.target.system.mu.Lock()
		delete(w.target.kin.watchers, w)
		w.target.system.mu.Unlock()
	}
	x.watching = nil
}
