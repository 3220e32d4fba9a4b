package backends

import (
	"context"
	"fmt"
	"time"
)

const fieldName = "name"

// CheckName returns an *InvalidError unless name is 1 to MaxName bytes long.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return &InvalidError{Field: fieldName, Value: name, Want: fmt.Sprintf("1 to %d bytes", MaxName)}
	}
	return nil
}

// CheckContext returns an *InvalidError if ctx is nil.
func CheckContext(ctx context.Context) error {
	if ctx == nil {
		return &InvalidError{Field: "context", Value: nil, Want: "not nil"}
	}
	return nil
}

// Ended returns the error of a context that is done, with its cause if it has one of its own; nil
// for a context that is not done. A nil context is an *InvalidError.
func Ended(ctx context.Context) error {
	if err := CheckContext(ctx); err != nil {
		return err
	}
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil || cause == err { //nolint:errorlint // the very same value
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// CheckTTL returns an *InvalidError unless ttl lies between MinTTL and MaxTTL.
func CheckTTL(ttl time.Duration) error {
	if ttl < MinTTL || ttl > MaxTTL {
		return &InvalidError{Field: "ttl", Value: ttl, Want: fmt.Sprintf("%v to %v", MinTTL, MaxTTL)}
	}
	return nil
}

// Check returns an *InvalidError unless the resource makes sense.
func (r Resource) Check() error {
	if err := CheckName(r.Name); err != nil {
		return err
	}
	switch want := r.Kind.capacity(); {
	case want == 0:
		return &InvalidError{Field: "kind", Value: r.Kind, Want: "mutex, rwlock or semaphore"}
	case want > 0 && r.Capacity != want:
		return &InvalidError{Field: "capacity", Value: r.Capacity, Want: fmt.Sprintf("%d for a %s", want, r.Kind)}
	case r.Capacity < 1 || r.Capacity > MaxCapacity:
		return &InvalidError{Field: "capacity", Value: r.Capacity, Want: fmt.Sprintf("1 to %d", MaxCapacity)}
	}
	return nil
}

// Check returns an error unless the request could be granted by a free store with these
// capabilities: *InvalidError, or ErrTooLarge for more than the capacity. Every backend calls it
// before it does anything.
func (r Request) Check(c Capabilities) error {
	if err := r.Resource.Check(); err != nil {
		return err
	}
	if r.Weight < 1 {
		return &InvalidError{Field: "weight", Value: r.Weight, Want: "at least 1"}
	}
	if r.Weight > r.Capacity {
		return fmt.Errorf("%s has %d permits, not %d: %w", brief(r.Name), r.Capacity, r.Weight, ErrTooLarge)
	}
	most := 1
	if r.Weight == r.Capacity {
		most = MaxTokens
	}
	if r.Tokens < 1 || r.Tokens > most {
		return &InvalidError{Field: "tokens", Value: r.Tokens, Want: fmt.Sprintf("1 to %d", most)}
	}
	if len(r.Owner.Label) > MaxName || len(r.Owner.Host) > MaxName {
		return &InvalidError{Field: "owner", Value: r.Owner.Label, Want: fmt.Sprintf("at most %d bytes", MaxName)}
	}
	if r.AtLeast < 0 || r.AtLeast > MaxAtLeast {
		return &InvalidError{Field: "time to hold at least", Value: r.AtLeast, Want: fmt.Sprintf("0 to %v", MaxAtLeast)}
	}
	if r.AtLeast > 0 && !c.AtLeast {
		return fmt.Errorf("%w: the %s store cannot keep a name taken after its release", ErrUnsupported, c.Name)
	}
	if !c.Expiry {
		return nil
	}
	if err := CheckTTL(r.TTL); err != nil {
		return err
	}
	if r.MinValid < 0 || r.MinValid > r.TTL/2 {
		return &InvalidError{Field: "least validity", Value: r.MinValid, Want: "0 to half of the TTL"}
	}
	return nil
}

// Check returns an error unless the renewal makes sense for a grant of a store with these
// capabilities.
func (r Renewal) Check(c Capabilities) error {
	if err := r.Grant.Resource.Check(); err != nil {
		return err
	}
	most := 0
	if r.Grant.Weight == r.Grant.Resource.Capacity {
		most = MaxTokens
	}
	if r.Tokens < 0 || r.Tokens > most {
		return &InvalidError{Field: "tokens", Value: r.Tokens, Want: fmt.Sprintf("0 to %d", most)}
	}
	if c.Expiry {
		return CheckTTL(r.TTL)
	}
	return nil
}

// capacity returns the capacity that the kind demands: negative if any will do, 0 for no kind at
// all.
func (k Kind) capacity() int64 {
	switch k {
	case Mutex:
		return 1
	case ReadWrite:
		return ReadWriteCapacity
	case Semaphore:
		return -1
	default:
		return 0
	}
}

// String returns "mutex", "rwlock" or "semaphore".
func (k Kind) String() string {
	switch k {
	case Mutex:
		return "mutex"
	case ReadWrite:
		return "rwlock"
	case Semaphore:
		return "semaphore"
	default:
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
}

// String returns "contended", "lost", "requeued" or "tried".
func (t EventType) String() string {
	switch t {
	case Contended:
		return "contended"
	case Lost:
		return "lost"
	case Requeued:
		return "requeued"
	case Tried:
		return "tried"
	default:
		return fmt.Sprintf("EventType(%d)", uint8(t))
	}
}

// String returns the client's number and the request's, in hexadecimal.
func (id GrantID) String() string { return fmt.Sprintf("%016x-%x", id.Client, id.Seq) }
