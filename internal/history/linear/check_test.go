package linear_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history/linear"
)

func op(verb linear.Verb, outcome linear.Outcome, call, ret int64) linear.Op {
	return linear.Op{Name: "db", Capacity: 2, Weight: 1, Verb: verb, Outcome: outcome, Call: call, Return: ret}
}

func got(token uint64, tokens int, o linear.Op) linear.Op {
	o.Token, o.Tokens = token, tokens
	return o
}

func weighs(weight int64, o linear.Op) linear.Op {
	o.Weight = weight
	return o
}

func of(grant uint64, o linear.Op) linear.Op {
	o.Grant = grant
	return o
}

func TestCheck(t *testing.T) {
	const (
		acquire, try, release, renew    = linear.Acquire, linear.Try, linear.Release, linear.Renew
		ok, busy, lost, failed, unknown = linear.OK, linear.Busy, linear.Lost, linear.Failed, linear.Unknown
	)
	tests := []struct {
		name  string
		legal bool
		ops   []linear.Op
	}{
		{"handed on", true, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), of(1, op(release, ok, 5, 6)), got(2, 1, weighs(2, op(acquire, ok, 3, 8))), of(2, op(release, ok, 9, 10)),
		}},
		{"the answers overtake each other", true, []linear.Op{
			got(2, 1, op(acquire, ok, 1, 3)), got(1, 1, op(acquire, ok, 2, 4)),
		}},
		{"two holders of all of it", false, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), got(2, 1, weighs(2, op(acquire, ok, 3, 4))), of(1, op(release, ok, 5, 6)),
		}},
		{"three permits of two", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), got(2, 1, op(acquire, ok, 3, 4)), got(3, 1, op(acquire, ok, 5, 6)),
		}},
		{"the token goes back", false, []linear.Op{
			got(2, 1, op(acquire, ok, 1, 2)), got(1, 1, op(acquire, ok, 3, 4)),
		}},
		{"a token of a block again", false, []linear.Op{
			got(1, 5, weighs(2, op(acquire, ok, 1, 2))), of(1, op(release, ok, 3, 4)), got(5, 1, op(acquire, ok, 5, 6)),
		}},
		{"busy while held", true, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), op(try, busy, 3, 4),
		}},
		{"busy while free", false, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), of(1, op(release, ok, 3, 4)), op(try, busy, 5, 6),
		}},
		{"busy while there is room", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), op(try, busy, 3, 4),
		}},
		{"busy while it is being released", true, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), of(1, op(release, ok, 3, 6)), op(try, busy, 4, 5),
		}},
		{"busy while another may wait", true, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), op(acquire, failed, 3, 9), op(try, busy, 4, 5),
		}},
		{"busy after another has waited", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), op(acquire, failed, 3, 4), op(try, busy, 5, 6),
		}},
		{"busy while nobody knows who holds", true, []linear.Op{
			op(acquire, unknown, 1, 2), op(try, busy, 5, 6),
		}},
		{"released twice", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, op(release, ok, 3, 4)), of(1, op(release, ok, 5, 6)),
		}},
		{"released twice, and told so", true, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, op(release, ok, 3, 4)), of(1, op(release, lost, 5, 6)),
		}},
		{"lost while held", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, op(release, lost, 3, 4)),
		}},
		{"a release that nobody knows of", true, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), of(1, op(release, unknown, 3, 4)), op(try, busy, 5, 6), got(2, 1, op(acquire, ok, 7, 8)),
		}},
		{"a release that came to nothing", true, []linear.Op{
			got(1, 1, weighs(2, op(acquire, ok, 1, 2))), of(1, op(release, unknown, 3, 4)), of(1, op(release, ok, 5, 6)),
		}},
		{"renewed while held", true, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, got(2, 3, op(renew, ok, 3, 4))), of(1, op(renew, ok, 5, 6)), got(5, 1, op(acquire, ok, 7, 8)),
		}},
		{"renewed with an old token", false, []linear.Op{
			got(3, 1, op(acquire, ok, 1, 2)), of(3, got(2, 1, op(renew, ok, 3, 4))),
		}},
		{"granted with a token of a renewal", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, got(2, 3, op(renew, ok, 3, 4))), got(4, 1, op(acquire, ok, 5, 6)),
		}},
		{"renewed after its end", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, op(release, ok, 3, 4)), of(1, op(renew, ok, 5, 6)),
		}},
		{"renewal lost while held", false, []linear.Op{
			got(1, 1, op(acquire, ok, 1, 2)), of(1, op(renew, lost, 3, 4)),
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := linear.Check(test.ops, time.Minute)
			if test.legal && err != nil || !test.legal && !errors.Is(err, linear.ErrIllegal) {
				t.Errorf("Check = %v; legal: %v", err, test.legal)
			}
		})
	}
}

func TestUndecidedIsAFailure(t *testing.T) {
	// Each of many concurrent releases may have happened or not, and no order but one of very many is right.
	ops := []linear.Op{}
	for i := range 24 {
		a := got(uint64(2*i+1), 1, op(linear.Acquire, linear.OK, 1, 1_000_000))
		a.Capacity = 30
		ops = append(ops, a, of(a.Token, op(linear.Release, linear.Unknown, 2, 3)))
	}
	bad := got(1, 1, op(linear.Acquire, linear.OK, 2_000_000, 2_000_001))
	bad.Capacity = 30
	err := linear.Check(append(ops, bad), time.Millisecond)
	if !errors.Is(err, linear.ErrUndecided) {
		t.Errorf("Check = %v; want ErrUndecided", err)
	}
}
