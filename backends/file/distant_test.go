package file

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// distant is a Backend in a process of its own, which can be killed. It speaks with the helper "client" by lines, each
// a gob in base64.
type distant struct {
	p    *proctest.Process
	done chan struct{} // closed when the process has ended

	mu      sync.Mutex
	last    int
	calls   map[int]chan result
	ops     map[int]*distantOp
	stopped bool
}

// order is what the test tells the client, result what it answers.
type order struct {
	ID      int
	Op      string // a method; "end" for the context of order ID
	Name    string
	Acquire []backends.Request
	Release []backends.Grant
	Wait    bool
	Renew   []backends.Renewal
	Done    bool // the context has ended already
	None    bool // there is no context
}

type result struct {
	ID      int
	Of      string // the answer's kind, of an operation: see distantOp
	Part    int
	Event   *backends.Event // with the error apart
	Grant   backends.Grant
	Renewed []backends.Renewed // without their errors
	Errs    []failure          // their errors
	States  []backends.State
	Err     failure
}

// failure is an error on its way between processes.
type failure struct {
	Text string
	Is   []int // of sentinels
	Lost *backends.LostError
	Odd  *backends.MismatchError
	Busy *backends.BusyError
}

var sentinels = []error{
	backends.ErrBusy, backends.ErrLost, backends.ErrReleased, backends.ErrClosed, backends.ErrInvalid, backends.ErrInvalidName,
	backends.ErrTooLarge, backends.ErrMismatch, backends.ErrDeadlock, backends.ErrUnavailable, backends.ErrPermission,
	backends.ErrUnsupported, context.Canceled, context.DeadlineExceeded,
}

func pack(err error) (f failure) {
	if err == nil {
		return f
	}
	f.Text = err.Error()
	for i, s := range sentinels {
		if errors.Is(err, s) {
			f.Is = append(f.Is, i)
		}
	}
	if lost := (*backends.LostError)(nil); errors.As(err, &lost) {
		f.Lost = &backends.LostError{Name: lost.Name, Token: lost.Token, Reason: lost.Reason}
	}
	if odd := (*backends.MismatchError)(nil); errors.As(err, &odd) {
		f.Odd = odd
	}
	if busy := (*backends.BusyError)(nil); errors.As(err, &busy) {
		f.Busy = busy
	}
	return f
}

func (f failure) unpack() error {
	if f.Text == "" {
		return nil
	}
	all := []error{}
	for _, i := range f.Is {
		all = append(all, sentinels[i])
	}
	if f.Lost != nil {
		all = append(all, f.Lost)
	}
	if f.Odd != nil {
		all = append(all, f.Odd)
	}
	if f.Busy != nil {
		all = append(all, f.Busy)
	}
	return fmt.Errorf("%s (%w)", f.Text, errors.Join(all...))
}

func encode(v any) string {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func decode(line string, v any) error {
	b, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return err
	}
	return gob.NewDecoder(bytes.NewReader(b)).Decode(v)
}

// client is the helper. Its argument is the lock directory.
func client(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	trustEvents(b)
	c.Say("%x", b.id)
	var mu sync.Mutex
	ends := make(map[int]context.CancelFunc)
	ops := make(map[int]*backends.Op)
	for {
		line, ok := c.Listen()
		if !ok {
			return nil
		}
		var o order
		if err := decode(line, &o); err != nil {
			return err
		}
		mu.Lock()
		if o.Op == "end" {
			if end := ends[o.ID]; end != nil {
				end()
			}
			mu.Unlock()
			continue
		}
		if o.Op == "cancel" {
			if work := b.Cancel(ops[o.ID]); work != nil {
				go work(context.Background())
			}
			mu.Unlock()
			continue
		}
		ctx, end := context.WithCancel(context.Background())
		if o.Done {
			end()
		}
		ends[o.ID] = end
		if o.None {
			ctx = nil
		}
		if o.Op == "start" {
			ops[o.ID] = childOp(c, o)
		}
		op := ops[o.ID]
		mu.Unlock()
		var work backends.Work
		if op != nil {
			work = b.Start(op)
		}
		go func() {
			var answer result
			if op == nil {
				answer = perform(ctx, b, o)
			} else {
				if work != nil {
					work(ctx)
				}
				answer = result{ID: o.ID, Of: "work"}
			}
			mu.Lock()
			delete(ends, o.ID)
			mu.Unlock()
			end()
			c.Say("%s", encode(answer))
		}()
	}
}

