package backendtest_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/backendtest"
)

// probe is a test that may fail without failing the one that looks on.
type probe struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	skipped  bool
	log      strings.Builder
	cleanups []func()
}

// try runs the clause and tells how it ended.
func try(t *testing.T, c backendtest.Clause, open func(testing.TB) backendtest.Env) *probe {
	p := &probe{TB: t}
	var done sync.WaitGroup
	done.Go(func() { // a goroutine of its own, for Fatalf ends it
		defer p.cleanup()
		c.Run(p, open(p))
	})
	done.Wait()
	return p
}

func (p *probe) cleanup() {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
}

func (p *probe) Helper()           {}
func (p *probe) Name() string      { return "probe" }
func (p *probe) Error(args ...any) { p.fail(fmt.Sprint(args...)) }
func (p *probe) Fatal(args ...any) { p.fail(fmt.Sprint(args...)); runtime.Goexit() }
func (p *probe) Log(args ...any)   { p.note(fmt.Sprint(args...)) }
func (p *probe) Skip(args ...any)  { p.skip(fmt.Sprint(args...)) }

func (p *probe) Errorf(format string, args ...any) { p.fail(fmt.Sprintf(format, args...)) }
func (p *probe) Logf(format string, args ...any)   { p.note(fmt.Sprintf(format, args...)) }
func (p *probe) Skipf(format string, args ...any)  { p.skip(fmt.Sprintf(format, args...)) }
func (p *probe) Fatalf(format string, args ...any) {
	p.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (p *probe) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *probe) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *probe) fail(text string) {
	p.mu.Lock()
	p.failed = true
	p.mu.Unlock()
	p.note(text)
}

func (p *probe) skip(text string) {
	p.mu.Lock()
	p.skipped = true
	p.mu.Unlock()
	p.note(text)
	runtime.Goexit()
}

func (p *probe) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.WriteString(text + "\n")
}
