package harness

import (
	"math"
	"slices"
)

// Spread is a figure over several rounds.
type Spread struct{ Median, Min, Max float64 }

// NewSpread returns the median, smallest and largest of the values; NaN for none.
func NewSpread(vs []float64) Spread {
	if len(vs) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN()}
	}
	s := slices.Sorted(slices.Values(vs))
	mid := s[len(s)/2]
	if len(s)%2 == 0 {
		mid = (s[len(s)/2-1] + mid) / 2
	}
	return Spread{mid, s[0], s[len(s)-1]}
}

// Jain returns the fairness index of R. Jain, D. Chiu and W. Hawe, "A Quantitative Measure of Fairness and Discrimination
// for Resource Allocation in Shared Computer Systems" (DEC-TR-301, 1984): 1 when all shares are equal, 1/n when
// one of n gets everything. No shares, or none but zero ones, are equal shares.
func Jain[N int | int64 | float64](shares []N) float64 {
	var sum, squares float64
	for _, s := range shares {
		sum += float64(s)
		squares += float64(s) * float64(s)
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(shares)) * squares)
}
