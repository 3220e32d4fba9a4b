package manager

import (
	"log/slog"
	"sync/atomic"
)

// log passes a line to the user's handler.
func (c *managerActor) log(msg string, args []any) {
	if l := c.m.cfg.logger; l != nil {
		c.line(l, msg, args, nil)
	}
}

// mostLines is how many lines may be on their way to the user's log handler.
const mostLines = 1000

// lines counts those on their way, and those that were left out since the last.
type lines struct {
	underway atomic.Int32
	leftOut  atomic.Int64
}

// line passes a line to a handler, which may be slow, on a goroutine of its own; more, unless nil,
// says how the line ends, and may be slow too. While a handler is stuck, lines are left out, and the
// next says how many: goroutines must not pile up for ever.
func (c *managerActor) line(l *slog.Logger, msg string, args []any, more func() []any) {
	if c.lines.underway.Add(1) > mostLines {
		c.lines.underway.Add(-1)
		c.lines.leftOut.Add(1)
		return
	}
	if n := c.lines.leftOut.Swap(0); n > 0 {
		args = append(args, "left_out", n)
	}
	c.apart(func() {
		defer c.lines.underway.Add(-1)
		if more != nil {
			args = append(args, more()...)
		}
		l.Warn("lockkeeper: "+msg, args...)
	})
}
