package manager

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Register("scheduler", scheduler)
	proctest.Register("leader", leader)
	leaktest.Main(m)
}
