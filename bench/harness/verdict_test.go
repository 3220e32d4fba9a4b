package harness

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// rounds makes an outcome with one check out of the figures of three sides in each round.
func rounds(c Check, figures ...[3]float64) Outcome {
	o := Outcome{Case: Case{Checks: []Check{c}}}
	for _, f := range figures {
		o.Rounds = append(o.Rounds, map[string]Metrics{"ours": {"x": f[0]}, "a": {"x": f[1]}, "b": {"x": f[2]}})
	}
	return o
}

func TestRatioIsTakenWithinTheRoundAgainstTheBestBaseline(t *testing.T) {
	c := Check{Metric: "x", Ours: "ours", Base: []string{"a", "b"}, Bound: 1.2}
	// The machine gets ten times slower in the last round: the ratio does not.
	v := Verdicts([]Outcome{rounds(c, [3]float64{11, 10, 20}, [3]float64{12, 10, 30}, [3]float64{130, 100, 150})})[0]
	if v.Name != "a" || math.Abs(v.Ratio.Median-1.2) > 1e-9 || math.Abs(v.Ratio.Max-1.3) > 1e-9 || !v.Met {
		t.Errorf("verdict %+v, want 1.2 (at most 1.3) times a, met", v)
	}
	c.Direction, c.Bound = AtLeast, 0.8
	v = Verdicts([]Outcome{rounds(c, [3]float64{11, 10, 20})})[0]
	if v.Name != "b" || v.Met {
		t.Errorf("where more is better the best baseline is b, and 0.55 is less than 0.8: %+v", v)
	}
}

func TestBoundIsMetOrNot(t *testing.T) {
	for name, c := range map[string]struct {
		check Check
		met   bool
	}{
		"absolute, below":       {Check{Bound: 12}, true},
		"absolute, above":       {Check{Bound: 11}, false},
		"at least, reached":     {Check{Bound: 12, Direction: AtLeast}, true},
		"worst counts":          {Check{Bound: 12, Worst: true}, false},
		"worst at least":        {Check{Bound: 12, Direction: AtLeast, Worst: true}, false},
		"scaled baseline":       {Check{Bound: 0.6, Base: []string{"a"}, Scale: 2}, true},
		"scaled, not met":       {Check{Bound: 0.59, Base: []string{"a"}, Scale: 2}, false},
		"figure missing":        {Check{Bound: 12, Metric: "y"}, false},
		"baseline not measured": {Check{Bound: 12, Base: []string{"c"}}, false},
	} {
		c.check.Ours = "ours"
		if c.check.Metric == "" {
			c.check.Metric = "x"
		}
		v := Verdicts([]Outcome{rounds(c.check, [3]float64{11, 10, 9}, [3]float64{12, 10, 9}, [3]float64{13, 10, 9})})[0]
		if v.Met != c.met {
			t.Errorf("%s: met is %v, want %v", name, v.Met, c.met)
		}
	}
}

func TestMinimumSetsTheSmallestFigureAgainstTheSmallest(t *testing.T) {
	c := Check{Metric: "x", Ours: "ours", Base: []string{"a", "b"}, Bound: 1.2, Minimum: true}
	// Noise hits another side in each round: every ratio within a round is wrong.
	o := rounds(c, [3]float64{11, 50, 40}, [3]float64{60, 10, 9.9}, [3]float64{99, 60, 15})
	v := Verdicts([]Outcome{o})[0]
	if v.Ours.Median != 11 || v.Base.Median != 9.9 || v.Name != "b" || !v.Met {
		t.Errorf("verdict %+v, want 11 beside 9.9 of b, met", v)
	}
	if v.Ratio.Min != v.Ratio.Max || c.target() != "≤ 1.2 × of minima" {
		t.Errorf("ratio %v, target %q", v.Ratio, c.target())
	}
}

func TestWhatOursAddsIsADifference(t *testing.T) {
	c := Check{Metric: "x", Ours: "ours", Base: []string{"a"}, Bound: 5, Added: true, Minimum: true}
	for ours, met := range map[float64]bool{104: true, 106: false} {
		v := Verdicts([]Outcome{rounds(c, [3]float64{ours, 150, 0}, [3]float64{150, 100, 0})})[0]
		if v.Judged() != ours-100 || v.Met != met {
			t.Errorf("%v beside 100: judged %v, met %v", ours, v.Judged(), v.Met)
		}
		if cells := v.cells(false); cells[3] != fmt.Sprint("+ ", ours-100) || cells[4] != "≤ + 5 of minima" {
			t.Errorf("row %q", cells)
		}
	}
}

func TestFailedCaseIsNeverMet(t *testing.T) {
	o := rounds(Check{Metric: "x", Ours: "ours", Bound: 100}, [3]float64{1, 1, 1})
	o.Err = errors.New("broken")
	if v := Verdicts([]Outcome{o})[0]; v.Met || v.word(false) != "FAILED" {
		t.Errorf("met %v, word %q", v.Met, v.word(false))
	}
}

func TestMissedTargetsSayWhyOnceForEachCase(t *testing.T) {
	verdict := func(name, what string, met bool) Verdict {
		return Verdict{Suite: "s", Case: name, Why: "Because of " + name, Met: met, Check: Check{What: what}}
	}
	var list strings.Builder
	Missed(&list, []Verdict{
		verdict("a", "one", false), verdict("a", "two", true), verdict("a", "three", false), verdict("b", "four", false),
		verdict("c", "five", true),
	})
	want := "- s, one: 0 (≤ 0)\n- s, three: 0 (≤ 0). Because of a\n- s, four: 0 (≤ 0). Because of b\n"
	if list.String() != want {
		t.Errorf("got\n%swant\n%s", &list, want)
	}
}
