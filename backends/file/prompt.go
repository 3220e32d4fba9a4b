package file

import (
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

var _ backends.Prompt = (*Backend)(nil)

// TryAcquireNow grants the request if its files are open, nobody is changing the table, and nobody is in the way. See
// [backends.Prompt]. It makes the system calls of one use, which are some microseconds long on a local file system; with
// [WithSync] or [WithAnyFileSystem], where they may take as long as a disk or a server, it never grants.
func (b *Backend) TryAcquireNow(r backends.Request) (backends.Grant, bool) {
	res := b.opened(r.Name)
	if res == nil || r.Check(capabilities) != nil {
		return backends.Grant{}, false
	}
	c := b.newCall()
	c.request = r
	if !res.actor.TryDeliver(message{verb: tryNow, call: c}) {
		b.finish(c)
		return backends.Grant{}, false
	}
	<-c.done // it was answered: see resource.prompt
	b.finish(c)
	return c.grant, c.err == nil
}

// ReleaseNow gives a grant back if nobody else is changing the table. See [backends.Prompt].
func (b *Backend) ReleaseNow(g backends.Grant) (ok bool, err error) {
	res := b.opened(g.Resource.Name)
	if res == nil {
		return false, nil
	}
	c := b.newRelease(g)
	if !res.actor.TryDeliver(message{verb: releaseNow, call: c}) {
		b.finishRelease(c)
		return false, nil
	}
	<-c.done
	err = c.err
	b.finishRelease(c)
	if err == errNotNow { //nolint:errorlint // ours, unwrapped
		return false, nil
	}
	return true, wrap("release", g.Resource.Name, err)
}

// opened returns the live resource of that name, which has its files open as a rule. It makes none: one that
// answers nothing but "not now" would never retire.
func (b *Backend) opened(name string) *resource {
	if b.slow {
		return nil
	}
	r, _ := b.resources.Load(stem(name))
	res, _ := r.(*resource)
	return res
}

var errNotNow = errors.New("not without waiting") // never leaves the package

// prompt handles a tryNow or a releaseNow before it returns, or declines it.
func (r *resource) prompt(m message) {
	if r.retired || r.locking || len(r.pending) > 0 || r.table.fd < 0 || r.b.closing.Load() {
		m.call.fail(errNotNow)
		return
	}
	r.used = true
	if m.verb == releaseNow && r.letGo(m.call) {
		r.afterLetGo()
		return
	}
	if ok, err := tryLock(r.table.fd, exclusive); !ok || err != nil {
		m.call.fail(errNotNow)
		return
	}
	r.pending = append(r.pending, m)
	r.resume(nil)
}

// declinePending takes out what was to be done at once and cannot be: the table was replaced, and to open and lock the
// new one may take a while.
func (r *resource) declinePending() {
	r.pending = slices.DeleteFunc(r.pending, func(m message) bool {
		now := m.verb == tryNow || m.verb == releaseNow
		if now {
			m.call.fail(errNotNow)
		}
		return now
	})
}
