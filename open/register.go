package open

import (
	"context"
	"regexp"
	"slices"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
)

// An Opener opens the store that a URL of its scheme names. The URL is the text as the user has
// written it. An Opener may be called by any goroutine. Its errors wrap those of package backends
// and show no password.
type Opener func(ctx context.Context, url string) (backends.Backend, error)

// own are the schemes of this module's stores.
var own = []string{
	"file", "memory", "redis", "redis+cluster", "redis+sentinel", "rediss", "rediss+cluster", "rediss+sentinel",
}

var registered sync.Map // scheme → Opener

var schemeForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]+$`)

// Register makes URLs of a scheme known to [Store], for the whole process. Call it in main, before
// the first Store:
//
//	open.Register("etcd", etcdlocks.Open)
//
// It panics if the scheme is known already, if it is not a scheme in lower case, or if o is nil. A
// scheme has at least two characters: one is a drive.
func Register(scheme string, o Opener) {
	switch {
	case !schemeForm.MatchString(scheme):
		panic("open: Register of " + scheme + ": not a scheme in lower case")
	case o == nil:
		panic("open: Register of " + scheme + " with a nil Opener")
	case slices.Contains(own, scheme):
		panic("open: Register of " + scheme + ": a scheme of this module")
	}
	if _, loaded := registered.LoadOrStore(scheme, o); loaded {
		panic("open: Register of " + scheme + " twice")
	}
}

// schemes returns all that are known, sorted.
func schemes() []string {
	known := slices.Clone(own)
	registered.Range(func(scheme, _ any) bool {
		known = append(known, scheme.(string))
		return true
	})
	slices.Sort(known)
	return known
}
