package actor

import (
	"context"
	"runtime"
	"sync"
	"testing"
)

func TestLifetimeIsAContext(t *testing.T) {
	for name, early := range map[string]bool{"asked before the end": true, "asked after the end": false} {
		t.Run(name, func(t *testing.T) {
			var l lifetime
			if early {
				select {
				case <-l.Done():
					t.Error("done before its end")
				default:
				}
			}
			if _, ok := l.Deadline(); ok || l.Err() != nil || early && context.Cause(&l) != nil {
				t.Error("ended before its end")
			}
			l.end(&errBroken)
			l.end(&ErrStopped) // too late
			<-l.Done()
			if l.Err() != context.Canceled || context.Cause(&l) != errBroken {
				t.Errorf("Err %v, cause %v", l.Err(), context.Cause(&l))
			}
		})
	}
}

func TestContextsDerivedFromALifetimeNeedNoGoroutine(t *testing.T) {
	c := &core{}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(c.turnCtx())
	defer cancel()
	for runtime.NumGoroutine() > before { // hangs if ctx has a goroutine; others come and go
		runtime.Gosched()
	}
	c.lifetime.end(&errBroken)
	<-ctx.Done()
	if context.Cause(ctx) != errBroken {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}

func TestLifetimeEndsForWhoeverAsksMeanwhile(t *testing.T) {
	for range 2000 {
		var l lifetime
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { <-l.Done() })
		}
		wg.Go(func() { l.end(&ErrStopped) })
		wg.Wait()
	}
}
