package harness

import "math"

// Verdict is a check with its figures.
type Verdict struct {
	Suite string
	Case  string
	Check Check
	Why   string // a target is missed, see Case.Missed
	Ours  Spread
	Base  Spread // of the best baseline, times Scale; NaN without one
	Name  string // of the baseline that was best in most rounds; empty without one
	Ratio Spread // ours over base, or less base if Added, within each round; NaN without a baseline
	Met   bool
	Err   error // the case failed, or a figure is missing
}

// Judged returns the figure that the bound is set on.
func (v Verdict) Judged() float64 {
	s := v.Ratio
	if len(v.Check.Base) == 0 {
		s = v.Ours
	}
	switch {
	case !v.Check.Worst:
		return s.Median
	case v.Check.Direction == AtLeast:
		return s.Min
	default:
		return s.Max
	}
}

// Verdicts judges every check of the outcomes, in order.
func Verdicts(outs []Outcome) []Verdict {
	var vs []Verdict
	for _, o := range outs {
		for _, c := range o.Case.Checks {
			vs = append(vs, judge(o, c))
		}
	}
	return vs
}

func judge(o Outcome, c Check) Verdict {
	v := Verdict{Suite: o.Suite, Case: o.Case.Name, Check: c, Why: o.Case.Missed, Err: o.Err}
	var ours, bases, ratios []float64
	wins := map[string]int{}
	rounds := o.Rounds
	if c.Minimum {
		rounds = []map[string]Metrics{smallest(rounds)}
	}
	for _, round := range rounds {
		x, ok := round[c.Ours][c.Metric]
		if !ok {
			continue
		}
		ours = append(ours, x)
		if name, b := best(round, c); name != "" {
			bases, ratios = append(bases, b), append(ratios, c.compare(x, b))
			wins[name]++
			if wins[name] > wins[v.Name] {
				v.Name = name
			}
		}
	}
	v.Ours, v.Base, v.Ratio = NewSpread(ours), NewSpread(bases), NewSpread(ratios)
	j := v.Judged()
	v.Met = v.Err == nil && !math.IsNaN(j) && (c.Direction == AtLeast && j >= c.Bound || c.Direction == AtMost && j <= c.Bound)
	return v
}

// compare returns what the bound of a check with a baseline is set on.
func (c Check) compare(ours, base float64) float64 {
	if c.Added {
		return ours - base
	}
	return ours / base
}

// smallest returns the smallest of each figure of each side, as if they were of one round.
func smallest(rounds []map[string]Metrics) map[string]Metrics {
	least := map[string]Metrics{}
	for _, round := range rounds {
		for side, figures := range round {
			if least[side] == nil {
				least[side] = Metrics{}
			}
			for unit, x := range figures {
				if y, ok := least[side][unit]; !ok || x < y {
					least[side][unit] = x
				}
			}
		}
	}
	return least
}

// best returns the baseline that is hardest to beat in this round: the smallest where less is better, else the largest.
func best(round map[string]Metrics, c Check) (name string, value float64) {
	metric := c.BaseMetric
	if metric == "" {
		metric = c.Metric
	}
	for _, b := range c.Base {
		x, ok := round[b][metric]
		if !ok {
			continue
		}
		if c.Scale != 0 {
			x *= c.Scale
		}
		if name == "" || c.Direction == AtMost && x < value || c.Direction == AtLeast && x > value {
			name, value = b, x
		}
	}
	return name, value
}