func perform(ctx context.Context, b *Backend, o order) result {
	r := result{ID: o.ID}
	var err error
	switch o.Op {
	case "renew":
		r.Renewed = b.Renew(ctx, o.Renew)
		for i := range r.Renewed {
			r.Errs = append(r.Errs, pack(r.Renewed[i].Err))
			r.Renewed[i].Err = nil
		}
	case "inspect":
		var s backends.State
		s, err = b.Inspect(ctx, o.Name)
		r.States = []backends.State{s}
	case "list":
		for s, e := range b.List(ctx) {
			if err = e; e == nil {
				r.States = append(r.States, s)
			}
		}
	case "break":
		err = b.Break(ctx, o.Name)
	case "close":
		err = b.Close(ctx)
	}
	r.Err = pack(err)
	return r
}

func startClient(t testing.TB, dir string) *distant {
	t.Helper()
	r := &distant{
		p: proctest.Start(t, "client", dir), done: make(chan struct{}),
		calls: make(map[int]chan result), ops: make(map[int]*distantOp),
	}
	r.p.Expect("")
	go r.listen()
	t.Cleanup(func() { r.p.Kill(); <-r.done })
	return r
}

func (r *distant) listen() {
	defer close(r.done)
	for {
		line, ok := r.p.Listen()
		if !ok {
			break
		}
		var res result
		if err := decode(line, &res); err != nil {
			panic(err)
		}
		r.mu.Lock()
		answer, op := r.calls[res.ID], r.ops[res.ID]
		delete(r.calls, res.ID)
		r.mu.Unlock()
		if op != nil {
			op.hear(res)
		} else {
			answer <- res
		}
	}
	r.mu.Lock()
	r.stopped = true
	for _, answer := range r.calls {
		answer <- result{Err: pack(lockdir.ErrDead)}
	}
	r.mu.Unlock()
	for _, op := range r.ops { // complete: stopped was set
		op.hear(result{Of: "death"})
	}
}

func (r *distant) do(ctx context.Context, o order) result {
	answer := make(chan result, 1)
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return result{Err: pack(lockdir.ErrDead)}
	}
	r.last++
	o.ID = r.last
	r.calls[o.ID] = answer
	if ctx == nil {
		o.None, ctx = true, context.Background()
	}
	o.Done = ctx.Err() != nil
	r.p.TrySay("%s", encode(o)) // to a dead one it is lost; its end is told by listen
	r.mu.Unlock()
	select {
	case res := <-answer:
		return res
	case <-ctx.Done():
		r.mu.Lock()
		if !r.stopped {
			r.p.TrySay("%s", encode(order{ID: o.ID, Op: "end"}))
		}
		r.mu.Unlock()
		res := <-answer
		if errors.Is(res.Err.unpack(), context.Canceled) { // there; here it may have been a deadline
			res.Err = pack(ctx.Err())
		}
		return res
	}
}

func (r *distant) Capabilities() backends.Capabilities { return capabilities }

func (r *distant) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	res := r.do(ctx, order{Op: "renew", Renew: rs})
	for i := range res.Renewed {
		res.Renewed[i].Err = res.Errs[i].unpack()
	}
	return res.Renewed
}

func (r *distant) Inspect(ctx context.Context, name string) (backends.State, error) {
	res := r.do(ctx, order{Op: "inspect", Name: name})
	if len(res.States) == 0 {
		return backends.State{}, res.Err.unpack()
	}
	return res.States[0], res.Err.unpack()
}

func (r *distant) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		res := r.do(ctx, order{Op: "list"})
		for _, s := range res.States {
			if !yield(s, nil) {
				return
			}
		}
		if err := res.Err.unpack(); err != nil {
			yield(backends.State{}, err)
		}
	}
}

func (r *distant) Break(ctx context.Context, name string) error {
	return r.do(ctx, order{Op: "break", Name: name}).Err.unpack()
}

func (r *distant) Detach(context.Context, backends.Detachment) error { return backends.ErrUnsupported }

func (r *distant) Adopt(context.Context, backends.Adoption) (backends.Grant, error) {
	return backends.Grant{}, backends.ErrUnsupported
}

func (r *distant) Close(ctx context.Context) error {
	return r.do(ctx, order{Op: "close"}).Err.unpack()
}
