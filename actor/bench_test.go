package actor

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// Each benchmark of an actor stands beside the plain channel that does the same work
// without an actor, with the same message; compare within one run only.

type benchMsg struct{ a, b int64 }

// outsideBubbles turns off the look at the clock that only programs under test make.
func outsideBubbles(b *testing.B) { b.Cleanup(bubbles.Assume(false)) }

func cancellable(b *testing.B) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return ctx
}

// sum spawns an actor that adds up what it is told, and tells when it has seen n messages.
func sum(b *testing.B, n int) (Ref[benchMsg], chan struct{}) {
	all := make(chan struct{})
	seen := 0
	var total int64
	return spawn(b, quiet(b), func(_ *Self[benchMsg], _ context.Context, m benchMsg) error {
		total += m.a + m.b
		if seen++; seen == n {
			close(all)
		}
		return nil
	}, WithMailbox(64)), all
}

// BenchmarkTell is one producer, end to end: until the last message has been handled.
func BenchmarkTell(b *testing.B) {
	b.Run("channel", func(b *testing.B) { benchChannel(b, 1) })
	b.Run("actor", func(b *testing.B) { benchTell(b, 1) })
}

func BenchmarkTell8(b *testing.B) {
	b.Run("channel", func(b *testing.B) { benchChannel(b, 8) })
	b.Run("actor", func(b *testing.B) { benchTell(b, 8) })
}

func benchChannel(b *testing.B, producers int) {
	b.ReportAllocs()
	ch, all := make(chan benchMsg, 64), make(chan struct{})
	n := b.N / producers * producers
	b.ResetTimer()
	go func() {
		var total int64
		for range n {
			m := <-ch
			total += m.a + m.b
		}
		close(all)
	}()
	for range producers {
		go func() {
			for i := range n / producers {
				ch <- benchMsg{int64(i), 1}
			}
		}()
	}
	if n > 0 {
		<-all
	}
}

func benchTell(b *testing.B, producers int) {
	b.ReportAllocs()
	n := b.N / producers * producers
	ctx := cancellable(b)
	r, all := sum(b, n)
	b.ResetTimer()
	for range producers {
		go func() {
			for i := range n / producers {
				_ = r.Tell(ctx, benchMsg{int64(i), 1})
			}
		}()
	}
	if n > 0 {
		<-all
	}
}

type benchRequest struct {
	n     int
	reply chan int
}

func BenchmarkAsk(b *testing.B) {
	b.Run("channel", func(b *testing.B) { benchChannelAsk(b, 1) })
	b.Run("actor", func(b *testing.B) { benchAsk(b, 1) })
}

func BenchmarkAsk8(b *testing.B) {
	b.Run("channel", func(b *testing.B) { benchChannelAsk(b, 8) })
	b.Run("actor", func(b *testing.B) { benchAsk(b, 8) })
}

// benchChannelAsk is a request with a fresh reply channel and a cancellable wait.
func benchChannelAsk(b *testing.B, askers int) {
	b.ReportAllocs()
	ctx := cancellable(b)
	requests := make(chan benchRequest, 64)
	go func() {
		for q := range requests {
			q.reply <- 2 * q.n
		}
	}()
	defer close(requests)
	b.ResetTimer()
	inParallel(b, askers, func(i int) {
		q := benchRequest{i, make(chan int, 1)}
		select {
		case requests <- q:
		case <-ctx.Done():
		}
		select {
		case <-q.reply:
		case <-ctx.Done():
		}
	})
}

func benchAsk(b *testing.B, askers int) {
	outsideBubbles(b)
	b.ReportAllocs()
	ctx := cancellable(b)
	r := spawn(b, quiet(b), double, WithMailbox(64))
	b.ResetTimer()
	inParallel(b, askers, func(i int) {
		if _, err := ask(ctx, r, i); err != nil {
			b.Error(err)
		}
	})
}

func inParallel(b *testing.B, workers int, op func(i int)) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range b.N / workers {
				op(i)
			}
		})
	}
	wg.Wait()
}

// BenchmarkSpawn is a whole life: spawn, stop, wait for the end.
func BenchmarkSpawn(b *testing.B) {
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			mail, stop, done := make(chan benchMsg, defaultMailbox), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				select {
				case <-mail:
				case <-stop:
				}
			}()
			close(stop)
			<-done
		}
	})
	b.Run("actor", func(b *testing.B) {
		outsideBubbles(b)
		b.ReportAllocs()
		s := quiet(b)
		start := func(*Self[benchMsg]) (Behavior[benchMsg], error) { return benchSink{}, nil }
		for range b.N {
			r, err := Spawn(s, "bench", start)
			if err != nil {
				b.Fatal(err)
			}
			r.Stop()
			<-r.Done()
		}
	})
}

type benchSink struct{}

func (benchSink) Receive(context.Context, benchMsg) error { return nil }

// BenchmarkOnDemand compares an actor that is at rest before each message with the
// goroutine one would start by hand, and a stream of messages with a channel.
func BenchmarkOnDemand(b *testing.B) {
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		done := make(chan struct{}, 1)
		for range b.N {
			go func() { done <- struct{}{} }()
			<-done
		}
	})
	b.Run("tell", func(b *testing.B) {
		b.ReportAllocs()
		done := make(chan struct{}, 1)
		a := NewOnDemand("bench", func(benchMsg) { done <- struct{}{} }, func(benchMsg, *PanicError) {})
		for range b.N {
			a.Tell(benchMsg{})
			<-done
		}
	})
	b.Run("deliver", func(b *testing.B) {
		b.ReportAllocs()
		var n int64
		a := NewOnDemand("bench", func(m benchMsg) { n += m.a }, func(benchMsg, *PanicError) {})
		for range b.N {
			a.Deliver(benchMsg{1, 1})
		}
	})
	b.Run("stream", func(b *testing.B) {
		b.ReportAllocs()
		seen, all := 0, make(chan struct{})
		a := NewOnDemand("bench", func(benchMsg) {
			if seen++; seen == b.N {
				close(all)
			}
		}, func(benchMsg, *PanicError) {})
		for range b.N {
			a.Tell(benchMsg{1, 1})
		}
		<-all
	})
}

// BenchmarkIdle reports the bytes that one actor takes while nothing happens.
func BenchmarkIdle(b *testing.B) {
	measure := func(b *testing.B, make func(i int) any) {
		const n = 10_000
		kept := [n]any{}
		for range b.N {
			before := inUse()
			for i := range n {
				kept[i] = make(i)
			}
			b.ReportMetric(float64(inUse()-before)/n, "B/actor")
			clear(kept[:])
		}
	}
	b.Run("actor", func(b *testing.B) {
		s := quiet(b)
		measure(b, func(int) any {
			r, _ := Spawn(s, "idle", func(*Self[benchMsg]) (Behavior[benchMsg], error) { return benchSink{}, nil })
			return r
		})
	})
	b.Run("ondemand", func(b *testing.B) {
		measure(b, func(int) any {
			a := NewOnDemand("idle", func(benchMsg) {}, func(benchMsg, *PanicError) {})
			a.Deliver(benchMsg{})
			return a
		})
	})
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
