package history_test

import (
	"fmt"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

func Example() {
	var file history.Buffer // or an *os.File of each process
	rec := history.NewRecorder(&file, "worker 1")

	var lock sync.Mutex
	for token := range uint64(3) {
		asked := history.Now()
		lock.Lock()
		hold := rec.Granted(history.Grant{Name: "db", Capacity: 1, Weight: 1, Token: token + 1, Holder: "main", Asked: asked})
		hold.Ended()
		lock.Unlock()
	}

	events, err := file.Events()
	if err != nil {
		fmt.Println(err)
	}
	verdict := history.Check(events)
	fmt.Println(verdict.OK(), verdict.Grants, verdict.Overlaps, verdict.Regressions, verdict.Processes)
	// Output: true 3 0 0 map[worker 1:3]
}
