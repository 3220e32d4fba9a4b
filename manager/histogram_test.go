package manager

import (
	"testing"
	"time"
)

func TestHistogramCountsInPowersOfTwo(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty histogram says something")
	}
	for d, bucket := range map[time.Duration]int{
		-1: 0, 0: 0, time.Microsecond - 1: 0, time.Microsecond: 1, 2 * time.Microsecond: 2, 3 * time.Microsecond: 2,
		time.Millisecond: 10, time.Second: 20, time.Minute: 26, time.Hour: Buckets - 1, 1 << 62: Buckets - 1,
	} {
		var one Histogram
		one.record(d)
		if one.Buckets[bucket] != 1 {
			t.Errorf("%v is in %v, want bucket %d", d, one, bucket)
		}
		if q := one.Quantile(1); bucket < Buckets-1 && (d >= q || q > 2*max(d, time.Microsecond)) {
			t.Errorf("%v: quantile %v", d, q)
		}
		if bounds := BucketBounds(); bucket < len(bounds) && d >= bounds[bucket] || bucket > 0 && d < bounds[bucket-1] {
			t.Errorf("%v is in bucket %d, outside its bounds", d, bucket)
		}
		h.add(&one)
	}
	if h.Count() != 11 {
		t.Errorf("counted %d", h.Count())
	}
	if q := h.Quantile(0.5); q < 2*time.Microsecond || q > 4*time.Microsecond {
		t.Errorf("median %v", q)
	}
	h = Histogram{}
	for _, d := range []time.Duration{time.Second, -1, 2 * time.Second} {
		var one Histogram
		one.record(d)
		h.add(&one)
	}
	if h.Sum != 3*time.Second {
		t.Errorf("sum %v", h.Sum)
	}
}
