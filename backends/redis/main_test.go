package redis_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"go.uber.org/goleak"
)

var server redistest.Shared

func TestMain(m *testing.M) {
	proctest.Register("holder", holder)
	proctest.Register("worker", worker)
	goleak.VerifyTestMain(server.Main(m))
}
