package history_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Register("writer", writer)
	goleak.VerifyTestMain(m)
}
