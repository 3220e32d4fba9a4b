package postgres_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

func TestWhichMessagesAreBelieved(t *testing.T) {
	const brief, at = 2 * time.Second, int64(time.Hour / time.Microsecond) // what the clock shows in the sample
	for _, test := range []struct {
		name           string
		brief          time.Duration
		token          uint64
		queuedAt, made int64
		known          bool
		ago            time.Duration
		want           bool
	}{
		{"as it should be", brief, 1, at, 0, true, 0, true},
		{"made before the sample", brief, 1, 0, -500_000, true, 0, true},
		{"made long before the sample", brief, 1, 0, -1_000_000, true, 0, false},
		{"the sample is too old", brief, 1, at, 0, true, time.Second, false},
		{"older than the place in the queue", brief, 1, at + 1, 0, true, 0, false},
		{"no token", brief, 0, at, 0, true, 0, false},
		{"the server's clock is not known", brief, 1, 0, 1 - at, false, 0, false},
		{"the whole time to live is needed", 0, 1, at, 0, true, 0, false},
	} {
		if ok := postgres.Believed(test.brief, test.token, test.queuedAt, test.made, test.known, test.ago); ok != test.want {
			t.Errorf("%s: believed %v", test.name, ok)
		}
	}
}
