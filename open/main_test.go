package open_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var shared redistest.Shared

func TestMain(m *testing.M) { leaktest.Main(shared.Main(m)) }
