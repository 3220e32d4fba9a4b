package primitives

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"testing"

	"github.com/lockkeeper/lockkeeper/actor"
)

// halfTurn is a keeper whose turn waits before it begins, so that a dump can be taken of it.
type halfTurn struct {
	*gate
	begun, goOn chan struct{}
}

func (h halfTurn) Turn() {
	close(h.begun)
	<-h.goOn
	h.gate.Turn()
}

func TestTheKeepersGoroutineHasAName(t *testing.T) {
	var m Mutex
	var keeper actor.Activity
	h := halfTurn{&m.gate, make(chan struct{}), make(chan struct{})}
	keeper.Wake(h)
	<-h.begun
	var dump bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&dump, 1); err != nil {
		t.Fatal(err)
	}
	close(h.goOn)
	if !bytes.Contains(dump.Bytes(), []byte(`"actor":"primitives.gate"`)) {
		t.Errorf("no goroutine is called primitives.gate:\n%s", &dump)
	}
	for !keeper.Enter() { // not before it has gone home
		runtime.Gosched()
	}
}
