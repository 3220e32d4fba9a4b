package file

import (
	"os"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// long asks for the sizes that take minutes: 500 processes at once, 100 000 grants with kills.
var long = os.Getenv("LOCKKEEPER_LONG") != ""

func TestMain(m *testing.M) {
	proctest.Register("client", client)
	proctest.Register("worker", worker)
	proctest.Register("count", count)
	registerMore()
	leaktest.Main(m)
}
