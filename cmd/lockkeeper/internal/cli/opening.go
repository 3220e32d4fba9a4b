package cli

import (
	"time"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/manager"
)

// opened is the store that run uses.
type opened struct {
	where   store.Store
	manager *manager.Manager
	done    func(within time.Duration) // closes the manager and the store
	err     error
}

// prepare looks for the command and opens the store. It reads files, which may hang.
func (r *runCmd) prepare(argv []string) (o opened) {
	// A command that cannot be run is refused before others have to wait for it.
	if len(argv) > 0 {
		if _, o.err = command.Find(argv[0]); o.err != nil {
			return o
		}
	}
	if o.where, o.err = store.Parse(r.Store); o.err == nil {
		o.manager, o.done, o.err = r.open(o.where)
	}
	return o
}

// opening returns what prepare returns. A signal, or the front's death, ends the wait for it: a
// directory on a server that is down can hang for ever. Nothing is held then, and the process ends.
func opening(link *command.Link, prepare func() opened) (opened, *command.Signal, error) {
	done := command.Background("open", prepare, func(err error) opened { return opened{err: err} })
	var sigs <-chan command.Signal
	var gone <-chan struct{}
	if link != nil {
		sigs, gone = link.Sigs, link.Gone
	}
	select { // both ready: a signal found later ends the wait for the lock
	case o := <-done:
		return o, nil, o.err
	case sig := <-sigs:
		return opened{}, &sig, nil
	case <-gone:
		return opened{}, nil, errFrontDied
	}
}
