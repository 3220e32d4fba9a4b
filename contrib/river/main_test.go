package lkriver

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var (
	database pgtest.Shared
	server   redistest.Shared
)

func TestMain(m *testing.M) { leaktest.Main(database.Main(server.Main(m))) }
