package actor

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"
)

// dump is the goroutine profile with labels.
func dump() string {
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	return b.String()
}

func TestGoroutinesWearTheirActorsName(t *testing.T) {
	s := quiet(t)
	r := namedWorker(t, s, "visible")
	release := block(t, r)
	defer release()
	inTask, inTurn, free := make(chan struct{}), make(chan struct{}), make(chan struct{})
	tasker := namedWorker(t, s, "tasker")
	tell(t, tasker, func(self *Self[order], _ context.Context) error {
		self.Go(func(context.Context) order { close(inTask); <-free; return nothing })
		return nil
	})
	on := NewOnDemand("demanded", func(int) { close(inTurn); <-free }, mustNotFail(t))
	on.Tell(1)
	<-inTask
	<-inTurn
	profile := dump()
	close(free)
	for _, name := range []string{"visible", "tasker", "demanded"} {
		if !strings.Contains(profile, fmt.Sprintf("%q:%q", labelKey, name)) {
			t.Errorf("no goroutine is called %s", name)
		}
	}
}

func TestLabelsOfManyNames(t *testing.T) {
	seen := make(chan string, 1)
	for i := range 3 * len(labels) { // more than are remembered
		name := fmt.Sprint("actor ", i)
		on := NewOnDemand(name, func(int) {
			if strings.Contains(dump(), fmt.Sprintf("%q:%q", labelKey, name)) {
				seen <- name
			} else {
				seen <- "nobody"
			}
		}, mustNotFail(t))
		on.Tell(1)
		if got := <-seen; got != name {
			t.Fatalf("the goroutine of %s wears the label of %s", name, got)
		}
	}
}
