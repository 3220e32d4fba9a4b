package manager

import (
	"runtime"
	"strconv"
)

// A Site is the line of code that called Acquire, TryAcquire, Do, Lead or Adopt. It costs a look
// at the stack of the caller when it is recorded, and becomes text only when somebody reads it. The
// zero Site is none.
type Site struct{ pc [1]uintptr }

// callersCaller is what the exported methods pass to runtime.Callers, to which they have to go
// without a helper: each frame between costs 40 ns.
const callersCaller = 2

// String returns file:line, or nothing for the zero Site.
func (s Site) String() string {
	if s == (Site{}) {
		return ""
	}
	f, _ := runtime.CallersFrames(s.pc[:]).Next()
	return f.File + ":" + strconv.Itoa(f.Line)
}

// WithSites records for each acquire the line of code that called it, for Stats, for the errors and
// logs that name a holder, and for tracers. It costs about a third of an uncontended acquire in
// memory. [WithTracer], [WithSlowLog] and [WithProfiles] do so too. Default: no sites.
func WithSites() Option {
	return Option{func(c *config) error {
		c.observer.on = true
		return nil
	}}
}
