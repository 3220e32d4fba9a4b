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

// lines are what a terminal shows: errors, then the names, trouble first.
func (v sights) lines(where store.Store, p page) []styled {
	all := []styled{{v.title(where, "q quits  "), bold}}
	return append(append(all, v.failed()...), v.table(p)...)
}

// failed tells what could not be read.
func (v sights) failed() (lines []styled) {
	if v.err != nil {
		for line := range strings.SplitSeq(v.err.Error(), "\n") {
			lines = append(lines, styled{line, bad})
		}
	}
	return lines
}

// spare are the columns that a narrow terminal does without; the first goes first.
var spare = []string{"TOKEN", "KIND", "PERMITS"}

// table leaves out columns, and then shortens names and labels more, until the terminal has room for
// the last column: it says who holds. Rows below the end of the terminal are only counted.
func (v sights) table(p page) (shown []styled) {
	var below []styled
	for _, share := range []int{usualShare, 5, 8} {
		all := rows(v.states, v.at, clipped(p.width/share), topRows)
		seen := min(len(all), p.height)
		below = all[seen:]
		for n := range len(spare) + 1 {
			shown = aligned(without(all[:seen], spare[:n]))
			if !slices.ContainsFunc(shown, func(l styled) bool { return widthOf(l.text) > p.width }) {
				return append(shown, below...)
			}
		}
	}
	return append(shown, below...)
}

// list is the table as text: what is no terminal gets all of it.
func (v sights) list(p page) string {
	if p.height == 0 {
		return text(aligned(rows(v.states, v.at, p.shown(), math.MaxInt)))
	}
	return text(v.table(p))
}

// usualShare is the part of the width of a terminal that a name or a label may take: a third.
const usualShare = 3

// clipped returns how a terminal shows a name or a label: it takes no more than so many columns, or
// eight.
func clipped(longest int) func(text string) string {
	longest = max(longest, 8)
	return func(text string) string { return clip(printable(text), longest) }
}

// clip keeps the beginning and the end of a text: long names often differ there.
func clip(text string, longest int) string {
	if widthOf(text) <= longest {
		return text
	}
	end := longest / 3
	return head(text, longest-end-1) + "…" + tail(text, end)
}

// trouble sorts what was seen.
func (v sights) trouble() sights {
	slices.SortStableFunc(v.states, byTrouble)
	return v
}
