package file

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Register("client", client)
	goleak.VerifyTestMain(m)
}
