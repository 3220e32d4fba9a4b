package redistest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var shared redistest.Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(shared.Main(m)) }
