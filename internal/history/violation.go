package history

import (
	"fmt"
	"strings"
)

// Overlap is a grant that was one too many.
type Overlap struct {
	Used    int64   // permits in use, more than the capacity
	Holders []Event // at that instant, latest first; at most a few
}

func (o *Overlap) Error() string {
	var who []string
	for _, h := range o.Holders {
		who = append(who, "\t"+h.String())
	}
	return fmt.Sprintf("%d of %d permits in use at %d:\n%s",
		o.Used, o.Holders[0].Capacity, o.Holders[0].From, strings.Join(who, "\n"))
}

// Regression is a grant whose token is smaller than that of one before it.
type Regression struct{ Before, After Event }

func (r *Regression) Error() string {
	return fmt.Sprintf("token %d after token %d:\n\t%v\n\t%v", r.After.Token, r.Before.Token, r.Before, r.After)
}

// Reuse is a token that was given out twice.
type Reuse struct{ First, Second Event }

func (r *Reuse) Error() string {
	return fmt.Sprintf("token %d twice:\n\t%v\n\t%v", r.First.Token, r.First, r.Second)
}

// Mismatch is a name held with two capacities at a time.
type Mismatch struct{ First, Second Event }

func (m *Mismatch) Error() string {
	return fmt.Sprintf("capacities %d and %d at a time:\n\t%v\n\t%v", m.First.Capacity, m.Second.Capacity, m.First, m.Second)
}

// Malformed is an event that makes no sense by itself: it ends before it begins, was granted before it was asked for, or
// has no weight, more than the capacity, or no token.
type Malformed struct{ Event Event }

func (m *Malformed) Error() string {
	return fmt.Sprintf("makes no sense (asked at %d): %v", m.Event.Asked, m.Event)
}
