package recipes

import (
	"net/http"

	lkhttp "github.com/lockkeeper/lockkeeper/contrib/http"
	"github.com/lockkeeper/lockkeeper/manager"
)

// LimitPerUser serves at most two requests of a user at a time, on all servers that share a store.
// Further ones are answered 429, with Retry-After.
func LimitPerUser(
	locks *manager.Manager, user func(*http.Request) string, h http.Handler,
) (http.Handler, error) {
	limit, err := lkhttp.New(func(r *http.Request) (manager.Claim, bool) {
		name := user(r)
		return locks.Semaphore("user/"+name, 2).Permits(1), name != ""
	}, lkhttp.WithWait(0), lkhttp.WithBusyStatus(http.StatusTooManyRequests))
	if err != nil {
		return nil, err
	}
	return limit(h), nil
}
