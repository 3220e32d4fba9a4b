package history_test

import (
	"math"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

func TestJain(t *testing.T) {
	for _, test := range []struct {
		shares []float64
		want   float64
	}{
		{nil, 1}, {[]float64{0, 0}, 1}, {[]float64{5}, 1}, {[]float64{3, 3, 3}, 1}, {[]float64{1, 0, 0, 0}, 0.25}, {[]float64{1, 2}, 0.9},
	} {
		if got := history.Jain(test.shares...); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("Jain(%v) = %v; want %v", test.shares, got, test.want)
		}
	}
	if got := history.JainOf(map[string]int{"a": 1, "b": 2}); math.Abs(got-0.9) > 1e-12 {
		t.Errorf("JainOf = %v; want 0.9", got)
	}
}
