package actor

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// What a fuzzed message has its handler do.
const (
	fuzzAnswer = iota
	fuzzDefer
	fuzzForget
	fuzzBlock
	fuzzTimer
	fuzzTask
	fuzzChild
	fuzzError
	fuzzPanic
	fuzzGoexit
	fuzzStopSelf
	fuzzKinds
)

// What the driver of a fuzzed sequence does.
const (
	fuzzTryTell = iota
	fuzzTell
	fuzzAsk
	fuzzCancel // the oldest Tell or Ask that waits
	fuzzReply  // to the oldest deferred ask
	fuzzUnblock
	fuzzStopTimer
	fuzzStopChild
	fuzzSleep
	fuzzSettle
	fuzzStop
	fuzzDrain
	fuzzOps
)

type fuzzMessage struct {
	id    int
	do    int // -1: it came of the message with this id
	tried bool
	life  int // in which it was handled
	reply Reply[int]
}

// A fuzzWorld is one actor, whoever sends to it, and the fate of every message.
type fuzzWorld struct {
	t        *testing.T
	system   *System
	ref      Ref[fuzzMessage]
	fates    [256]fate // by id
	next     int
	life     int // of the actor
	last     int // id of the last TryTell handled: one sender, so in order
	cancels  []context.CancelFunc
	unblock  chan struct{}
	deferred chan fuzzMessage
	timers   chan fuzzTimed
	children chan Ref[order]
}

type fuzzTimed struct {
	id    int
	timer *Timer
}

// FuzzSequences does what the bytes say to an actor: sends, cancels, answers, blocks, fails, stops, in
// any order, without waiting for the actor. Whatever the order: each message meets one fate,
// each answer sent is received, and nothing is left running, or the bubble would not end.
func FuzzSequences(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"))
	f.Add([]byte{0x13, fuzzAsk + fuzzOps*fuzzDefer, fuzzSettle, fuzzCancel, fuzzReply, fuzzAsk + fuzzOps*fuzzDefer, fuzzSettle, fuzzReply, fuzzDrain})
	f.Add([]byte{0, fuzzAsk + fuzzOps*fuzzDefer, fuzzSettle, fuzzCancel})
	f.Add([]byte{0x21, fuzzTell + fuzzOps*fuzzBlock, fuzzTryTell, fuzzAsk, fuzzTell, fuzzTell, fuzzCancel, fuzzStop, fuzzUnblock})
	f.Add([]byte{0x32, fuzzTell + fuzzOps*fuzzTimer, fuzzTell + fuzzOps*fuzzTask, fuzzSettle, fuzzStopTimer, fuzzSleep, fuzzTell + fuzzOps*fuzzPanic, fuzzSleep, fuzzTryTell, fuzzDrain})
	f.Add([]byte{0x17, fuzzTell + fuzzOps*fuzzChild, fuzzTell + fuzzOps*fuzzChild, fuzzSettle, fuzzStopChild, fuzzTell + fuzzOps*fuzzGoexit, fuzzAsk + fuzzOps*fuzzForget, fuzzSleep, fuzzSleep})
	f.Add([]byte{0x1b, fuzzAsk + fuzzOps*fuzzError, fuzzAsk, fuzzSleep, fuzzSleep, fuzzTryTell, fuzzTell + fuzzOps*fuzzStopSelf, fuzzTryTell})
	f.Fuzz(runSequence)
}

