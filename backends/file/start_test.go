//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// warm opens the files of names, as their first use does.
func warm(t *testing.T, b *Backend, rs ...backends.Request) {
	t.Helper()
	for _, r := range rs {
		mustRelease(t, b, mustAcquire(t, b, r))
	}
}

// task is an operation whose answers are collected.
type task struct {
	op       *backends.Op
	work     backends.Work // as Start returned it
	granted  chan answer
	released chan answer
}

type answer struct {
	i     int
	grant backends.Grant
	err   error
}

func begin(b backends.Backend, op backends.Op) *task {
	o := &task{op: &op, granted: make(chan answer, 100), released: make(chan answer, 100)}
	op.Granted = func(i int, g backends.Grant, err error) { o.granted <- answer{i, g, err} }
	op.Released = func(i int, err error) { o.released <- answer{i: i, err: err} }
	o.work = b.Start(&op)
	return o
}

// run runs the work, if there is any.
func (o *task) run(ctx context.Context) *task {
	if o.work != nil {
		o.work(ctx)
	}
	return o
}

// answers waits for the answer of each request.
func (o *task) answers(t *testing.T) []answer {
	t.Helper()
	all := make([]answer, len(o.op.Acquire))
	for range all {
		select {
		case a := <-o.granted:
			all[a.i] = a
		case <-patient(t).Done():
			t.Fatal("an answer is missing")
		}
	}
	if len(o.granted) > 0 {
		t.Fatalf("one answer too many: %+v", <-o.granted)
	}
	return all
}

// grants waits until all requests are granted.
func (o *task) grants(t *testing.T) (gs []backends.Grant) {
	t.Helper()
	for _, a := range o.answers(t) {
		if a.err != nil {
			t.Fatalf("request %d: %v", a.i, a.err)
		}
		gs = append(gs, a.grant)
	}
	return gs
}

// atOnce starts an operation until the client does it in the call: another client may be at the
// table, or the files may have been idle for too long. In between it does what repair says.
func atOnce(t *testing.T, b *Backend, op backends.Op, repair func(*task)) *task {
	t.Helper()
	for ctx := patient(t); ctx.Err() == nil; {
		o := begin(b, op)
		if o.work == nil {
			return o
		}
		o.run(ctx)
		repair(o)
		runtime.Gosched()
	}
	t.Fatal("Start always returns work")
	return nil
}

func grantedNow(t *testing.T, b *Backend, r backends.Request) backends.Grant {
	t.Helper()
	o := atOnce(t, b, backends.Op{Acquire: []backends.Request{r}}, func(o *task) { mustRelease(t, b, o.grants(t)[0]) })
	return o.grants(t)[0]
}

func busyNow(t *testing.T, b *Backend, r backends.Request) {
	t.Helper()
	o := atOnce(t, b, backends.Op{Acquire: []backends.Request{r}}, func(*task) {})
	if a := o.answers(t)[0]; !errors.Is(a.err, backends.ErrBusy) {
		t.Fatalf("try: %+v; want ErrBusy", a)
	}
}

func TestStartAtOnceExcludesAndCountsOn(t *testing.T) {
	for what, r := range map[string]backends.Request{
		"mutex": mutex("db"), "reader": reader("db"), "writer": writer("db"), "semaphore": permits("db", 2, 3),
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			all := r
			all.Weight = all.Capacity
			if o := begin(a, backends.Op{Acquire: []backends.Request{r}}); o.work == nil {
				t.Error("no work, but no files are open")
			} else {
				mustRelease(t, a, o.run(patient(t)).grants(t)[0])
			}
			warm(t, b, r)
			var last uint64
			for range 20 {
				g := grantedNow(t, a, r)
				if g.Token <= last {
					t.Fatalf("token %d after %d", g.Token, last)
				}
				last = g.Token
				warm(t, b, permits("other", 1, 1))
				mustBeBusy(t, b, all)
				busyNow(t, b, all)
				for _, c := range []*Backend{b, a, a} {
					o := begin(c, backends.Op{Release: []backends.Grant{g}}).run(patient(t))
					if err := (<-o.released).err; (err == nil) != (c == a && last > 0) && !errors.Is(err, backends.ErrLost) {
						t.Fatalf("release: %v", err)
					}
				}
			}
			g := mustAcquire(t, b, all) // nothing was left
			if g.Token <= last {
				t.Errorf("token %d after %d", g.Token, last)
			}
			mustRelease(t, b, g)
		})
	}
}

// A release at once wakes whoever waits, and a try at once does not overtake it.
func TestStartAtOnceKeepsTheQueue(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	for _, r := range []backends.Request{mutex("db"), permits("permits", 1, 1)} {
		warm(t, a, r)
		g := grantedNow(t, a, r)
		w := enqueue(t, b, r)
		busyNow(t, a, r)
		begin(a, backends.Op{Release: []backends.Grant{g}}).run(patient(t))
		mustRelease(t, b, w.granted())
	}
}

