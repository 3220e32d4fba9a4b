package file

import (
	"testing"
	"time"
)

func TestStampFormatsLikePackageTime(t *testing.T) {
	var s stamp
	start := time.Date(2026, 1, 2, 3, 4, 58, 999_999_999, time.FixedZone("east", 3600))
	for _, d := range []time.Duration{
		0, time.Nanosecond, time.Microsecond, time.Millisecond, time.Second, time.Second + 1, 123456 * time.Microsecond,
		-time.Hour, 24 * time.Hour, -60 * 365 * 24 * time.Hour,
	} {
		at := start.Add(d)
		if got, want := string(s.append(nil, at)), at.UTC().Format(aboutTime); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
