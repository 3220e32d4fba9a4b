package postgres_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

var server pgtest.Shared

func TestMain(m *testing.M) {
	proctest.Register("passer", passer)
	proctest.Register("worker", worker)
	leaktest.Main(server.Main(m))
}