// Where another process has the table locked, Start leaves the wait to its work, and Cancel does not
// wait at all. Work ends with its context.
func TestStartAndCancelNeverWait(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	db, more := mutex("db"), permits("permits", 1, 1)
	warm(t, b, db, more)
	g := grantedNow(t, b, more)
	var locked []*os.File
	for _, name := range []string{"db", "permits"} {
		stuck, err := os.OpenFile(dir+"/"+name+lockdir.TableEnding, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer stuck.Close()
		if ok, err := lockdir.TryLock(int(stuck.Fd()), lockdir.Exclusive); !ok || err != nil {
			t.Fatalf("the table could not be locked: %v, %v", ok, err)
		}
		locked = append(locked, stuck)
	}
	for _, rs := range [][]backends.Request{{db}, {db, more}} {
		o := begin(b, backends.Op{Acquire: rs, Wait: true})
		if o.work == nil {
			t.Fatal("no work, but the table is locked")
		}
		worked := make(chan struct{})
		go func() { o.run(patient(t)); close(worked) }()
		if work := b.Cancel(o.op); work != nil {
			work(patient(t))
		}
		for _, a := range o.answers(t) {
			if !errors.Is(a.err, context.Canceled) {
				t.Errorf("%+v; want Canceled", a)
			}
		}
		defer func() { <-worked }()
	}
	o := begin(b, backends.Op{Release: []backends.Grant{g}, Acquire: []backends.Request{db}, Wait: true})
	if o.work == nil {
		t.Fatal("no work, but the table is locked")
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	o.run(ctx)
	if err := (<-o.released).err; !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("release: %v; want ErrUnavailable", err)
	}
	if a := o.answers(t)[0]; !errors.Is(a.err, context.Canceled) {
		t.Errorf("%+v; want Canceled", a)
	}
	for _, f := range locked {
		lockdir.Unlock(int(f.Fd()))
	}
	mustRelease(t, b, mustAcquire(t, b, more)) // it was released in the background
	mustRelease(t, b, mustAcquire(t, b, db))   // and nothing was left in a queue
}

func TestStartWithReplacedFiles(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	for _, ending := range []string{lockdir.TableEnding, lockdir.LockEnding} {
		for _, r := range []backends.Request{mutex("db"), permits("permits", 1, 1)} {
			warm(t, b, r)
			if err := os.Remove(dir + "/" + r.Name + ending); err != nil {
				continue // a semaphore has no lock file
			}
			o := begin(b, backends.Op{Acquire: []backends.Request{r}})
			mustRelease(t, b, o.run(patient(t)).grants(t)[0])
			warm(t, b, r)
			if _, err := os.Stat(dir + "/" + r.Name + ending); err != nil && r.Kind == backends.Semaphore {
				t.Errorf("in use without its file: %v", err)
			}
		}
	}
}

// A call that may take as long as a disk or a server is not made in another actor's turn.
func TestNothingIsDoneAtOnceOnASlowStore(t *testing.T) {
	for what, opt := range map[string]Option{"sync": WithSync(), "any file system": WithAnyFileSystem()} {
		t.Run(what, func(t *testing.T) {
			b := sleepless(t, t.TempDir()+"/locks", opt)
			g := mustAcquire(t, b, mutex("db"))
			o := begin(b, backends.Op{Release: []backends.Grant{g}, Acquire: []backends.Request{mutex("db")}})
			if o.work == nil {
				t.Fatal("Start returns no work")
			}
			mustRelease(t, b, o.run(patient(t)).grants(t)[0])
		})
	}
}

// An operation has one step for each name, in one order, with its releases in their order and its
// request: no step looks for these among all others.
func TestOperationHasOneStepForEachName(t *testing.T) {
	b := sleepless(t, t.TempDir()+"/locks")
	op := &backends.Op{Wait: true}
	for i := range 15 {
		g := mustAcquire(t, b, permits(fmt.Sprint("name", i%5), 1, 3))
		op.Release = append(op.Release, g)
		op.Acquire = append(op.Acquire, permits(fmt.Sprint("name", i+3), 1, 3))
	}
	o := b.newOperation(op)
	o.plan()
	if len(o.steps) != 18 {
		t.Errorf("%d steps for 18 names", len(o.steps))
	}
	releases, parts := 0, 0
	for k, s := range o.steps {
		if k > 0 && o.steps[k-1].stem >= s.stem {
			t.Errorf("step %q after %q", s.stem, o.steps[k-1].stem)
		}
		for l := s.releases; l != nil; l = l.next {
			releases++
			if l.name != s.name || l.next != nil && l.next.index <= l.index {
				t.Errorf("the step for %q has release %d, of %q, before others", s.name, l.index, l.name)
			}
		}
		if p := s.part; p != nil {
			parts++
			if p.request.Name != s.name || p.step != k {
				t.Errorf("step %d, for %q, has the request of step %d, for %q", k, s.name, p.step, p.request.Name)
			}
		}
	}
	if releases != len(op.Release) || parts != len(op.Acquire) {
		t.Errorf("the steps have %d releases and %d requests, want %d and %d",
			releases, parts, len(op.Release), len(op.Acquire))
	}
	for _, a := range begin(b, *op).run(patient(t)).grants(t) {
		mustRelease(t, b, a)
	}
}
