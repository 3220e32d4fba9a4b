package holders

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) {
	harness.Dispatch(Parts())
	leaktest.Main(m)
}
