package files

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	harness.Dispatch(clients.Parts())
	goleak.VerifyTestMain(m)
}
