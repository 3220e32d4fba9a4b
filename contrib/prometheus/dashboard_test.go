package lkprometheus

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	dto "github.com/prometheus/client_model/go"
)

// dashboard is what is checked of dashboard.json.
type dashboard struct {
	Panels []struct {
		ID          int    `json:"id"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Targets     []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	b, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// schema is the labels of each time series by its name, as Prometheus stores what a scrape returns.
func schema(t *testing.T) (series map[string]map[string]bool, families []string) {
	t.Helper()
	m := redisManager(t, server.Get(t), time.Hour)
	l := acquire(t, m.Lock("a"))
	defer release(t, l)
	fs, err := register(t, m).Gather()
	if err != nil {
		t.Fatal(err)
	}
	series = make(map[string]map[string]bool)
	for _, f := range fs {
		labels := map[string]bool{"job": true, "instance": true} // by Prometheus itself
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels[pair.GetName()] = true
		}
		name := f.GetName()
		families = append(families, name)
		if f.GetType() != dto.MetricType_HISTOGRAM {
			series[name] = labels
			continue
		}
		series[name+"_sum"], series[name+"_count"] = labels, labels
		series[name+"_bucket"] = maps.Clone(labels)
		series[name+"_bucket"]["le"] = true
	}
	return series, families
}

// metricsOf returns the metrics of a query, and fails unless each exists with every label that the
// query names.
func metricsOf(t *testing.T, query string, series map[string]map[string]bool) []string {
	t.Helper()
	e, err := metricsql.Parse(strings.ReplaceAll(query, "$__rate_interval", "5m"))
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return nil
	}
	var metrics, labels []string
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			for _, group := range e.LabelFilterss {
				for _, f := range group {
					if f.Label == "__name__" {
						metrics = append(metrics, f.Value)
					} else {
						labels = append(labels, f.Label)
					}
				}
			}
		case *metricsql.AggrFuncExpr:
			labels = append(labels, e.Modifier.Args...)
		}
	})
	if len(metrics) == 0 {
		t.Errorf("%s: no metric", query)
	}
	for _, m := range metrics {
		if series[m] == nil {
			t.Errorf("%s: there is no %s", query, m)
			continue
		}
		for _, l := range labels {
			if !series[m][l] {
				t.Errorf("%s: %s has no label %s", query, m, l)
			}
		}
	}
	return metrics
}

func TestDashboardAsksForMetricsThatExist(t *testing.T) {
	series, families := schema(t)
	d := readDashboard(t)
	shown := make(map[string]bool)
	ids := make(map[int]bool)
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: number, title, description or query is missing or there twice", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			for _, m := range metricsOf(t, target.Expr, series) {
				shown[m] = true
			}
		}
	}
	for _, f := range families {
		if !shown[f] && !shown[f+"_bucket"] {
			t.Errorf("no panel shows %s", f)
		}
	}
}

func TestVariablesOfTheDashboardExist(t *testing.T) {
	series, _ := schema(t)
	d := readDashboard(t)
	known := []string{"datasource", "__rate_interval"}
	values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range d.Templating.List {
		known = append(known, v.Name)
		if v.Name == "datasource" {
			continue
		}
		parts := values.FindStringSubmatch(v.Definition)
		if parts == nil || parts[2] != v.Name {
			t.Errorf("%s: %s", v.Name, v.Definition)
			continue
		}
		for _, m := range metricsOf(t, parts[1], series) {
			if !series[m][parts[2]] {
				t.Errorf("%s: %s has no label %s", v.Name, m, parts[2])
			}
		}
	}
	b, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, used := range regexp.MustCompile(`\$\{?(\w+)`).FindAllSubmatch(b, -1) {
		if name := string(used[1]); !slices.Contains(known, name) && name != "__all" {
			t.Errorf("there is no variable $%s", name)
		}
	}
}

func TestAlertsOfTheReadmeAskForMetricsThatExist(t *testing.T) {
	series, _ := schema(t)
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)^\w.*lockkeeper_.*#`).FindAllString(string(b), -1)
	if len(alerts) != 3 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, query := range alerts {
		metricsOf(t, query, series)
	}
}
