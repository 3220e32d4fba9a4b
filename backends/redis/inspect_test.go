package redis

import "testing"

// Whatever stands in the keys, reading it must not panic: they can be written by anybody with access.
func FuzzStateOfJunk(f *testing.F) {
	f.Add("1", "m", "0123456789abcdef-1 99 h1 5 1 7 {}", "0123456789abcdef-1")
	f.Add("", "g:x", "h", "x")
	f.Add("1", "w:0123456789abcdef-2", "1 1 1 {}", "0123456789abcdef-2")
	f.Fuzz(func(t *testing.T, now, field, value, id string) {
		fields := []any{field, value, "c:0123456789abcdef", "1 9", "k", value}
		for _, r := range []row{
			{now, fields, []any{"g:" + id, "99"}, []any{id}},
			{now, []any{"m", value}, []any{field}, []any{id, 7, nil}},
			{now, nil, value},
			{},
		} {
			parseState("n", r)
		}
	})
}
