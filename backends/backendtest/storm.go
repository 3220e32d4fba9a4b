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
)

var storm = []Clause{
	{
		Name:  "Storm",
		Text:  "many goroutines of several clients with all kinds of resources, requests and cancellations never hold more than there is; tokens increase; nothing is left",
		check: anyStorm,
	},
}

// anyStorm lets 3 clients with 8 goroutines each do what they like and checks the history of their grants.
func anyStorm(s *session) {
	var buffers []*history.Buffer
	clients := []backends.Backend{s.b, s.open(), s.open()}
	for c, b := range clients {
		buffer := &history.Buffer{}
		buffers = append(buffers, buffer)
		rec := history.NewRecorder(buffer, fmt.Sprintf("client %d", c))
		for g := range 8 {
			s.spawned.Go(func() { s.rage(b, rec, fmt.Sprint(g)) })
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
func (s *session) rage(b backends.Backend, rec *history.Recorder, holder string) {
	for range s.env.Rounds / 4 {
		r := s.anyRequest()
		asked := history.Now()
		g, err := s.anyCall(b, r)
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
		h.Ended()
		if err := b.Release(s.ctx, g); err != nil {
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

func (s *session) anyCall(b backends.Backend, r backends.Request) (backends.Grant, error) {
	switch rand.IntN(4) {
	case 0:
		return b.TryAcquire(s.ctx, r)
	case 1:
		ctx, cancel := context.WithTimeout(s.ctx, time.Duration(rand.IntN(500))*time.Microsecond)
		defer cancel()
		return b.Acquire(ctx, r)
	default:
		return b.Acquire(s.ctx, r)
	}
}
