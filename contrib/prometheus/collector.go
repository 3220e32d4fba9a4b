package lkprometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockkeeper/lockkeeper/manager"
)

// A Collector shows what managers do. Make it with New. It is safe for concurrent use, and for
// managers that are closed: their counters stay.
type Collector struct{ managers []*manager.Manager }

var _ prometheus.Collector = (*Collector)(nil)

// New returns a collector of these managers, each once. The error is a *manager.InvalidError: there
// is no manager, one comes twice, or one was not made by manager.New.
func New(managers ...*manager.Manager) (*Collector, error) {
	if len(managers) == 0 {
		return nil, &manager.InvalidError{Field: "managers", Value: "none", Want: "at least one"}
	}
	seen := make(map[*manager.Manager]bool, len(managers))
	for _, m := range managers {
		switch {
		case m.Stats().Time.IsZero():
			return nil, &manager.InvalidError{Field: "manager", Value: "zero", Want: "one made by New"}
		case seen[m]:
			return nil, &manager.InvalidError{Field: "manager", Value: "given twice", Want: "each once"}
		}
		seen[m] = true
	}
	c := &Collector{managers: make([]*manager.Manager, len(managers))}
	copy(c.managers, managers)
	return c, nil
}

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		ch <- d
	}
}

// Collect sends the metrics as they are now.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	all := make(table)
	for _, m := range c.managers {
		all.add(m.Stats())
	}
	for l, s := range all {
		s.collect(l, ch)
	}
}
