package redis

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// The keys can be written by anybody with access. What is read of them is a state that there can be,
// or an error that says what is wrong.
func FuzzParseState(f *testing.F) {
	const now int64 = 1764000000000000
	grant := fmt.Sprint(now+5e6) + " h1 5 1 7 {}"
	f.Add("2", "1", "m", "0123456789abcdef-1 "+grant, "4")
	f.Add("1", "1", "g:0123456789abcdef-1", grant, "4")
	f.Add("3", "5", "g:0123456789abcdef-1", fmt.Sprint(now+5e6)+" d1 5 1 7 ab:"+fmt.Sprint(now+1e6)+" {}", "4")
	f.Add("3", "5", "g:0123456789abcdef-1", fmt.Sprint(now+5e6)+" k1 5 1 7 {}", "4")
	f.Add("3", "5", "g:0123456789abcdef-1", "18446744073709551615 h1 5 1 7 {}", "4")
	f.Add("1", "1", "w:0123456789abcdef-2", "1 1 1 h1 1 1 {\"h\":\"aA==\",\"p\":7,\"l\":\"bA==\"}", "4")
	f.Add("", "", "c:0123456789abcdef", "1 x", "4")
	f.Add("1", "1", "x", "h", "3")
	f.Fuzz(func(t *testing.T, kind, capacity, field, value, version string) {
		text := strconv.FormatInt(now, 10)
		fields := []any{"v", version, "k", kind, "c", capacity, "c:0123456789abcdef", "1 " + fmt.Sprint(now+9e6), field, value}
		for _, r := range []row{{text, fields}, {text, fields[2:]}, {text, []any{field, 7, nil}}, {text, value}, {}} {
			s, err := parseState("n", r)
			switch {
			case err != nil && (!errors.Is(err, backends.ErrMismatch) || len(s.Holders)+len(s.Waiters) > 0):
				t.Fatalf("%q: %+v, %v", r, s, err)
			case err == nil && len(s.Holders)+len(s.Waiters) > 0 && s.Resource.Check() != nil:
				t.Fatalf("%q: %+v: %v", r, s, s.Resource.Check())
			}
			for _, h := range s.Holders {
				if h.Expires < 0 || h.Kept < 0 || h.Expires > time.Duration(1<<53)*time.Microsecond || h.Weight > s.Resource.Capacity {
					t.Fatalf("%q: %+v", r, h)
				}
			}
		}
	})
}

// A number that no script of ours has written is damage for a reader, as it is for the scripts: a grant
// whose end it cannot be is not left out as if nobody held the name.
func TestANumberBeyondAllIsDamage(t *testing.T) {
	for field, value := range map[string]string{
		"m":                    "0123456789abcdef-1 99999999999999999 h1 5 1 7 {}",
		"g:0123456789abcdef-1": "99999999999999999999 h1 5 1 7 {}",
		"w:0123456789abcdef-1": "99999999999999999 1 1 h1 ab 7 {}",
		"c:0123456789abcdef":   "1 99999999999999999",
		"k":                    "257",
		"c":                    "99999999999999999",
	} {
		fields := []any{"v", format, "k", "1", "c", "1", "g:0123456789abcdef-2", "1764000000000001 h1 5 1 7 {}", field, value}
		if s, err := parseState("n", row{"1764000000000000", fields}); !errors.Is(err, backends.ErrMismatch) {
			t.Errorf("%s = %q: %+v, %v", field, value, s, err)
		}
	}
}

// An owner comes back as it was; junk is nobody.
func FuzzOwner(f *testing.F) {
	f.Add("h", 7, "l", "")
	f.Add("\xff\"}", -1, "\x00 {}", `{"h":null,"p":1e3}`)
	f.Fuzz(func(t *testing.T, host string, pid int, label, junk string) {
		want := backends.Owner{Host: host, PID: pid, Label: label}
		text, _ := new(Backend).ownerText(want).([]byte)
		if got := parseOwner(string(text)); got != want {
			t.Fatalf("%q is %+v, was %+v", text, got, want)
		}
		_ = parseOwner(junk)
	})
}
