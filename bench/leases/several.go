package leases

import (
	"context"
	"fmt"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The sides of the cases about several names.
const (
	Ten     = "All of 10 names"
	One     = "one name"
	Five    = "All of 5 names"
	Longest = "the longest queue alone"
)

// Locks returns claims to n names that begin with the prefix.
func Locks(m *manager.Manager, prefix string, n int) []manager.Claim {
	claims := make([]manager.Claim, n)
	for i := range claims {
		claims[i] = m.Lock(numbered(prefix, i))
	}
	return claims
}

func numbered(prefix string, i int) string { return fmt.Sprintf("%s/%d", prefix, i) }

// LoopTen acquires and releases ten names at once, n times, one after the other.
func LoopTen(ctx context.Context, m *manager.Manager, prefix string, n int) error {
	claims := Locks(m, prefix, 10)
	for range n {
		l, err := m.All(claims...).Acquire(ctx)
		if err != nil {
			return err
		}
		if err := l.Release(); err != nil {
			return err
		}
	}
	return nil
}

// TenNames is the case of ten names that nobody else wants, beside one such name. The last argument is
// its Missed.
func TenNames(ten, one harness.Side, bound float64, missed string) harness.Case {
	return harness.Case{
		Missed: missed,
		Name:   Ten + ", uncontended",
		Models: "a transfer that touches ten accounts, none of which anybody else touches now",
		Sides:  []harness.Side{ten, one},
		Checks: []harness.Check{{
			What: Ten + ", nobody else", Metric: "ns/op",
			Ours: ten.Name, Base: []string{one.Name}, Bound: bound,
		}},
	}
}
