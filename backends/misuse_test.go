package backends

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// TestMisuse has a row for every exported function, with arguments that make no sense.
func TestMisuse(t *testing.T) {
	var none context.Context
	now := time.Now()
	r := Request{Resource: Resource{Name: "a", Kind: Mutex, Capacity: 1}, Weight: 1, Tokens: 1}
	granted := func(int, Grant, error) {}
	const noCallback = "panic: x: an operation needs a callback"
	apitest.Run(t, []apitest.Row{
		bad("Acquire", "nil backend", func() any { return second(Acquire(t.Context(), nil, r)) }, apitest.NilPointer),
		bad("TryAcquire", "nil backend", func() any { return second(TryAcquire(t.Context(), nil, r)) }, apitest.NilPointer),
		bad("Release", "nil backend, nil context", func() any { return Release(none, nil, Grant{}) }, apitest.NilPointer),
		bad("Op.Check", "zero", func() any { return new(Op).Check(Capabilities{}) }, "<nil>"),
		bad("Op.Check", "nobody to answer", func() any {
			return (&Op{Acquire: []Request{r}}).Check(Capabilities{Name: "x"})
		}, noCallback),
		bad("Op.Check", "nobody to hear of a release", func() any {
			return (&Op{Release: make([]Grant, 1)}).Check(Capabilities{Name: "x"})
		}, noCallback),
		bad("Op.Check", "one name twice", func() any {
			return (&Op{Acquire: []Request{r, r}, Granted: granted}).Check(Capabilities{})
		}, `error: invalid request "a": want each name once`),
		bad("Op.Check", "no request", func() any {
			return (&Op{Acquire: make([]Request, 1), Granted: granted}).Check(Capabilities{})
		}, "error: invalid name"),
		bad("Op.Fail", "zero", func() any { new(Op).Fail(nil); return "nobody" }, "nobody"),
		bad("CheckContext", "nil", func() any { return CheckContext(none) }, "error: invalid context <nil>: want not nil"),
		bad("Ended", "nil", func() any { return Ended(none) }, "error: invalid context <nil>: want not nil"),
		bad("CheckName", "empty", func() any { return CheckName("") }, `error: invalid name "": want 1 to 1024 bytes`),
		bad("CheckTTL", "longest", func() any { return CheckTTL(math.MaxInt64) }, "error: invalid ttl"),
		bad("CheckTTL", "negative", func() any { return CheckTTL(-1) }, "error: invalid ttl -1ns"),
		bad("Resource.Check", "zero", func() any { return Resource{}.Check() }, "error: invalid name"),
		bad("Request.Check", "zero", func() any { return Request{}.Check(Capabilities{}) }, "error: invalid name"),
		bad("Renewal.Check", "zero", func() any { return Renewal{}.Check(Capabilities{}) }, "error: invalid name"),
		bad("Detachment.Check", "zero", func() any { return new(Detachment).Check() }, "error: invalid name"),
		bad("Adoption.Check", "zero", func() any { return new(Adoption).Check(Capabilities{}) }, "error: invalid tokens 0"),
		bad("NextToken", "the last of all", func() any { return NextToken(math.MaxUint64-1, now) == math.MaxUint64 }, "true"),
		bad("NextToken", "before time began", func() any { return NextToken(0, time.Time{}) > 0 }, "true"),
		bad("ValidUntil", "negative", func() any { return ValidUntil(now, math.MinInt64).After(now) }, "false"),
		bad("Worst", "nil", func() any { return Worst(nil) == 0 }, "true"),
		bad("Kind.String", "unknown", func() any { return Kind(99).String() }, "Kind(99)"),
		bad("EventType.String", "unknown", func() any { return EventType(99).String() }, "EventType(99)"),
		bad("Level.String", "unknown", func() any { return Level(99).String() }, "Level(99)"),
		bad("GrantID.String", "zero", func() any { return GrantID{}.String() }, "0000000000000000-0"),
		bad("Owner.String", "zero", func() any { return Owner{}.String() }, "unknown"),
		bad("Holder.Held", "zero", func() any { return Holder{}.Held() }, "held by another program"),
		bad("BusyError.Error", "zero", func() any { return (&BusyError{}).Error() }, "busy: held by another program"),
		bad("BusyError.Unwrap", "zero", func() any { return (&BusyError{}).Unwrap() }, "error: busy"),
		bad("InvalidError.Error", "zero", func() any { return (&InvalidError{}).Error() }, "invalid  <nil>: want "),
		bad("InvalidError.Is", "nil", func() any { return (&InvalidError{}).Is(nil) }, "false"),
		bad("MismatchError.Error", "zero", func() any { return (&MismatchError{}).Error() }, `"" is in use as a Kind(0)`),
		bad("MismatchError.Is", "nil", func() any { return (&MismatchError{}).Is(nil) }, "false"),
		bad("DeadlockError.Error", "zero", func() any { return (&DeadlockError{}).Error() }, "deadlock over []"),
		bad("DeadlockError.Is", "nil", func() any { return (&DeadlockError{}).Is(nil) }, "false"),
		bad("OpError.Error", "zero", func() any { return (&OpError{}).Error() }, ": <nil>"),
		bad("OpError.Unwrap", "zero", func() any { return (&OpError{}).Unwrap() }, "<nil>"),
		bad("LostError.Error", "zero", func() any { return (&LostError{}).Error() }, `lease on "" (token 0) lost: `),
		bad("LostError.Unwrap", "no cause", func() any { return len((&LostError{}).Unwrap()) }, "1"),
	}, nil)
}

// bad is a row of the table.
func bad(name, which string, call func() any, want string) apitest.Row {
	return apitest.Row{Name: name, Case: which, Call: call, Want: want}
}

func second[T any](_ T, err error) error { return err }
