package redistest_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"go.uber.org/goleak"
)

var shared redistest.Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(shared.Main(m)) }
