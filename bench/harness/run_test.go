package harness

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// scripted is a suite of one case whose sides note when they run.
func scripted(order *[]string, fail error) Suite {
	side := func(name string, err error) Side {
		return Side{Name: name, Run: func(context.Context, Budget) (Metrics, error) {
			*order = append(*order, name)
			return Metrics{"x": 1}, err
		}}
	}
	c := Case{Name: "c", Sides: []Side{side("a", nil), side("b", fail)}, Checks: []Check{{What: "w", Metric: "x", Ours: "a", Base: []string{"b"}, Bound: 1}}}
	return Suite{Name: "s", Open: Fixed(func() []Case { return []Case{c} })}
}

func TestRoundsInterleaveTheSidesAndRotate(t *testing.T) {
	var order []string
	outs, err := Run(t.Context(), []Suite{scripted(&order, nil)}, Options{Rounds: 2, Duration: time.Millisecond, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "b", "a", "a", "b"}; !slices.Equal(order, want) { // the first round is the warm-up
		t.Errorf("order %v, want %v", order, want)
	}
	if len(outs) != 1 || len(outs[0].Rounds) != 2 {
		t.Errorf("outcomes %+v, want one with two rounds", outs)
	}
}

func TestMinimumIsTakenOfFifteenRoundsInTheTimeOfFewer(t *testing.T) {
	var total time.Duration
	c := Case{
		Name: "c",
		Sides: []Side{{Name: "a", Run: func(_ context.Context, b Budget) (Metrics, error) {
			total += b.Duration
			return Metrics{"x": 1}, nil
		}}},
		Checks: []Check{{Metric: "x", Ours: "a", Base: []string{"a"}, Minimum: true}},
	}
	s := Suite{Name: "s", Open: Fixed(func() []Case { return []Case{c} })}
	o := Options{Rounds: 3, Duration: time.Second, Progress: io.Discard}
	outs, err := Run(t.Context(), []Suite{s}, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(outs[0].Rounds); n != Minima || total > 4*time.Second {
		t.Errorf("%d rounds in %v, want %d in the time of 3 and a warm-up", n, total, Minima)
	}
}

func TestFailureOfOneSuiteDoesNotStopTheNext(t *testing.T) {
	var order []string
	broken := errors.New("broken")
	closed := Suite{Name: "closed", Open: func(context.Context, bool) ([]Case, func() error, error) { return nil, nil, broken }}
	outs, err := Run(t.Context(), []Suite{closed, scripted(&order, broken), scripted(&order, nil)},
		Options{Rounds: 1, Quick: true, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	var errs []error
	for _, o := range outs {
		errs = append(errs, o.Err)
	}
	if len(errs) != 3 || !errors.Is(errs[0], broken) || !errors.Is(errs[1], broken) || errs[2] != nil {
		t.Errorf("errors %v, want broken, broken, nil", errs)
	}
}

func TestReportsNameEverySideAndVerdict(t *testing.T) {
	var order []string
	outs, err := Run(t.Context(), []Suite{scripted(&order, nil)}, Options{Rounds: 1, Duration: time.Millisecond, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	var table, md strings.Builder
	if err := Table(&table, Verdicts(outs), false); err != nil {
		t.Fatal(err)
	}
	if err := NewReport("cmd").Head(&md, Verdicts(outs), false); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&md, outs, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"w", "≤ 1 ×", "met"} {
		if !strings.Contains(table.String(), want) || !strings.Contains(md.String(), want) {
			t.Errorf("%q is missing in\n%s\nor\n%s", want, &table, &md)
		}
	}
	if strings.Contains(table.String(), "NOT MET") {
		t.Errorf("1 ≤ 1 is not met:\n%s", &table)
	}
}
