package demo

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

// Verdict is what the check found.
type Verdict struct {
	History  *history.Verdict
	Counters []Counter
	Faults   []string // beyond those of the history
}

// Counter is what became of one name.
type Counter struct {
	Name      string
	Value     uint64 // in its file, at the end
	Recorded  uint64 // writes that left a record
	Inherited uint64 // writes of a killed process that left none, known from what came after
}

// OK reports whether everything held.
func (v *Verdict) OK() bool { return v.History.OK() && len(v.Faults) == 0 }

func (v *Verdict) fault(format string, args ...any) {
	const most = 20
	switch {
	case len(v.Faults) < most:
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	case len(v.Faults) == most:
		v.Faults = append(v.Faults, "and more")
	}
}

// judge reads what the processes left in dir and checks it. The first process is the director.
func judge(dir, prefix string, names int, processes []string) (*Verdict, error) {
	var histories []string
	var records []record
	for i, p := range processes {
		histories = append(histories, historyPath(dir, p))
		if i == 0 {
			continue // it counts nothing
		}
		some, err := readRecords(recordsPath(dir, p))
		if err != nil {
			return nil, err
		}
		records = append(records, some...)
	}
	events, err := history.ReadFiles(histories...)
	if err != nil {
		return nil, err
	}
	v := &Verdict{History: history.Check(events)}
	if v.History.Open > 0 {
		v.fault("%d grants were never given back, though their processes ended well", v.History.Open)
	}
	for n := range names {
		c, err := v.counter(dir, prefix, n, records, events)
		if err != nil {
			return nil, err
		}
		v.Counters = append(v.Counters, c)
	}
	return v, nil
}

// counter checks one name: its records must form a chain from 1 to what its file says.
func (v *Verdict) counter(dir, prefix string, n int, all []record, events []history.Event) (Counter, error) {
	f, err := os.Open(counterPath(dir, n))
	if err != nil {
		return Counter{}, err
	}
	defer f.Close()
	last, err := readCount(f)
	if err != nil {
		return Counter{}, err
	}
	name := prefix + strconv.Itoa(n)
	grants := make(map[uint64]history.End) // by token
	for _, e := range events {
		if e.Name == name {
			grants[e.Token] = e.End
		}
	}
	chain := chain{name: strconv.Itoa(n), last: last, grants: grants, fault: v.fault}
	for _, r := range all {
		if r.name == uint64(n) {
			chain.records = append(chain.records, r)
		}
	}
	return chain.check(), nil
}

// chain is the records of one name.
type chain struct {
	name    string
	last    count
	records []record
	grants  map[uint64]history.End
	fault   func(format string, args ...any)

	counted map[uint64]bool // tokens under which the counter was written
}

// check walks backwards from what the file says: each write names the token of the one before.
func (c *chain) check() Counter {
	res := Counter{Name: c.name, Value: c.last.value}
	c.counted = make(map[uint64]bool)
	slices.SortFunc(c.records, func(a, b record) int {
		return cmp.Compare(b.value, a.value)
	})
	value, token := c.last.value, c.last.token
	for i := 0; value > 0; value-- {
		c.counted[token] = true
		for ; i < len(c.records) && c.records[i].value > value; i++ {
			c.fault("%s: token %d wrote %d, which was lost: the counter went on from less", c.name, c.records[i].token, c.records[i].value)
		}
		if i < len(c.records) && c.records[i].value == value {
			r := c.records[i]
			if i++; r.token != token {
				c.fault("%s: token %d wrote %d, but then it stood there as token %d's", c.name, r.token, value, token)
			}
			res.Recorded++
			token = r.previous
			continue
		}
		// Nobody left a record of this write: only one that was killed may have done so.
		if c.grants[token] != history.Died {
			c.fault("%s: token %d wrote %d and left no record, though it was not killed", c.name, token, value)
		}
		res.Inherited++
		token = c.before(i)
	}
	c.everyGrantCounted()
	return res
}

// before returns the token of the write that record i tells of, which is the one before a write without a record.
func (c *chain) before(i int) uint64 {
	if i < len(c.records) {
		return c.records[i].token
	}
	return 0
}

// everyGrantCounted: a grant that was given back has counted; one that died may have.
func (c *chain) everyGrantCounted() {
	for token, end := range c.grants {
		if end == history.Released && !c.counted[token] {
			c.fault("%s: token %d counted, and it was lost", c.name, token)
		}
	}
	for token := range c.counted {
		if _, known := c.grants[token]; !known {
			c.fault("%s: token %d counted, but the history does not know it", c.name, token)
		}
	}
}
