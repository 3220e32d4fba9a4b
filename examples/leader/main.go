// Leader elects a leader among instances: one does the work, the others stand by, and when it resigns, dies or is cut off,
// the next takes over, in a later term.
//
//	go run ./examples/leader                          three instances in one process, in memory
//	go run ./examples/leader -redis localhost:6379    one of as many as you start: stop the leader, and watch
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/manager"
)

func main() {
	addr := flag.String("redis", "", "address of a Redis server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *addr == "" {
		store := memory.New()
		err = elect(ctx, os.Stdout, store, store.Peer(), store.Peer())
	} else {
		err = stand(ctx, os.Stdout, *addr)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "leader:", err)
		os.Exit(1)
	}
}

// stand is one instance: it leads whenever it is its turn, until ctx ends.
func stand(ctx context.Context, out io.Writer, addr string) error {
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: []string{addr}})
	defer client.Close()
	store, err := redis.New(client)
	if err != nil {
		return err
	}
	m, err := manager.New(store)
	if err != nil {
		return err
	}
	err = m.Lead(ctx, "scheduler", func(ctx context.Context, term uint64) error {
		fmt.Fprintln(out, "leading, in term", term)
		<-ctx.Done() // the work; it ends when the leadership does
		fmt.Fprintln(out, "leading no longer:", context.Cause(ctx))
		return nil
	})
	return errors.Join(err, m.Close(context.Background()))
}

// event is what an instance reports.
type event struct {
	term uint64
	done bool
	err  error
}

// elect has an instance on each store stand for leader. Each leads once, and resigns.
func elect(ctx context.Context, out io.Writer, stores ...backends.Backend) error {
	events := make(chan event, 2*len(stores))
	var errs []error
	for _, store := range stores {
		m, err := manager.New(store)
		if err != nil {
			return err
		}
		defer func() { _ = m.Close(context.Background()) }() // it holds nothing then
		candidate := actor.NewOnDemand("candidate", func(e event) { events <- e }, func(_ event, p *actor.PanicError) {
			events <- event{done: true, err: p}
		})
		candidate.Go(func() event {
			err := m.Lead(ctx, "scheduler", func(_ context.Context, term uint64) error {
				events <- event{term: term}
				return nil // resigns
			})
			return event{done: true, err: err}
		})
	}
	last, terms := uint64(0), 0
	for left := len(stores); left > 0; {
		e := <-events
		switch {
		case e.done:
			left--
			errs = append(errs, e.err)
		default:
			terms++
			fmt.Fprintf(out, "leader %d of %d, in a later term than the one before: %v\n", terms, len(stores), e.term > last)
			last = e.term
		}
	}
	return errors.Join(errs...)
}
