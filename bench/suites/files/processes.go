package files

import (
	"context"
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// asleep is long enough for a process to have queued and fallen asleep.
const asleep = 100 * time.Millisecond

// handOffs lets two processes take turns.
func handOffs(s clients.Spec) run {
	return func(_ context.Context, b harness.Budget) (harness.Metrics, error) {
		offs, err := clients.HandOffs(s, b.Pick(200, 5), 5*time.Millisecond)
		if err != nil {
			return nil, err
		}
		h := hdrhistogram.New(1, int64(time.Minute), 3)
		for _, d := range offs {
			if err := h.RecordValue(int64(d)); err != nil {
				return nil, err
			}
		}
		return harness.Metrics{
			"p50 µs":    float64(h.ValueAtQuantile(50)) / 1e3,
			"p99 µs":    float64(h.ValueAtQuantile(99)) / 1e3,
			"max µs":    float64(h.Max()) / 1e3,
			"hand-offs": float64(len(offs)),
		}, nil
	}
}

// waits lets one process hold the lock and measures the processor time of one that waits for it.
func waits(s clients.Spec) run {
	return func(_ context.Context, b harness.Budget) (m harness.Metrics, err error) {
		holder, waiter, shut, err := pair(s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shut()) }()
		if err := waiter.Acquire(); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(b.Pick(3000, 50)) * time.Millisecond)
		if err := holder.Release(); err != nil {
			return nil, err
		}
		if _, err := holder.Answer(); err != nil {
			return nil, err
		}
		d, err := waiter.Answer()
		if err != nil {
			return nil, err
		}
		return harness.Metrics{"CPU %": 100 * d.CPU.Seconds() / d.For.Seconds()}, nil
	}
}

// kills kills holders and measures how long the process that waits has to wait on.
func kills(s clients.Spec) run {
	return func(_ context.Context, b harness.Budget) (harness.Metrics, error) {
		var took []float64
		for range b.Pick(10, 1) {
			d, err := kill(s)
			if err != nil {
				return nil, err
			}
			took = append(took, d.Seconds()*1e3)
		}
		sp := harness.NewSpread(took)
		return harness.Metrics{"p50 ms": sp.Median, "max ms": sp.Max}, nil
	}
}

// kill is one crash.
func kill(s clients.Spec) (_ time.Duration, err error) {
	holder, waiter, shut, err := pair(s)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shut()) }()
	if err := waiter.Acquire(); err != nil {
		return 0, err
	}
	time.Sleep(asleep)
	at := harness.Now()
	holder.Kill()
	d, err := waiter.Answer()
	return d.At - at, err
}

// pair starts two processes and lets the first take the lock. Shut ends both: the holder by a kill, the waiter, which
// must have the lock by then, in the proper way.
func pair(s clients.Spec) (holder, waiter clients.Obedient, shut func() error, err error) {
	if holder, err = clients.StartObedient(s); err != nil {
		return holder, waiter, nil, err
	}
	if waiter, err = clients.StartObedient(s); err != nil {
		holder.Kill()
		return holder, waiter, nil, err
	}
	shut = func() error { holder.Kill(); return waiter.Finish() }
	if err = holder.Acquire(); err == nil {
		_, err = holder.Answer()
	}
	if err != nil {
		holder.Kill()
		waiter.Kill()
		return holder, waiter, nil, err
	}
	return holder, waiter, shut, nil
}
