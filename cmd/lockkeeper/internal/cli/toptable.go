package cli

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// topRows is how many holders, and how many waiters, of a name are shown on a terminal.
const topRows = 3

// byTrouble puts first the name whose first waiter has waited for longest, then the name that is
// held for longest. A time that is not known comes last.
func byTrouble(a, b backends.State) int {
	if c := cmp.Compare(waitedSince(a), waitedSince(b)); c != 0 {
		return c
	}
	if c := cmp.Compare(heldSince(a), heldSince(b)); c != 0 {
		return c
	}
	return cmp.Compare(a.Resource.Name, b.Resource.Name)
}

func waitedSince(s backends.State) int64 {
	first := int64(math.MaxInt64)
	for _, w := range s.Waiters {
		first = earlier(first, w.Since)
	}
	return first
}

func heldSince(s backends.State) int64 {
	first := int64(math.MaxInt64)
	for _, h := range s.Holders {
		first = earlier(first, h.Since)
	}
	return first
}

func earlier(first int64, t time.Time) int64 {
	if t.IsZero() {
		return first
	}
	return min(first, t.UnixNano())
}

// sights is the outcome of a look at the names.
type sights struct {
	states []backends.State
	err    error // of what could not be read
	at     time.Time
}

// title is the line above the names. The hint says what keys do.
func (v sights) title(where store.Store, hint string) string {
	held, waiting := 0, 0
	for _, state := range v.states {
		held += len(state.Holders)
		waiting += len(state.Waiters)
	}
	return fmt.Sprintf("%s  %d names, %d held, %d waiting  %s%v", v.at.Format(time.TimeOnly), len(v.states), held, waiting, hint, where)
}

// lines are what a terminal of that width shows: errors, then the names, trouble first.
func (v sights) lines(where store.Store, width int) []styled {
	all := []styled{{v.title(where, "q quits  "), bold}}
	if v.err != nil {
		for line := range strings.SplitSeq(v.err.Error(), "\n") {
			all = append(all, styled{line, bad})
		}
	}
	return append(all, aligned(rows(v.states, v.at, clipped(width), topRows))...)
}

// clipped returns how a terminal of that width shows a name or a label: it takes no more than a third
// of the width.
func clipped(width int) func(text string) string {
	longest := max(width/3, 8)
	return func(text string) string { return clip(printable(text), longest) }
}

// clip keeps the beginning and the end of a text: long names often differ there.
func clip(text string, longest int) string {
	r := []rune(text)
	if len(r) <= longest {
		return text
	}
	tail := longest / 3
	return string(r[:longest-tail-1]) + "…" + string(r[len(r)-tail:])
}

// trouble sorts what was seen.
func (v sights) trouble() sights {
	slices.SortStableFunc(v.states, byTrouble)
	return v
}
