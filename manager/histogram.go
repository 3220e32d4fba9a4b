package manager

import (
	"math/bits"
	"time"
)

// Buckets is the number of buckets of a Histogram.
const Buckets = 28

// A Histogram counts durations in powers of two: bucket 0 those below 1 µs, bucket i those from
// 2^(i-1) µs to below 2^i µs, the last one everything longer (from about a minute). See
// [BucketBounds].
type Histogram struct {
	Buckets [Buckets]uint64 `json:"buckets"`
	Sum     time.Duration   `json:"sum_ns"` // of all durations
}

// BucketBounds returns the upper bounds of the buckets of every Histogram but the last, which has
// none: a duration in bucket i is below bound i, and not below bound i-1.
func BucketBounds() [Buckets - 1]time.Duration {
	var bounds [Buckets - 1]time.Duration
	for i := range bounds {
		bounds[i] = time.Microsecond << i
	}
	return bounds
}

func (h *Histogram) record(d time.Duration) {
	d = max(d, 0)
	h.Buckets[min(bits.Len64(uint64(d/time.Microsecond)), Buckets-1)]++
	h.Sum += d
}

func (h *Histogram) add(o *Histogram) {
	for i, n := range o.Buckets {
		h.Buckets[i] += n
	}
	h.Sum += o.Sum
}

// Count returns how many durations were counted.
func (h Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.Buckets {
		n += c
	}
	return n
}

// Quantile returns an upper bound of the q-quantile (q from 0 to 1), exact to a factor of two; 0 if
// nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total))
	var seen uint64
	for i, c := range h.Buckets {
		if seen += c; seen > rank || seen == total {
			return time.Microsecond << i
		}
	}
	return 0
}