// TestRandomSequences is a moment of that fuzzing, the same sequences each time.
func TestRandomSequences(t *testing.T) {
	sequences := 2000
	if raceEnabled {
		sequences = 200
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range sequences {
		ops := make([]byte, 1+rnd.IntN(100))
		for i := range ops {
			ops[i] = byte(rnd.Uint32())
		}
		if runSequence(t, ops); t.Failed() {
			t.Fatalf("after sequence %q", ops)
		}
	}
}

func runSequence(t *testing.T, ops []byte) {
	synctest.Test(t, func(t *testing.T) {
		w := newFuzzWorld(t, ops)
		for _, op := range ops[min(1, len(ops)):min(100, len(ops))] {
			w.step(int(op)%fuzzOps, int(op)/fuzzOps%fuzzKinds)
		}
		w.end()
	})
}

// newFuzzWorld takes mailbox, supervision and idle timeout from the first byte.
func newFuzzWorld(t *testing.T, ops []byte) *fuzzWorld {
	w := &fuzzWorld{
		t: t, unblock: make(chan struct{}), deferred: make(chan fuzzMessage, 256),
		timers: make(chan fuzzTimed, 256), children: make(chan Ref[order], 256),
	}
	w.system = NewSystem(WithLogger(slog.New(slog.DiscardHandler)), WithHooks(Hooks{
		DeadLetter: func(_ Info, m any, _ error) {
			if m, ok := m.(fuzzMessage); ok && m.do < 0 {
				w.fates[m.id].dropped.Add(1)
			} else if ok {
				w.fates[m.id].dead.Add(1)
			}
		},
	}))
	var first byte
	if len(ops) > 0 {
		first = ops[0]
	}
	opts := []SpawnOption{WithMailbox(1 + int(first&3)), WithSupervision(Restart(time.Millisecond, int(first>>4&3)))}
	if first&8 != 0 {
		opts = append(opts, WithIdleTimeout(3*time.Second))
	}
	var err error
	w.ref, err = Spawn(w.system, "fuzzed", func(s *Self[fuzzMessage]) (Behavior[fuzzMessage], error) {
		w.life++
		return BehaviorFunc[fuzzMessage](func(ctx context.Context, m fuzzMessage) error { return w.receive(s, ctx, m) }), nil
	}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// message makes the next message; its id is also that of what comes of it.
func (w *fuzzWorld) message(do int) fuzzMessage {
	w.next++
	return fuzzMessage{id: w.next, do: do}
}

func (w *fuzzWorld) step(op, do int) {
	switch op {
	case fuzzTryTell:
		m := w.message(do)
		m.tried = true
		w.note(m.id, w.ref.TryTell(m))
	case fuzzTell, fuzzAsk:
		w.send(op, do)
	case fuzzCancel:
		if len(w.cancels) > 0 {
			w.cancels[0]()
			w.cancels = w.cancels[1:]
		}
	case fuzzUnblock:
		select {
		case w.unblock <- struct{}{}:
		default:
		}
	case fuzzSleep:
		<-time.After(time.Second)
	case fuzzSettle:
		synctest.Wait()
	case fuzzStop:
		w.ref.Stop()
	case fuzzDrain:
		ctx, cancel := context.WithCancel(context.Background())
		w.cancels = append(w.cancels, cancel)
		go func() { _ = w.ref.Drain(ctx) }()
	default:
		w.meddle(op)
	}
}

// meddle does something about what a handler has left, if there is any.
func (w *fuzzWorld) meddle(op int) {
	switch op {
	case fuzzReply:
		select {
		case m := <-w.deferred:
			w.answer(m)
		default:
		}
	case fuzzStopTimer:
		select {
		case x := <-w.timers:
			if x.timer.Stop() {
				w.fates[x.id].timerStopped.Add(1)
			}
		default:
		}
	case fuzzStopChild:
		select {
		case child := <-w.children:
			child.Stop()
		default:
		}
	}
}

// send tells or asks from a goroutine of its own, since that may wait.
func (w *fuzzWorld) send(op, do int) {
	m := w.message(do)
	ctx, cancel := context.WithCancel(context.Background())
	w.cancels = append(w.cancels, cancel)
	go func() {
		if op == fuzzTell {
			w.note(m.id, w.ref.Tell(ctx, m))
			return
		}
		w.ask(ctx, m)
	}()
}

func (w *fuzzWorld) ask(ctx context.Context, m fuzzMessage) {
	fate := &w.fates[m.id]
	fate.asking.Add(1)
	defer fate.asking.Add(-1)
	got, err := Ask(ctx, w.ref, func(r Reply[int]) fuzzMessage {
		m.reply = r
		if m.do == fuzzForget { // let the driver answer, even while the message is queued
			w.deferred <- m
		}
		return m
	})
	switch {
	case err == nil:
		if got != m.id {
			w.t.Errorf("message %d got the answer to %d", m.id, got)
		}
		if fate.received.Add(1); m.do != fuzzForget { // else it may have been answered and yet refused
			fate.accepted.Add(1)
		}
	case errors.Is(err, ErrStopped): // accepted or not
	case errors.Is(err, context.Canceled):
		fate.cancelled.Add(1) // accepted or not
	case errors.Is(err, errBroken), errors.Is(err, ErrNoReply):
		fate.accepted.Add(1)
	default:
		w.t.Errorf("message %d: %v", m.id, err)
	}
}

func (w *fuzzWorld) note(id int, err error) {
	if err == nil {
		w.fates[id].accepted.Add(1)
	} else {
		w.fates[id].refused.Add(1)
	}
}

func (w *fuzzWorld) answer(m fuzzMessage) {
	if m.reply.Send(m.id) {
		w.fates[m.id].sent.Add(1)
	}
}
