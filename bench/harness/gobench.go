package harness

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// GoBench writes every round of every side in the format of go test -bench, for benchstat:
// https://go.dev/design/14313-benchmark-format.
func GoBench(w io.Writer, outs []Outcome) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, processor())
	for _, o := range outs {
		for _, s := range o.Case.Sides {
			for _, round := range o.Rounds {
				if len(round[s.Name]) == 0 {
					continue
				}
				fmt.Fprintf(&b, "Benchmark%s/%s/%s 1", word(o.Suite), word(o.Case.Name), word(s.Name))
				for _, u := range slices.Sorted(maps.Keys(round[s.Name])) {
					fmt.Fprintf(&b, " %g %s", round[s.Name][u], unit(u))
				}
				b.WriteByte('\n')
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// word is a name without what separates in that format, unit is that of a figure.
func word(s string) string { return strings.ReplaceAll(unit(s), "/", ":") }
func unit(s string) string { return strings.ReplaceAll(s, " ", "_") }
