package manager

import (
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// A Site is the line of code that called Acquire, TryAcquire, Do, Lead or Adopt. It costs a look at
// the stack of the caller when it is recorded, and becomes text when it is read. The zero Site is
// none.
type Site struct{ pc [1]uintptr }

// callersCaller is what the exported methods pass to runtime.Callers, to which they have to go
// without a helper: each frame between costs 40 ns.
const callersCaller = 2

// String returns file:line, or nothing for the zero Site. A go statement that calls an acquire itself
// leaves no line: then it is that of the function which Do or Lead runs, or else "a go statement".
func (s Site) String() string {
	switch s.pc[0] {
	case 0:
		return ""
	case goexit():
		return "a go statement"
	}
	f, _ := runtime.CallersFrames(s.pc[:]).Next()
	return f.File + ":" + strconv.Itoa(f.Line)
}

// orOf returns s, or the line where the function begins if a go statement has called for it.
func (s Site) orOf(function any) Site {
	if s.pc[0] != 0 && s.pc[0] == goexit() {
		return Site{[1]uintptr{reflect.ValueOf(function).Pointer() + 1}} // as if it had been called there
	}
	return s
}

// goexit is the caller of the first function of each goroutine; 0 if there is none.
var goexit = sync.OnceValue(func() (last uintptr) {
	var pcs [64]uintptr
	for skip, n := 0, len(pcs); n == len(pcs); skip += n {
		if n = runtime.Callers(skip, pcs[:]); n > 0 {
			last = pcs[n-1]
		}
	}
	if f, _ := runtime.CallersFrames([]uintptr{last}).Next(); f.Function != "runtime.goexit" {
		return 0
	}
	return last
})

// acquires reports whether a function, by its name in the stack, is an exported method whose caller
// is a site.
func acquires(function string) bool {
	method, ours := strings.CutPrefix(function, reflect.TypeFor[Claim]().PkgPath())
	switch method {
	case ".Claim.Acquire", ".Claim.TryAcquire", ".Claim.Do", ".(*Manager).Lead", ".(*Election).Lead", ".(*Manager).Adopt":
		return ours
	}
	return false
}

// siteOfCaller finds the site in the stack of a tracer that is called by an acquire: however many
// frames the tracer has, the first method that acquires belongs to this acquire.
func siteOfCaller() Site {
	var pcs [64]uintptr
	for skip := callersCaller; ; skip += len(pcs) - 1 { // so that each method is seen with its caller
		n := runtime.Callers(skip, pcs[:])
		for i := range max(n-1, 0) {
			if f, _ := runtime.CallersFrames(pcs[i : i+1]).Next(); acquires(f.Function) {
				return Site{[1]uintptr{pcs[i+1]}}
			}
		}
		if n < len(pcs) {
			return Site{}
		}
	}
}

// WithSites records for each acquire the line of code that called it, for Stats, for the errors and
// logs that name a holder, and for tracers. It costs about a quarter of an uncontended acquire in
// memory. [WithSlowLog] and [WithProfiles] do so too. A tracer asks for the sites it wants:
// [TraceAcquireStart.Site]. Default: no sites.
func WithSites() Option {
	return Option{func(c *config) error {
		c.observer.on, c.observer.sites = true, true
		return nil
	}}
}
