// Package suites lists the suites of benchmarks and the parts that their helper processes play.
package suites

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
	"github.com/lockkeeper/lockkeeper/bench/suites/actors"
	"github.com/lockkeeper/lockkeeper/bench/suites/command"
	"github.com/lockkeeper/lockkeeper/bench/suites/databases"
	"github.com/lockkeeper/lockkeeper/bench/suites/faults"
	"github.com/lockkeeper/lockkeeper/bench/suites/files"
	"github.com/lockkeeper/lockkeeper/bench/suites/inprocess"
	"github.com/lockkeeper/lockkeeper/bench/suites/named"
	"github.com/lockkeeper/lockkeeper/bench/suites/servers"
)

// All returns every suite, in the order in which they run.
func All() []harness.Suite {
	return []harness.Suite{
		inprocess.Suite(), actors.Suite(), named.Suite(), files.Suite(), servers.Suite(), databases.Suite(), command.Suite(),
		faults.Suite(),
	}
}

// Parts returns every part, by name.
func Parts() map[string]harness.Part {
	all := clients.Parts()
	maps.Copy(all, holders.Parts())
	return all
}

// Names returns the names of the suites.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

// Choose returns the suites of a comma-separated list, each once, in the order of All; "all" and "" mean every one.
func Choose(list string) ([]harness.Suite, error) {
	if list == "" || list == "all" {
		return All(), nil
	}
	want := strings.Split(list, ",")
	for _, name := range want {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("no suite %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	return slices.DeleteFunc(All(), func(s harness.Suite) bool { return !slices.Contains(want, s.Name) }), nil
}
