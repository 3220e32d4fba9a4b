package lkgrpc

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// service is a service with a unary method and a stream, whose messages grpc has.
type service struct {
	grpc_health_v1.UnimplementedHealthServer
	check func(context.Context) error
}

type (
	request = grpc_health_v1.HealthCheckRequest
	answer  = grpc_health_v1.HealthCheckResponse
)

func (s service) Check(ctx context.Context, _ *request) (*answer, error) {
	return &answer{}, s.check(ctx)
}

func (s service) Watch(_ *request, out grpc.ServerStreamingServer[answer]) error {
	if err := out.Send(&answer{}); err != nil {
		return err
	}
	return s.check(out.Context())
}

// byService claims the lock with the name of the request's service, or of the method of a stream.
func byService(m *manager.Manager) Claimer {
	return func(_ context.Context, method string, r any) (manager.Claim, bool) {
		if r, ok := r.(*request); ok {
			return m.Lock(r.GetService()), r.GetService() != "free"
		}
		return m.Lock(method), true
	}
}

// serve runs a server whose calls take turns, and returns a client of it.
func serve(
	t *testing.T, claim Claimer, check func(context.Context) error, opts ...Option,
) grpc_health_v1.HealthClient {
	t.Helper()
	unary, err := Unary(claim, opts...)
	if err != nil {
		t.Fatal(err)
	}
	streams, err := Stream(claim, opts...)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(streams))
	grpc_health_v1.RegisterHealthServer(s, service{check: check})
	l := bufconn.Listen(1 << 16)
	ended := make(chan error)
	go func() { ended <- s.Serve(l) }()
	const retries = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 2,
		"initialBackoff": "3600s", "maxBackoff": "3600s", "backoffMultiplier": 1,
		"retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]}` // the hour gives way to what the server says
	c, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return l.DialContext(ctx)
		}),
		grpc.WithDefaultServiceConfig(retries))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return grpc_health_v1.NewHealthClient(c)
}

func call(ctx context.Context, c grpc_health_v1.HealthClient, name string) error {
	_, err := c.Check(ctx, &request{Service: name})
	return err
}

// want checks the code of an answer, and when it says to try again.
func want(t *testing.T, err error, code codes.Code, retry time.Duration) {
	t.Helper()
	s := status.Convert(err)
	var got time.Duration
	for _, d := range s.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			got = r.GetRetryDelay().AsDuration()
		}
	}
	if s.Code() != code || got != retry {
		t.Errorf("%v, retry after %v; want %v, %v", err, got, code, retry)
	}
}

func acquire(t *testing.T, c manager.Claim) *manager.Lease {
	t.Helper()
	l, err := c.TryAcquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func ok(context.Context) error { return nil }

func TestCallsOfANameTakeTurns(t *testing.T) {
	m := managertest.Memory(t)
	busy := make(chan struct{}, 1)
	c := serve(t, byService(m), func(ctx context.Context) error {
		select {
		case busy <- struct{}{}:
		default:
			t.Error("two at a time")
		}
		if l := manager.LeaseFrom(ctx); l == nil || !l.Valid() {
			t.Error("no lease")
		}
		<-busy
		return nil
	})
	ended := make(chan error)
	const n = 20
	for range n {
		go func() { ended <- call(context.Background(), c, "a") }()
	}
	for range n {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestAStreamHoldsItsClaimUntilItsEnd(t *testing.T) {
	m := managertest.Memory(t)
	end := make(chan struct{})
	c := serve(t, byService(m), func(ctx context.Context) error {
		if l := manager.LeaseFrom(ctx); l == nil || !l.Valid() {
			t.Error("no lease")
		}
		<-end
		return nil
	}, WithWait(0))
	first, err := c.Watch(t.Context(), &request{})
	if err == nil {
		_, err = first.Recv() // its handler runs
	}
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Watch(t.Context(), &request{})
	if err == nil {
		_, err = second.Recv()
	}
	want(t, err, codes.Aborted, time.Second)
	close(end)
	if _, err := first.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	acquire(t, m.Lock(grpc_health_v1.Health_Watch_FullMethodName))
}

func TestAnswersSayWhyThereIsNoTurn(t *testing.T) {
	m := managertest.Memory(t)
	acquire(t, m.Lock("a"))
	c := serve(t, byService(m), ok, WithWait(0))
	want(t, call(t.Context(), c, "a"), codes.Aborted, time.Second)
	want(t, call(t.Context(), c, "free"), codes.OK, 0) // claims nothing
	want(t, call(t.Context(), c, "b"), codes.OK, 0)
	want(t, call(t.Context(), c, ""), codes.InvalidArgument, 0)
	want(t, call(t.Context(), c, strings.Repeat("x", 1025)), codes.InvalidArgument, 0)

	c = serve(t, byService(m), ok, WithWait(time.Nanosecond), WithRetryAfter(time.Minute))
	want(t, call(t.Context(), c, "a"), codes.Aborted, time.Minute)

	c = serve(t, byService(m), ok, WithWait(0), WithErrorHandler(func(err error) error {
		var held *manager.HeldError
		if !errors.As(err, &held) {
			t.Error(err)
		}
		return status.Error(codes.DataLoss, "")
	}))
	want(t, call(t.Context(), c, "a"), codes.DataLoss, 0)

	none := func(context.Context, string, any) (manager.Claim, bool) { return manager.Claim{}, true }
	want(t, call(t.Context(), serve(t, none, ok), "a"), codes.Internal, 0)

	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, call(t.Context(), serve(t, byService(m), ok), "b"), codes.Unavailable, time.Second)
}

func TestARetryPolicyFollowsTheAnswer(t *testing.T) {
	m := managertest.Memory(t)
	l := acquire(t, m.Lock("a"))
	tries := 0
	c := serve(t, func(context.Context, string, any) (manager.Claim, bool) {
		if tries++; tries == 2 {
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		}
		return m.Lock("a"), true
	}, ok, WithWait(0), WithBusyCode(codes.ResourceExhausted), WithRetryAfter(time.Millisecond))
	want(t, call(t.Context(), c, "a"), codes.OK, 0)
	if tries != 2 {
		t.Errorf("tried %d times", tries)
	}
}

func TestAWaitEndsWithItsCall(t *testing.T) {
	m := managertest.Memory(t)
	l := acquire(t, m.Lock("a"))
	refused := make(chan error, 1)
	c := serve(t, byService(m), func(context.Context) error {
		t.Error("it runs")
		return nil
	}, WithErrorHandler(func(err error) error {
		refused <- err
		return err
	}))
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- call(ctx, c, "a") }()
	for end := time.Now().Add(2 * time.Minute); m.Stats().Resources[0].Waiting == 0; {
		if time.Now().After(end) {
			t.Fatal("the call does not wait")
		}
	}
	cancel()
	want(t, <-sent, codes.Canceled, 0)
	if err := <-refused; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	acquire(t, m.Lock("a")) // nothing is left in the queue
}
