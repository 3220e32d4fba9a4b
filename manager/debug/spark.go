package debug

import (
	"fmt"
	"slices"
	"strings"
)

// A spark is the drawing of a series: a line, the area under it, and a mark for each slot in which
// something went wrong. Where nobody looked, the line has a gap: nothing is known. Its box is 120 wide and
// 24 high.
type spark struct {
	Line, Area   string // paths
	Marks        []int  // their places
	Title, Class string
}

const sparkHeight = 24

// draw makes a spark of the values of t, which are in a ring.
func (h *history) draw(t *track, values *[slots]uint32, title func(top uint32) string) *spark {
	top := slices.Max(values[:])
	var line, area strings.Builder
	d := &spark{Title: title(top)}
	open := false // the slot before has been drawn
	for i := range int64(slots) {
		at, x := (t.at+1+i)%slots, int(2*i+1)
		if t.bad[at] > 0 {
			d.Marks = append(d.Marks, x)
		}
		if !h.looked[at] {
			if open {
				fmt.Fprintf(&area, "V%dZ", sparkHeight-2)
			}
			open = false
			continue
		}
		y := sparkHeight - 2 - float64(values[at])*(sparkHeight-4)/float64(max(top, 1))
		if !open {
			fmt.Fprintf(&line, "M%d %.1fh.1", x, y) // a dot, if it stands alone
			fmt.Fprintf(&area, "M%d %dV%.1f", x, sparkHeight-2, y)
		} else {
			fmt.Fprintf(&line, "L%d %.1f", x, y)
			fmt.Fprintf(&area, "L%d %.1f", x, y)
		}
		open = true
	}
	if open {
		fmt.Fprintf(&area, "V%dZ", sparkHeight-2)
	}
	d.Line, d.Area = line.String(), area.String()
	return d
}

// drawWaiting draws how many waited; nil if t is, for nothing is known of it.
func (h *history) drawWaiting(t *track) *spark {
	if t == nil {
		return nil
	}
	return h.draw(t, &t.waiting, func(top uint32) string { return "at most " + count(int64(top)) + " waiting" })
}
