//go:build unix

package file

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// long asks for the sizes that take minutes: 500 processes at once, 100 000 grants with kills.
var long = os.Getenv("LOCKKEEPER_LONG") != ""

func TestMain(m *testing.M) {
	proctest.Register("client", client)
	proctest.Register("worker", worker)
	proctest.Register("count", count)
	proctest.Register("strict", strict)
	proctest.Register("starved", starved)
	proctest.Register("stormed", stormed)
	proctest.Register("parent", parent)
	proctest.Register("visitor", visitor)
	goleak.VerifyTestMain(m)
}
