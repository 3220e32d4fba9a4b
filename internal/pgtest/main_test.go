package pgtest

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

var server Shared

func TestMain(m *testing.M) { leaktest.Main(server.Main(m)) }
