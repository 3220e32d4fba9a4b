//go:build !linux

package file

// fileEvents are not used here: a resource looks by itself now and then.
type fileEvents struct{}

func (*fileEvents) close() {}

func (*watcher) openEvents()          {}
func (*watcher) watchInboxes()        {}
func (*watcher) watchLock(*resource)  {}
func (*watcher) forgetLock(*resource) {}

func (*watcher) event(int32, uint32, string) {}
