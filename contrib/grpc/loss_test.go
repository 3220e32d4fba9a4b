package lkgrpc

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func TestAHandlerIsToldOfTheLossOfItsLock(t *testing.T) {
	m := managertest.Memory(t)
	var answers func(context.Context) error
	c := serve(t, byService(m), func(ctx context.Context) error {
		if err := m.Break(ctx, manager.LeaseFrom(ctx).Name()); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		var lost *manager.LostError
		if !errors.As(context.Cause(ctx), &lost) || lost.Reason != manager.Broken {
			t.Error(context.Cause(ctx))
		}
		return answers(ctx)
	})
	for _, a := range []struct {
		of    func(context.Context) error
		code  codes.Code
		retry time.Duration
	}{
		{context.Context.Err, codes.Aborted, time.Second},
		{ok, codes.OK, 0}, // it knows best
		{func(context.Context) error { return status.Error(codes.DataLoss, "") }, codes.DataLoss, 0},
	} {
		answers = a.of
		want(t, call(t.Context(), c, "a"), a.code, a.retry)
	}

	answers = context.Context.Err
	s, err := c.Watch(t.Context(), &request{})
	if err == nil {
		_, err = s.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Recv()
	want(t, err, codes.Aborted, time.Second)
}

func TestAnErrorOfAHandlerReachesTheClientUnchanged(t *testing.T) {
	m := managertest.Memory(t)
	c := serve(t, byService(m), func(context.Context) error {
		return status.Error(codes.NotFound, "no such thing")
	})
	err := call(t.Context(), c, "a")
	want(t, err, codes.NotFound, 0)
	if status.Convert(err).Message() != "no such thing" {
		t.Error(err)
	}
	acquire(t, m.Lock("a"))
}

func TestNothingIsHandledWhileTheStoreIsOutOfReach(t *testing.T) {
	r := redistest.Start(t)
	m := managertest.Redis(t, r, r.Prefix())
	c := serve(t, byService(m), func(context.Context) error {
		t.Error("it runs")
		return nil
	})
	r.Kill()
	want(t, call(t.Context(), c, "a"), codes.Unavailable, time.Second)
}

func TestBadOptionsAreRefused(t *testing.T) {
	claim := func(context.Context, string, any) (manager.Claim, bool) { return manager.Claim{}, false }
	for what, o := range map[string]Option{
		"zero": {}, "wait": WithWait(-1), "code": WithBusyCode(codes.OK), "retry": WithRetryAfter(0),
		"handler": WithErrorHandler(nil), "no code": WithBusyCode(17),
	} {
		if _, err := Unary(claim, o); !errors.Is(err, manager.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Stream(nil); !errors.Is(err, manager.ErrInvalid) {
		t.Error(err)
	}
}
