package actor

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing/synctest"
	"time"
)

// A fate is what became of one message.
type fate struct {
	accepted, refused, handled, dead atomic.Int32

	sent, received    atomic.Int32 // answers
	deferred, undone  atomic.Int32 // onCancel called
	asking, cancelled atomic.Int32 // the asker waits, gave up
	timerStopped      atomic.Int32 // Stop said that it will never be handled
	working           atomic.Int32 // has started a task
	echoed, dropped   atomic.Int32 // what came of it (timer, task, child's end): handled, dead letter
}

// receive is the actor's handler.
func (w *fuzzWorld) receive(s *Self[fuzzMessage], ctx context.Context, m fuzzMessage) error {
	fate := &w.fates[m.id]
	if m.do < 0 { // from a timer or a task, and its id is that of the message that asked for it
		if fate.echoed.Add(1); m.life != w.life {
			w.t.Errorf("life %d was sent what message %d began in life %d", w.life, m.id, m.life)
		}
		return nil
	}
	fate.handled.Add(1)
	echo := fuzzMessage{id: m.id, do: -1, life: w.life}
	if m.tried {
		if m.id < w.last {
			w.t.Errorf("message %d was handled after message %d of the same sender", m.id, w.last)
		}
		w.last = m.id
	}
	switch m.do {
	case fuzzAnswer:
		w.answer(m)
	case fuzzDefer:
		fate.deferred.Add(1)
		m.reply.Defer(func() {
			if fate.undone.Add(1); echo.life != w.life {
				w.t.Errorf("life %d was told of an asker that message %d had in life %d", w.life, m.id, echo.life)
			}
		})
		w.deferred <- m
	case fuzzBlock:
		select { // either will do
		case <-w.unblock:
		case <-ctx.Done():
		}
	case fuzzTimer:
		w.timers <- fuzzTimed{m.id, s.After(time.Second, echo)}
	case fuzzTask:
		fate.working.Add(1)
		s.Go(func(ctx context.Context) fuzzMessage {
			select { // either will do
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			return echo
		})
	case fuzzChild:
		if child, err := Spawn(s, "child", newOrderly); err == nil {
			Watch(s, child, func(error) fuzzMessage { return echo })
			w.children <- child
		}
	case fuzzError:
		return errBroken
	case fuzzPanic:
		panic(errBroken)
	case fuzzGoexit:
		runtime.Goexit()
	case fuzzStopSelf:
		s.Ref().Stop()
	}
	return nil
}

func newOrderly(s *Self[order]) (Behavior[order], error) {
	return BehaviorFunc[order](func(ctx context.Context, do order) error { return do(s, ctx) }), nil
}

// end ends the actor in order and looks at every fate.
func (w *fuzzWorld) end() {
	close(w.unblock) // nothing blocks any more
	for _, cancel := range w.cancels {
		defer cancel()
	}
	synctest.Wait() // whoever was cancelled has gone
	unstopped := w.ref.cell.state.Load() == open
	if err := w.system.Shutdown(context.Background()); err != nil {
		w.t.Errorf("Shutdown: %v", err)
	}
	synctest.Wait() // also those who waited have their answer
	var handled, dead uint64
	for id := range w.next + 1 {
		w.judge(id)
		fate := &w.fates[id]
		if unstopped && w.life == 1 && fate.deferred.Load() == 1 && fate.undone.Load() != fate.cancelled.Load() {
			w.t.Errorf("message %d was deferred, its asker went, and nobody was told: %+v", id, fate)
		}
		handled += uint64(fate.handled.Load() + fate.echoed.Load())
		dead += uint64(fate.dead.Load() + fate.dropped.Load())
	}
	if st := w.ref.Stats(); st.Handled != handled || st.DeadLetters != dead || st.Queued != 0 {
		w.t.Errorf("%d handled, %d dead letters, but the actor's accounts say %+v", handled, dead, st)
	}
}

func (w *fuzzWorld) judge(id int) {
	fate := &w.fates[id]
	ends := fate.handled.Load() + fate.dead.Load()
	for what, wrong := range map[string]bool{
		"met two fates":                               ends > 1,
		"was accepted and met no fate":                fate.accepted.Load() == 1 && ends == 0,
		"was refused and met a fate":                  fate.refused.Load() == 1 && ends != 0,
		"has an answer sent, not received":            fate.sent.Load() != fate.received.Load(),
		"was undone though its asker had not gone":    fate.undone.Load() > fate.cancelled.Load(),
		"had its timer stopped and handled":           fate.timerStopped.Load()+fate.echoed.Load() > 1,
		"had two of what came of it":                  fate.echoed.Load()+fate.dropped.Load() > 1,
		"has an asker that waits for ever":            fate.asking.Load() != 0,
		"lost the result of its task":                 fate.working.Load() > fate.echoed.Load()+fate.dropped.Load(),
		"was not handled, yet something came of it":   fate.handled.Load() == 0 && fate.echoed.Load()+fate.dropped.Load() > 0,
		"was answered and cancelled at the same time": fate.sent.Load()+fate.cancelled.Load() > 1,
	} {
		if wrong {
			w.t.Errorf("message %d %s: %+v", id, what, fate)
		}
	}
}
