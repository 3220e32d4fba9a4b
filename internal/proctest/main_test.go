//go:build unix

package proctest_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Register("echo", echo)
	proctest.Register("fails", fails)
	proctest.Register("parent", parent)
	proctest.Register("heedful", heedful)
	leaktest.Main(m)
}
