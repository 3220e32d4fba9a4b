package postgres_test

import (
	"flag"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

var server pgtest.Shared

func TestMain(m *testing.M) {
	proctest.Register("passer", passer)
	proctest.Register("worker", worker)
	runAtOnce("6")
	leaktest.Main(server.Main(m))
}

// runAtOnce sets how many tests run at once, unless the command line does. Most tests wait, so that
// is more than there are processors.
func runAtOnce(n string) {
	const name = "test.parallel"
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		if err := flag.Set(name, n); err != nil {
			panic(err)
		}
	}
}
