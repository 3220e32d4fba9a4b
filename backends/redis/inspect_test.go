package redis

import "testing"

// Whatever stands in the keys, reading it must not panic: they can be written by anybody with access.
func FuzzStateOfJunk(f *testing.F) {
	f.Add("1", "m", "0123456789abcdef-1 99 h1 5 1 7 {}", "4")
	f.Add("", "g:x", "h", "4")
	f.Add("1", "w:0123456789abcdef-2", "1 1 1 h1 1 1 {}", "4")
	f.Fuzz(func(t *testing.T, now, field, value, version string) {
		fields := []any{"v", version, field, value, "c:0123456789abcdef", "1 9", "k", value}
		for _, r := range []row{{now, fields}, {now, fields[1:]}, {now, []any{field, 7, nil}}, {now, value}, {}} {
			_, _ = parseState("n", r)
		}
	})
}
