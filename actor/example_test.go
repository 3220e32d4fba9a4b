package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
)

// deposit asks an account to take an amount and to answer with the balance.
type deposit struct {
	amount  int
	balance actor.Reply[int]
}

// account owns a balance. No lock is needed: only its goroutine touches it.
type account struct{ balance int }

func (a *account) Receive(_ context.Context, m deposit) error {
	if a.balance+m.amount < 0 {
		m.balance.Fail(errors.New("not enough money"))
		return nil
	}
	a.balance += m.amount
	m.balance.Send(a.balance)
	return nil
}

func Example() {
	ctx := context.Background()
	system := actor.NewSystem()
	ref, err := actor.Spawn(system, "account", func(*actor.Self[deposit]) (actor.Behavior[deposit], error) {
		return &account{}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, amount := range []int{100, -30, -500} {
		balance, err := actor.Ask(ctx, ref, func(r actor.Reply[int]) deposit { return deposit{amount, r} })
		fmt.Println(balance, err)
	}
	fmt.Println(system.Shutdown(ctx))
	// Output:
	// 100 <nil>
	// 70 <nil>
	// 0 not enough money
	// <nil>
}

// A turnstile lets one visitor in at a time. Whoever finds it taken has its reply deferred,
// and if it goes away while it waits, the turnstile is told.
func ExampleReply_Defer() {
	type enter struct{ turn actor.Reply[string] }
	ctx := context.Background()
	system := actor.NewSystem()
	waiting, left := make(chan struct{}), make(chan struct{})
	turnstile, _ := actor.Spawn(system, "turnstile", func(*actor.Self[enter]) (actor.Behavior[enter], error) {
		taken := false
		return actor.BehaviorFunc[enter](func(_ context.Context, m enter) error {
			if !taken {
				taken = m.turn.Send("enter")
				return nil
			}
			m.turn.Defer(func() {
				fmt.Println("a visitor went away")
				close(left)
			})
			close(waiting)
			return nil
		}), nil
	})
	visit := func(ctx context.Context) {
		answer, err := actor.Ask(ctx, turnstile, func(r actor.Reply[string]) enter { return enter{r} })
		fmt.Printf("%q %v\n", answer, err)
	}
	visit(ctx)
	impatient, giveUp := context.WithCancel(ctx)
	go func() { <-waiting; giveUp() }()
	visit(impatient)
	<-left
	_ = system.Shutdown(ctx)
	// Unordered output:
	// "enter" <nil>
	// "" context canceled
	// a visitor went away
}

// A fetcher never waits for I/O: it starts a task, and the result comes as a message.
func ExampleSelf_Go() {
	type message struct {
		page string // a result, or
		url  string // a request
	}
	ctx := context.Background()
	system := actor.NewSystem()
	fetcher, _ := actor.Spawn(system, "fetcher", func(self *actor.Self[message]) (actor.Behavior[message], error) {
		return actor.BehaviorFunc[message](func(_ context.Context, m message) error {
			if m.page != "" {
				fmt.Println("got", m.page)
				return nil
			}
			self.Go(func(ctx context.Context) message {
				return message{page: "the page of " + m.url} // fetched with ctx
			})
			return nil
		}), nil
	})
	_ = fetcher.Tell(ctx, message{url: "example.org"})
	fmt.Println(system.Shutdown(ctx)) // waits for the task and for its result to be handled
	// Output:
	// got the page of example.org
	// <nil>
}

// A door is one of a million: it has a goroutine only while there is mail for it.
func ExampleOnDemand() {
	done := make(chan struct{})
	door := actor.NewOnDemand("door", func(open bool) {
		fmt.Println("open:", open)
		if !open {
			close(done)
		}
	}, func(open bool, err *actor.PanicError) {
		fmt.Println("broken:", err)
	})
	door.Deliver(true)                  // at rest: handled right here
	door.After(time.Millisecond, false) // handled on the door's own goroutine, which then ends
	<-done
	// Output:
	// open: true
	// open: false
}

func ExampleWatch() {
	type message struct{ gone error }
	ctx := context.Background()
	system := actor.NewSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	start := func(*actor.Self[int]) (actor.Behavior[int], error) {
		return actor.BehaviorFunc[int](func(context.Context, int) error { return errors.New("out of paper") }), nil
	}
	printer, _ := actor.Spawn(system, "printer", start)
	told := make(chan error, 1)
	_, _ = actor.Spawn(system, "clerk", func(self *actor.Self[message]) (actor.Behavior[message], error) {
		actor.Watch(self, printer, func(err error) message { return message{err} })
		return actor.BehaviorFunc[message](func(_ context.Context, m message) error {
			told <- m.gone
			return nil
		}), nil
	})
	_ = printer.Tell(ctx, 1)
	fmt.Println(<-told)
	_ = system.Shutdown(ctx)
	// Output: out of paper
}
