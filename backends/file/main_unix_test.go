//go:build unix

package file

import "github.com/lockkeeper/lockkeeper/internal/proctest"

// registerMore registers the helpers that only exist here.
func registerMore() {
	proctest.Register("strict", strict)
	proctest.Register("starved", starved)
	proctest.Register("frugal", frugal)
	proctest.Register("stormed", stormed)
	proctest.Register("parent", parent)
	proctest.Register("visitor", visitor)
	proctest.Register("examiner", examiner)
	proctest.Register("exhaustedLister", exhaustedLister)
	proctest.Register("onlooker", onlooker)
	proctest.Register("full", full)
	proctest.Register("many", many)
}
