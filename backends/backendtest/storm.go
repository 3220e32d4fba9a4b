package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/history/linear"
)

var storm = []Clause{
	{
		Name:  "Storm/Cancelling",
		Text:  "many goroutines of several clients with all kinds of resources, requests and cancellations never hold more than there is; tokens increase; nothing is left",
		check: func(s *session) { s.storm(true, s.open(), s.open(), s.open()) },
	},
	{
		Name:  "Storm/Linearizable",
		Text:  "the answers of all calls could have come about one after the other: nobody is refused who fits while nobody waits, no release and no renewal finds another state than the grants left",
		check: linearizable,
	},
	{
		Name:  "Storm/Operations",
		Text:  "operations of many goroutines that release and request several names, try and cancel, all end; never more is held than there is; no request overtakes one that was placed before it was started",
		check: stormOfOperations,
	},
}

// linearizable is a storm in which every call is logged. It cancels nothing: a store may need a moment after the end of a
// context until it has taken the request back.
func linearizable(s *session) {
	var log linear.Log
	var clients []backends.Backend
	for c := range 3 {
		clients = append(clients, linear.Watch(s.open(), c, &log))
	}
	s.storm(false, clients...)
	ops := log.Ops()
	if err := linear.Check(ops, s.env.Patience); err != nil {
		s.Errorf("%d calls: %v", len(ops), err)
	}
	s.Logf("%d calls", len(ops))
}

// storm lets 8 goroutines of each client do what they like and checks the history of their grants.
func (s *session) storm(cancel bool, clients ...backends.Backend) {
	s.record(func(b backends.Backend, rec *history.Recorder, holder string) { s.rage(b, rec, holder, cancel) }, clients...)
}

// record lets 8 goroutines of each client do what rage does, and checks the history of the grants
// that they record.
func (s *session) record(rage func(backends.Backend, *history.Recorder, string), clients ...backends.Backend) {
	var buffers []*history.Buffer
	for c, b := range clients {
		buffer := &history.Buffer{}
		buffers = append(buffers, buffer)
		rec := history.NewRecorder(buffer, fmt.Sprintf("client %d", c))
		for g := range 8 {
			s.spawned.Go(func() { rage(b, rec, fmt.Sprint(g)) })
		}
	}
	s.spawned.Wait()
	if s.ctx.Err() != nil {
		s.Fatalf("the storm has not ended in time; state: %s", s.describe())
	}
	var all strings.Builder
	for _, buffer := range buffers {
		all.Write(buffer.Bytes())
	}
	events, err := history.Read(strings.NewReader(all.String()))
	if err != nil {
		s.Fatal(err)
	}
	v := history.Check(events)
	if err := v.Err(); err != nil {
		s.Error(err)
	}
	s.Log(v)
	s.listsNothing(s.b)
}

// rage is one goroutine of the storm.
func (s *session) rage(b backends.Backend, rec *history.Recorder, holder string, cancel bool) {
	for range s.env.Rounds / 4 {
		r := s.anyRequest()
		asked := history.Now()
		g, err := s.anyCall(b, r, cancel)
		switch {
		case err == nil:
		case errors.Is(err, backends.ErrBusy), errors.Is(err, context.DeadlineExceeded) && s.ctx.Err() == nil:
			continue
		default:
			s.Errorf("%s: %v", show(r), err)
			return
		}
		h := rec.Granted(history.Grant{
			Name: r.Name, Capacity: r.Capacity, Weight: r.Weight, Token: g.Token, Holder: holder, Asked: asked,
		})
		for range rand.IntN(4) {
			runtime.Gosched()
		}
		if rand.IntN(4) == 0 {
			if a := s.renew(b, backends.Renewal{Grant: g, TTL: long}); a.Err != nil {
				s.Errorf("Renew: %v", a.Err)
			}
		}
		h.Ended()
		if err := backends.Release(s.ctx, b, g); err != nil {
			s.Errorf("Release: %v", err)
			return
		}
	}
}

func (s *session) anyRequest() backends.Request {
	const capacity = 5
	var r backends.Request
	switch rand.IntN(5) {
	case 0:
		r = s.mutex()
	case 1:
		r = s.reader()
	case 2:
		r = s.writer()
	default:
		r = s.permits(1+rand.Int64N(capacity), capacity)
	}
	r.Name = fmt.Sprintf("%s/%s", s.name, r.Kind)
	if r.Weight == r.Capacity {
		r.Tokens = 1 + rand.IntN(3)
	}
	return r
}

func (s *session) anyCall(b backends.Backend, r backends.Request, cancel bool) (backends.Grant, error) {
	switch n := rand.IntN(4); {
	case n == 0:
		return backends.TryAcquire(s.ctx, b, r)
	case n == 1 && cancel:
		ctx, cancel := context.WithTimeout(s.ctx, time.Duration(rand.IntN(500))*time.Microsecond)
		defer cancel()
		return backends.Acquire(ctx, b, r)
	default:
		return backends.Acquire(s.ctx, b, r)
	}
}
