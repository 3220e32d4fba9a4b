package redis_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"go.uber.org/goleak"
)

var server redistest.Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(server.Main(m)) }
