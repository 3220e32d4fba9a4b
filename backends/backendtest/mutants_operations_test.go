package backendtest_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
)

// mutantsOfOperations have faults in how operations are started and cancelled.
var mutantsOfOperations = []mutant{
	{
		name: "a cancelled request stays in the queue",
		found: []string{
			"Cancel/LeavesNothing", "Cancel/Deadline", "Cancel/HeadLetsNextIn", "Cancel/MiddleKeepsOrder", "Cancel/Many",
			"Operation/Cancel", "Operation/CancelReleases",
		},
		change: func(h *hooks) {
			h.once(func(op *backends.Op, start start) backends.Work { return start(op) })
			h.OnCancel = func(op *backends.Op, _ start) backends.Work {
				op.Fail(context.Canceled)
				return nil
			}
		},
	},
	{
		name:     "a request that is granted while it is cancelled fails but keeps what it got",
		found:    []string{"Cancel/RacesGrant", "Operation/CancelRacesGrant", "Several/CancelRacesGrants"},
		byChance: true,
		change: func(h *hooks) {
			var cancelled sync.Map // *backends.Op → struct{}
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				granted := op.Granted
				op.Granted = func(i int, g backends.Grant, err error) {
					if _, ok := cancelled.Load(op); ok {
						g, err = backends.Grant{}, context.Canceled
					}
					granted(i, g, err)
				}
				return start(op)
			})
			h.OnCancel = func(op *backends.Op, cancel start) backends.Work {
				cancelled.Store(op, struct{}{})
				runtime.Gosched()
				return cancel(op)
			}
		},
	},
	{
		name:  "Cancel tells those that have their answer as well",
		found: []string{"Operation/Cancel", "Several/CancelHalfGranted"},
		change: func(h *hooks) {
			var again sync.Map // *backends.Op → func()
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				granted := op.Granted
				told := make([]atomic.Bool, len(op.Acquire))
				op.Granted = func(i int, g backends.Grant, err error) { told[i].Store(true); granted(i, g, err) }
				again.Store(op, func() {
					for i := range told {
						if told[i].Load() {
							granted(i, backends.Grant{}, context.Canceled)
						}
					}
				})
				return start(op)
			})
			h.OnCancel = func(op *backends.Op, cancel start) backends.Work {
				tell, _ := again.Load(op)
				tell.(func())()
				return cancel(op)
			}
		},
	},
	{
		name:  "a cancel that comes before the work is forgotten",
		found: []string{"Operation/Cancel", "Operation/CancelReleases"},
		change: func(h *hooks) {
			new(lazy).install(h)
			h.OnCancel = func(*backends.Op, start) backends.Work { return nil }
		},
	},
	{
		name:   "a request that is cancelled before its work is made all the same",
		found:  []string{"Operation/CancelRacesWork", "Operation/Cancel"},
		change: func(h *hooks) { (&lazy{keeps: true}).install(h) },
	},
	{
		name:   "work does not look at its context",
		found:  []string{"Operation/EndedContext"},
		change: func(h *hooks) { (&lazy{deaf: true}).install(h) },
	},
	{
		name:   "the end of the context and a cancel forget the releases",
		found:  []string{"Operation/EndedContext", "Operation/CancelReleases", "Release/EndedContext"},
		change: func(h *hooks) { (&lazy{forgets: true}).install(h) },
	},
	{
		name:  "a release beside a request is not made",
		found: []string{"Operation/ReleasesFirst", "Operation/ReleaseAlone", "Operation/CancelReleases", "Operation/Refused"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) > 0 {
					for i := range op.Release {
						op.Released(i, nil)
					}
					op.Release = nil
				}
				return start(op)
			})
		},
	},
	{
		name:  "an operation keeps the grant that it should release",
		found: []string{"Operation/ReleasesFirst", "Operation/ReleaseAlone"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Release) == 0 || len(op.Acquire) == 0 {
					return start(op)
				}
				op.Released(0, nil)
				op.Granted(0, op.Release[0], nil)
				return nil
			})
		},
	},
	{
		name:  "a request after a grant that has ended fails",
		found: []string{"Operation/AfterEnded"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				requests, released := *op, op.Released
				op.Acquire = nil
				op.Released = func(i int, err error) {
					if released(i, err); errors.Is(err, backends.ErrLost) {
						requests.Fail(err)
					}
				}
				if len(requests.Acquire) > 0 && len(requests.Release) > 0 {
					return start(op)
				}
				return start(&requests)
			})
		},
	},
	{
		name:  "requests are granted before the releases are answered",
		found: []string{"Operation/ReleasesFirst", "Operation/ReleaseAlone", "Several/ReleasesThenRequests"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				var late []func()
				granted, released := op.Granted, op.Released
				op.Released = func(i int, err error) { late = append(late, func() { released(i, err) }) }
				op.Granted = func(i int, g backends.Grant, err error) {
					granted(i, g, err)
					for _, f := range late {
						f()
					}
					late = nil
				}
				if len(op.Acquire) == 0 {
					op.Released = released
				}
				return start(op)
			})
		},
	},
	{
		name:  "a request does not wait",
		found: []string{"Operation/Grants", "Operation/ReleasesFirst", "Several/GrantedOneByOne"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				op.Wait = false
				return start(op)
			})
		},
	},
	{
		name:  "a request that is refused keeps the releases from being made",
		found: []string{"Operation/Refused", "Several/SameNameTwice", "Several/Invalid"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if err := op.Check(h.Capabilities()); err != nil {
					op.Fail(err)
					for i := range op.Release {
						op.Released(i, err)
					}
					return nil
				}
				return start(op)
			})
		},
	},
	{
		name:  "an operation that a callback starts is refused",
		found: []string{"Operation/StartInACallback"},
		change: func(h *hooks) {
			var starting atomic.Bool
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if starting.Swap(true) {
					op.Fail(backends.ErrUnavailable)
					return nil
				}
				defer starting.Store(false)
				return start(op)
			})
		},
	},
}
