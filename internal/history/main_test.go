package history_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Register("writer", writer)
	leaktest.Main(m)
}
