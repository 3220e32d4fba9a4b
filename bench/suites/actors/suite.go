package actors

import (
	"context"
	"log/slog"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/bench/harness"

	proto "github.com/asynkron/protoactor-go/actor"
)

// The names of the sides.
const (
	ours  = "actor"
	plain = "plain channel"
	ctxed = "channel + ctx"
	peer  = "protoactor-go"
)

// mailbox is the capacity of every mailbox and channel.
const mailbox = 64

// Suite returns the suite.
func Suite() harness.Suite {
	return harness.Suite{Name: "actor", Open: harness.Fixed(func() []harness.Case {
		return []harness.Case{tell(1), tellSteps(), tell(8), ask(1), askSteps(), ask(8), spawnStop(), unanswered(), idle()}
	})}
}

// run is what a side runs.
type run = func(context.Context, harness.Budget) (harness.Metrics, error)

// message is what is told: three words, one of them a pointer, as real messages have.
type message struct {
	seq   int
	bytes int
	last  chan<- struct{} // closed by whoever handles the last message
}

// question is what is asked of a channel.
type question struct {
	seq   int
	reply chan int
}

// asked is what is asked of an actor.
type asked struct {
	seq   int
	reply actor.Reply[int]
}

// system returns a system that keeps quiet, and what ends it.
func system() (*actor.System, func() error) {
	s := actor.NewSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	return s, func() error { return s.Shutdown(context.Background()) }
}

// protoSystem returns a system of the peer's that keeps quiet, and what ends it.
func protoSystem() (*proto.ActorSystem, func()) {
	s := proto.NewActorSystem(proto.WithLoggerFactory(func(*proto.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	return s, s.Shutdown
}
