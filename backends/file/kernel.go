package file

import (
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// kernelLock is the lock that the kernel keeps on a name's lock file: exclusive for a mutex and a writer, shared for
// readers, so that flock(1) and everybody else who locks that file excludes us and is excluded. All readers of
// one Backend share one. It is never converted from one mode to another: the kernel would give the first up
// before it refuses the second.
type kernelLock struct {
	fd      int // -1: not open
	id      lockdir.FileID
	mode    lockdir.LockMode
	holds   int       // grants that rest on it
	changed time.Time // changeTime when the file last had its name for certain; zero: look the name up
}

func (k *kernelLock) close() {
	if k.fd >= 0 {
		lockdir.CloseFile(k.fd) // unlocks as well: nobody else has this open file
	}
	*k = kernelLock{fd: -1}
}

func modeOf(r *backends.Request) lockdir.LockMode {
	if r.Weight == r.Capacity {
		return lockdir.Exclusive
	}
	return lockdir.Shared
}

// lockKernel takes the kernel's lock for a call, if it needs one. False: somebody else has it.
func (r *resource) lockKernel(p *part) (bool, error) {
	if !lockdir.OnKernel(p.request.Kind) {
		return true, nil
	}
	ok, err := r.tryKernel(modeOf(&p.request))
	if ok {
		r.kernel.holds++
	}
	return ok, err
}

// tryKernel locks the lock file, and makes sure that it is still the one of that name.
func (r *resource) tryKernel(mode lockdir.LockMode) (bool, error) {
	k := &r.kernel
	const attempts = 16 // somebody would have to replace the file that often in between
	for range attempts {
		if k.fd < 0 {
			fd, id, err := r.b.dir.Open(r.stem+lockdir.LockEnding, true)
			if err != nil {
				return false, err
			}
			*k = kernelLock{fd: fd, id: id}
		}
		if k.holds > 0 && k.mode != mode {
			return false, nil // we ourselves, about to let go
		}
		if k.mode != mode {
			r.dropKernel() // a grant that ended in this turn may have left it in the other mode
			if ok, err := lockdir.TryLock(k.fd, mode); !ok {
				return false, err
			}
			k.mode = mode
		}
		switch err := r.named(); {
		case err == nil:
			return true, nil
		case !lockdir.Gone(err):
			r.dropKernel()
			return false, err
		default: // the file was removed or replaced before we locked it, or under our readers
			r.lose(lockdir.OnKernel, err)
			k.close()
		}
	}
	return false, lockdir.ErrReplaced
}

// named returns an error unless the lock file still has its name. Looking a name up is the dearest call of an uncontended use,
// three times as dear as asking an open file when its inode was changed: while that time stays the same since the file was last seen
// under its name, it has not been renamed, replaced or removed either. The time is asked for first, so that what happens between the
// two calls counts as a change; and it must be so far back that the next change cannot bear the same time.
func (r *resource) named() error {
	k := &r.kernel
	changed := r.b.dir.ChangeTime(k.fd)
	if !changed.IsZero() && changed.Equal(k.changed) {
		return nil
	}
	k.changed = time.Time{}
	if err := r.b.dir.Holds(r.stem+lockdir.LockEnding, k.id); err != nil {
		return err
	}
	if time.Since(changed) > r.b.timing.coarse {
		k.changed = changed
	}
	return nil
}

// dropKernel unlocks when no grant rests on the lock any more.
func (r *resource) dropKernel() {
	if k := &r.kernel; k.holds == 0 && k.mode != lockdir.Unlocked {
		lockdir.Unlock(k.fd)
		k.mode = lockdir.Unlocked
	}
}

// checkPlace looks whether the directory and the lock file of our grants are still there. If the file is not, the kernel's lock
// excludes nobody any more and they are lost. Nobody in the table has been granted meanwhile, for our lines are still there.
func (r *resource) checkPlace() {
	if err := r.b.dir.Intact(); lockdir.Gone(err) {
		r.loseDirectory(err)
		return
	}
	if r.kernel.fd < 0 {
		return
	}
	if err := r.b.dir.Holds(r.stem+lockdir.LockEnding, r.kernel.id); lockdir.Gone(err) {
		r.lose(lockdir.OnKernel, err)
		r.kernel.close()
	}
}

// loseDirectory ends everything of ours, since the directory has gone: whoever comes from now on uses another one. The calls to
// come are refused where they open the table, if not before.
func (r *resource) loseDirectory(err error) {
	r.loseAll(err)
	for _, p := range r.parts { // who is left waits
		r.leave(p, r.unavailable(err))
	}
	r.turn.gone = err
}

func (r *resource) loseSemaphores(err error) {
	r.lose(func(k backends.Kind) bool { return !lockdir.OnKernel(k) }, err)
}

func (r *resource) loseAll(err error) {
	r.lose(func(backends.Kind) bool { return true }, err)
}

// lose ends all grants of some kinds because what they rested on is gone.
func (r *resource) lose(kinds func(backends.Kind) bool, cause error) {
	for _, p := range r.parts {
		if p.state == granted && kinds(p.request.Kind) {
			r.loseOne(p, backends.BackendLost, cause)
		}
	}
}

func (r *resource) loseOne(p *part, reason backends.LostReason, cause error) {
	r.end(p)
	switch {
	case r.tab == nil:
	case reason == backends.Broken && lockdir.Drop(&r.tab.Holders, p.id) >= 0,
		reason != backends.Broken && r.tab.EndGrant(p.id, lockdir.Now()):
		r.turn.dirty, r.turn.moved = true, true
	}
	r.tell(p, backends.Lost, &backends.LostError{Name: r.name, Token: p.token, Reason: reason, Cause: cause})
}

// end takes a request out of our books. Its line in the table is the caller's business.
func (r *resource) end(p *part) {
	switch p.state {
	case waiting:
		r.waiters--
	case granted:
		if lockdir.OnKernel(p.request.Kind) {
			r.kernel.holds--
		}
	}
	p.state = over
	delete(r.parts, p.id.Seq)
}

func (r *resource) tell(p *part, t backends.EventType, err error) {
	if p.request.Notify != nil {
		r.turn.events = append(r.turn.events, event{p.request.Notify, backends.Event{Grant: p.id, Type: t, Err: err}})
	}
}
