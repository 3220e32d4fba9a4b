package debug

import (
	"slices"
	"strconv"
	"strings"
)

// A spark is the drawing of a series: a line, the area under it, and a mark for each slot in which
// something went wrong. Its box is 120 wide and 24 high.
type spark struct {
	Line, Area   string
	Marks        []int // their places
	Title, Class string
}

const (
	sparkWidth  = 2 * slots
	sparkHeight = 24
)

// draw makes a spark of values, which are in a ring.
func (s *series) draw(values *[slots]uint32, title func(top uint32) string) *spark {
	top := slices.Max(values[:])
	var line strings.Builder
	d := &spark{}
	for i := range int64(slots) {
		at := (s.at + 1 + i) % slots
		x := int(2*i + 1)
		y := sparkHeight - 2 - float64(values[at])*(sparkHeight-4)/float64(max(top, 1))
		if i > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(strconv.Itoa(x) + "," + strconv.FormatFloat(y, 'f', 1, 64))
		if s.bad[at] > 0 {
			d.Marks = append(d.Marks, x)
		}
	}
	d.Line = line.String()
	d.Area = "1," + strconv.Itoa(sparkHeight-2) + " " + d.Line + " " + strconv.Itoa(sparkWidth-1) + "," + strconv.Itoa(sparkHeight-2)
	d.Title = title(top)
	return d
}

// drawWaiting draws how many waited.
func (s *series) drawWaiting() *spark {
	return s.draw(&s.waiting, func(top uint32) string { return "at most " + count(int64(top)) + " waiting" })
}
