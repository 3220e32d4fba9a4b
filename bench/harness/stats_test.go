package harness

import (
	"math"
	"testing"
)

func TestSpreadIsMedianAndExtremes(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{9, 1, 2}, Spread{2, 1, 9}},
		{[]float64{4, 1, 2, 9}, Spread{3, 1, 9}},
	} {
		if got := NewSpread(c.in); got != c.want {
			t.Errorf("NewSpread(%v) = %v, want %v", c.in, got, c.want)
		}
	}
	if got := NewSpread(nil).String(); got != "–" {
		t.Errorf("no figures are %q", got)
	}
	if !math.IsNaN(NewSpread(nil).Median) {
		t.Error("the median of nothing is a number")
	}
}

func TestJainIsOneForEqualSharesAndOneNthForOneOwner(t *testing.T) {
	for _, c := range []struct {
		shares []int64
		want   float64
	}{
		{[]int64{5, 5, 5, 5}, 1},
		{[]int64{8, 0, 0, 0}, 0.25},
		{[]int64{3, 1}, 0.8},
		{[]int64{0, 0}, 1},
		{nil, 1},
	} {
		if got := Jain(c.shares); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("Jain(%v) = %v, want %v", c.shares, got, c.want)
		}
	}
}
