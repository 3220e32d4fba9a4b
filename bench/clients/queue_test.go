package clients

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

func TestWaitBehindQueuesLastsAsLongAsTheHoldersHold(t *testing.T) {
	for _, processes := range []int{1, 2} {
		for _, all := range []bool{false, true} {
			s := Spec{Library: File, Store: t.TempDir(), Name: "n"}
			m, err := Behind(s, all, processes)(t.Context(), harness.Budget{Quick: true})
			if err != nil {
				t.Fatal(err)
			}
			if wait := m["wait ms"]; wait < 100 { // five holders of this process, 20 ms each
				t.Errorf("%d processes, all is %v: waited %v ms", processes, all, wait)
			}
		}
	}
}
