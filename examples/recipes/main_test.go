package recipes

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var server redistest.Shared

func TestMain(m *testing.M) { leaktest.Main(server.Main(m)) }
