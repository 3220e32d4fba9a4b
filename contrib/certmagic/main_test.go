package lkcertmagic

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var server redistest.Shared

func TestMain(m *testing.M) {
	leaktest.Main(server.Main(m), goleak.IgnoreCurrent()) // certmagic has goroutines from its init on
}
