package debug

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/manager"
)

func TestDurationsAreInHumanUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "0 s", 0: "0 µs", 900 * time.Nanosecond: "0.9 µs", 12 * time.Microsecond: "12 µs",
		1024 * time.Microsecond: "1 ms", 1240 * time.Microsecond: "1.2 ms", 9_960 * time.Millisecond: "10 s",
		42 * time.Second: "42 s", 200 * time.Second: "3 min 20 s", 2*time.Hour + 5*time.Minute: "2 h 5 min",
		49 * time.Hour: "2 d 1 h", 3 * time.Minute: "3 min",
	} {
		if got := strings.ReplaceAll(human(d), space, " "); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}

func TestAQuantileIsABound(t *testing.T) {
	for bucket, want := range map[int]string{
		0: "≤ 1 µs", 11: "≤ 2 ms", manager.Buckets - 2: "≤ 1 min 7 s", manager.Buckets - 1: "> 1 min 7 s",
	} {
		var h manager.Histogram
		h.Buckets[bucket] = 3
		if got := strings.ReplaceAll(quantile(&h, 0.5), space, " "); got != want {
			t.Errorf("bucket %d: %q, want %q", bucket, got, want)
		}
	}
	if got := quantile(&manager.Histogram{}, 0.5); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestHostileTextBecomesReadable(t *testing.T) {
	for in, want := range map[string]string{
		"plain name":       "plain name",
		"שלום":             "שלום",
		"a\u202Eb\u2066c":  "a\uFFFDb\uFFFDc", // would turn around what follows
		"a\x00b\x1b[31m\n": "a\uFFFDb\uFFFD[31m\uFFFD",
		"\xff\xfe":         "\uFFFD",
		"a\u200bb\u00a0":   "a\uFFFDb\uFFFD", // cannot be seen
		"<script>":         "<script>",       // for the template to escape
	} {
		if got := readable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzReadable(f *testing.F) {
	f.Add("a\u202Eb\xff", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 4 + n&0xff
		got := clipped(s, n)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > n {
			t.Fatalf("%q", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%q has %U", got, r)
			}
		}
		if readable(got) != got {
			t.Fatalf("%q is not readable", got)
		}
	})
}

func TestNumbersHaveTheirThousandsApart(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 1234567: "1 234 567", -1234: "-1 234"} {
		if got := strings.ReplaceAll(count(n), space, " "); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
