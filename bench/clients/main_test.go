package clients

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	harness.Dispatch(Parts())
	goleak.VerifyTestMain(m)
}
