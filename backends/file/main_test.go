//go:build unix

package file

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Register("client", client)
	proctest.Register("worker", worker)
	proctest.Register("count", count)
	proctest.Register("strict", strict)
	proctest.Register("starved", starved)
	goleak.VerifyTestMain(m)
}
