package backends_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestValidUntilLiesWithinTheTTL(t *testing.T) {
	sent := time.Now()
	for _, ttl := range []time.Duration{backends.MinTTL, time.Second, 10 * time.Second, time.Hour, backends.MaxTTL} {
		valid := backends.ValidUntil(sent, ttl).Sub(sent)
		if valid <= ttl*9/10 || valid >= ttl {
			t.Errorf("a ttl of %v is relied on for %v", ttl, valid)
		}
		// A clock that is 500 ppm fast does not end the grant earlier.
		if fast := ttl - ttl*500/1_000_000; valid >= fast {
			t.Errorf("a ttl of %v is relied on for %v; a fast clock ends it after %v", ttl, valid, fast)
		}
	}
}

func TestNextToken(t *testing.T) {
	at := func(us int64) time.Time { return time.UnixMicro(us) }
	for _, test := range []struct {
		last uint64
		now  time.Time
		want uint64
	}{
		{0, at(1000), 1000},
		{999, at(1000), 1000},
		{1000, at(1000), 1001},
		{5000, at(1000), 5001}, // more tokens than microseconds, or a clock that was set back
		{0, at(0), 1},
		{0, at(-5), 1},
		{7, at(-5), 8},
		{0, time.Time{}, 1},
		{0, time.UnixMicro(1_893_456_000_000_000), 1_893_456_000_000_000}, // 2030
	} {
		if got := backends.NextToken(test.last, test.now); got != test.want {
			t.Errorf("NextToken(%d, %v) = %d; want %d", test.last, test.now, got, test.want)
		}
	}
}

func FuzzNextToken(f *testing.F) {
	f.Add(uint64(0), int64(1))
	f.Add(uint64(1<<62), int64(-1))
	f.Fuzz(func(t *testing.T, last uint64, us int64) {
		if last == 1<<64-1 {
			return // a quarter of a million years of tokens
		}
		got := backends.NextToken(last, time.UnixMicro(us))
		if got <= last || us > 0 && got < uint64(us) {
			t.Errorf("NextToken(%d, %d µs) = %d", last, us, got)
		}
	})
}
