package backends

import "context"

// Acquire waits in the store's queue until the request is granted or ctx ends. An error means that
// nothing is held and nothing is left in the queue. A context already done loses, even to a free
// resource; a grant that arrives together with the end of ctx is released.
func Acquire(ctx context.Context, b Backend, r Request) (Grant, error) {
	return acquire(ctx, b, r, true)
}

// TryAcquire is Acquire without the wait: ErrBusy if the request cannot be granted now without
// overtaking a waiter.
func TryAcquire(ctx context.Context, b Backend, r Request) (Grant, error) {
	return acquire(ctx, b, r, false)
}

func acquire(ctx context.Context, b Backend, r Request, wait bool) (Grant, error) {
	done := func() error { // names the store and the resource, like the store's own errors
		if err := Ended(ctx); err != nil {
			return &OpError{Store: b.Capabilities().Name, Op: "acquire", Name: r.Name, Err: err}
		}
		return nil
	}
	if err := done(); err != nil {
		return Grant{}, err
	}
	type answer struct {
		grant Grant
		err   error
	}
	answers := make(chan answer, 1)
	op := &Op{Acquire: []Request{r}, Wait: wait, Granted: func(_ int, g Grant, err error) {
		answers <- answer{g, err}
	}}
	if work := b.Start(op); work != nil {
		work(ctx)
	}
	var a answer
	// A tie does not matter: Cancel does nothing to a request that has its answer, and the end of
	// ctx wins afterwards in either case.
	select {
	case a = <-answers:
	case <-ctx.Done():
		if work := b.Cancel(op); work != nil {
			work(context.WithoutCancel(ctx))
		}
		a = <-answers
	}
	if err := done(); err != nil {
		if a.err == nil {
			_ = Release(context.WithoutCancel(ctx), b, a.grant) // lost meanwhile is as good as released
		}
		return Grant{}, err
	}
	return a.grant, a.err
}

// Release releases a grant and returns what [Op].Released is told. A nil ctx never ends.
func Release(ctx context.Context, b Backend, g Grant) error {
	if ctx == nil {
		ctx = context.Background()
	}
	answers := make(chan error, 1)
	op := &Op{Release: []Grant{g}, Released: func(_ int, err error) { answers <- err }}
	if work := b.Start(op); work != nil {
		work(ctx)
	}
	return <-answers
}
