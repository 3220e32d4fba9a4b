package lkprometheus

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var server redistest.Shared

func TestMain(m *testing.M) {
	proctest.Register("service", service)
	leaktest.Main(server.Main(m))
}
