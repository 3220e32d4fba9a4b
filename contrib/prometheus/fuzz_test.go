package lkprometheus

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Whatever managers, keys and names are called, all metrics are collected: no two series have the same
// labels, and each label is text.
func FuzzLabels(f *testing.F) {
	f.Add("a", "b", "", "")
	f.Add("\xff", "\xfe", "\ufffd", "l\xff")
	f.Add("", "\x00\n\"\\", "a", "\xff\xfe")
	f.Fuzz(func(t *testing.T, first, second, third, label string) {
		key := func(name string) (string, bool) { return name, !strings.HasPrefix(name, "x") }
		label = label[:min(len(label), backends.MaxName)]
		a := newManager(t, memory.New(), manager.WithLabel(label), manager.WithHistory(key))
		b := newManager(t, memory.New(), manager.WithLabel(strings.ToValidUTF8(label[:min(len(label), 100)], "\ufffd")), manager.WithHistory(key))
		for _, m := range []*manager.Manager{a, b} {
			for _, name := range []string{first, second, third} {
				if l, err := m.Lock(name).TryAcquire(t.Context()); err == nil {
					defer release(t, l)
				}
			}
		}
		families, err := register(t, a, b).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				for _, pair := range metric.GetLabel() {
					if !utf8.ValidString(pair.GetValue()) {
						t.Fatalf("%s: %q", family.GetName(), pair.GetValue())
					}
				}
			}
		}
	})
}
