package lkgrpc

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockkeeper/lockkeeper/manager"
)

// A Claimer returns the claim of a call, or false for a call that needs none. The method is the full
// one: "/package.Service/Method". The request is nil for a stream. A Claimer must be safe for
// concurrent use.
type Claimer func(ctx context.Context, method string, request any) (c manager.Claim, ok bool)

// Unary returns an interceptor that handles a call while it holds the call's claim. The error, a
// *manager.InvalidError, says that claim is nil or an option is bad.
func Unary(claim Claimer, opts ...Option) (grpc.UnaryServerInterceptor, error) {
	c, err := newConfig(claim, opts)
	if err != nil {
		return nil, err
	}
	return func(
		ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
	) (answer any, err error) {
		wanted, ok := claim(ctx, info.FullMethod, request)
		if !ok {
			return next(ctx, request)
		}
		err = c.do(ctx, wanted, func(inner context.Context) (e error) {
			answer, e = next(inner, request)
			return e
		})
		return answer, err
	}, nil
}

// Stream returns an interceptor that handles a stream while it holds the stream's claim, until the
// handler returns. The error is that of [Unary].
func Stream(claim Claimer, opts ...Option) (grpc.StreamServerInterceptor, error) {
	c, err := newConfig(claim, opts)
	if err != nil {
		return nil, err
	}
	return func(
		server any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
	) error {
		wanted, ok := claim(s.Context(), info.FullMethod, nil)
		if !ok {
			return next(server, s)
		}
		return c.do(s.Context(), wanted, func(inner context.Context) error {
			return next(server, &stream{s, inner})
		})
	}, nil
}

// stream is a stream whose context ends with the lease.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *stream) Context() context.Context { return s.ctx }

// do runs handle under the claim, and returns its error unless that says less than we know.
func (c *config) do(
	ctx context.Context, wanted manager.Claim, handle func(context.Context) error,
) error {
	var own error
	ran, err := c.how.Do(ctx, wanted, func(inner context.Context) error {
		own = handle(inner)
		return own
	})
	if !ran {
		if c.refuse != nil {
			return c.refuse(err)
		}
		return c.answer(ctx, err)
	}
	if _, hasStatus := status.FromError(own); !hasStatus && errors.Is(err, manager.ErrLost) {
		return c.later(ctx, codes.Aborted, "the lock was lost")
	}
	return own
}

// answer tells the client why its call is not handled.
func (c *config) answer(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, manager.ErrBusy):
		return c.later(ctx, c.busy, "busy")
	case errors.Is(err, manager.ErrUnavailable), errors.Is(err, manager.ErrClosed):
		return c.later(ctx, codes.Unavailable, "locks are unavailable")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "busy")
	case errors.Is(err, context.Canceled): // then mostly nobody reads it
		return status.Error(codes.Canceled, "cancelled")
	case errors.Is(err, manager.ErrInvalidName):
		return status.Error(codes.InvalidArgument, "bad name of a lock")
	}
	return status.Error(codes.Internal, "no lock")
}

// later is an answer that says when to try again.
func (c *config) later(ctx context.Context, code codes.Code, text string) error {
	pushback := strconv.FormatInt(c.retry.Milliseconds(), 10)
	// It fails only outside of a server, where there is no client to tell.
	_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", pushback))
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(c.retry)}
	s, err := status.New(code, text).WithDetails(retry)
	if err != nil {
		return status.Error(code, text)
	}
	return s.Err()
}
