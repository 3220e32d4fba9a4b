package plots

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/suites"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

// outcome is one round of a case that the catalogue knows.
func outcome() harness.Outcome {
	return harness.Outcome{
		Suite: "file",
		Case: harness.Case{
			Name:   "hand-off between two processes",
			Sides:  []harness.Side{{Name: "manager over files"}, {Name: "gofrs/flock"}, {Name: "<absent>"}},
			Checks: []harness.Check{{Ours: "manager over files"}},
		},
		Rounds: []map[string]harness.Metrics{
			{"manager over files": {"p50 µs": 100, "p99 µs": 300}, "gofrs/flock": {"p50 µs": 500}},
			{"manager over files": {"p50 µs": 120, "p99 µs": 310}, "gofrs/flock": {"p50 µs": 500}},
		},
	}
}

func TestChartsHaveWhatWasMeasured(t *testing.T) {
	charts := Charts([]harness.Outcome{outcome()})
	if len(charts) != 1 || charts[0].Name != "handoff" || len(charts[0].Groups) != 2 {
		t.Fatalf("got %+v", charts)
	}
	p50 := charts[0].Groups[0].Bars
	if len(p50) != 2 || !p50[0].Ours || p50[1].Ours || p50[0].Figure != (harness.Spread{Median: 110, Min: 100, Max: 120}) {
		t.Errorf("p50: %+v", p50)
	}
	if p99 := charts[0].Groups[1].Bars; len(p99) != 1 {
		t.Errorf("p99: %+v", p99)
	}
}

func TestPicturesAreXMLWithEachSideAndFigure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "img")
	o := outcome()
	o.Case.Sides[1].Name, o.Rounds[0]["a < b & c"] = "a < b & c", harness.Metrics{"p50 µs": 512}
	charts := Charts([]harness.Outcome{o})
	if err := Write(dir, charts); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bench-handoff-light.svg", "bench-handoff-dark.svg"} {
		texts := textsOf(t, filepath.Join(dir, name))
		for _, want := range []string{"manager over files", "a < b & c", "110", "512"} {
			if !strings.Contains(texts, want) {
				t.Errorf("%s: %q is missing in %q", name, want, texts)
			}
		}
	}
	var md strings.Builder
	if err := Markdown(&md, "img", charts); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(md.String(), `srcset="img/bench-handoff-dark.svg"`) || !strings.Contains(md.String(), `src="img/bench-handoff-light.svg"`) {
		t.Error(md.String())
	}
}

func TestHistogramHasEachSeriesAndItsTimes(t *testing.T) {
	dir := t.TempDir()
	h := Histogram{Name: "torture-wait", Title: "Wait", Series: []Series{
		{"file", []time.Duration{0, 1234 * time.Microsecond}},
		{"redis", []time.Duration{-time.Second, 20 * time.Microsecond, 2 * time.Second}},
	}}
	if err := Write(dir, []Histogram{h}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"torture-wait-light.svg", "torture-wait-dark.svg"} {
		texts := textsOf(t, filepath.Join(dir, name))
		for _, want := range []string{"Wait", "file: 2 times, 0s to 1.23ms", "redis: 3 times, -1s to 2s, half within 20µs", "10µs", "100ms", "1s"} {
			if !strings.Contains(texts, want) {
				t.Errorf("%s: %q is missing in %q", name, want, texts)
			}
		}
		if strings.Contains(texts, "10s") {
			t.Errorf("%s: the axis goes beyond the last bar: %q", name, texts)
		}
	}
}

// textsOf returns what the picture says.
func textsOf(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts strings.Builder
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts.String()
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c, ok := token.(xml.CharData); ok {
			texts.Write(c)
		}
	}
}

func TestMain(m *testing.M) {
	harness.Dispatch(suites.Parts())
	leaktest.Main(m)
}

// Each figure of the catalogue is one that a check of its case judges.
func TestTheSuitesMeasureWhatIsDrawn(t *testing.T) {
	cases := map[string]harness.Case{}
	for _, s := range suites.All() {
		if !slices.ContainsFunc(catalogue, func(c chart) bool {
			return slices.ContainsFunc(c.shown, func(f shown) bool { return f.suite == s.Name })
		}) {
			continue
		}
		opened, shut, err := s.Open(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := shut(); err != nil {
				t.Error(err)
			}
		})
		for _, c := range opened {
			cases[s.Name+": "+c.Name] = c
		}
	}
	for _, c := range catalogue {
		for _, f := range c.shown {
			is, ok := cases[f.suite+": "+f.name]
			if !ok {
				t.Errorf("%s: no suite %s has a case %q", c.name, f.suite, f.name)
				continue
			}
			judged := slices.ContainsFunc(is.Checks, func(k harness.Check) bool { return k.Metric == f.metric })
			if !judged || len(is.Sides) < 2 {
				t.Errorf("%s: %q has %d sides, and no check of %q", c.name, f.name, len(is.Sides), f.metric)
			}
		}
	}
}
