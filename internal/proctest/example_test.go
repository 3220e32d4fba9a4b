package proctest_test

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// A helper is a function that talks by lines.
func ExampleRegister() {
	counter := func(c *proctest.Child) error {
		for n := 1; ; n++ {
			line, ok := c.Listen()
			if !ok {
				return nil // the test has gone
			}
			c.Say("%d: %s", n, line)
		}
	}
	proctest.Register("counter", counter) // in TestMain
	fmt.Println("not the helper: the tests run")
	// Output: not the helper: the tests run
}
