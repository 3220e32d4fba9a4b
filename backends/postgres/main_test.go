package postgres_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

var server pgtest.Shared

func TestMain(m *testing.M) { leaktest.Main(server.Main(m)) }
