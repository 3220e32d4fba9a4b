package holders

import (
	"context"
	"sync/atomic"
	"time"
)

// renewer is the goroutine that a program has beside a lock whose library does not renew it.
type renewer struct {
	ctx    context.Context // ended when the renewal failed, or was stopped
	cancel context.CancelFunc
	ended  chan struct{}
}

// deadline is a time that one goroutine sets and another one reads.
type deadline = atomic.Pointer[time.Time]

func renew(every time.Duration, extend func(context.Context) error) *renewer {
	ctx, cancel := context.WithCancel(context.Background())
	r := &renewer{ctx, cancel, make(chan struct{})}
	go func() {
		defer close(r.ended)
		defer cancel()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if extend(ctx) != nil {
				return
			}
		}
	}()
	return r
}

// Valid reports whether no renewal has failed.
func (r *renewer) Valid() bool { return r.ctx.Err() == nil }

// Token returns 0: the value of such a lock is random.
func (r *renewer) Token() uint64 { return 0 }

func (r *renewer) stop() {
	r.cancel()
	<-r.ended
}
