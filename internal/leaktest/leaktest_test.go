package leaktest

import (
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestGoroutineThatEndsLateIsNoLeakAndOneThatStaysIs(t *testing.T) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-end
	}()
	err := find(0)
	if err == nil || !strings.Contains(err.Error(), "TestGoroutineThatEnds") {
		t.Errorf("got %v", err)
	}
	time.AfterFunc(2*time.Second, func() { close(end) }) // longer than goleak waits
	if err := find(patience); err != nil {
		t.Error(err)
	}
	<-ended
}
