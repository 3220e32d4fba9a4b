package backendtest_test

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// mutantsOfSeveral have faults in operations with several names.
var mutantsOfSeveral = []mutant{
	{
		name:  "takes one name after the other",
		found: []string{"Several/OneOrder", "Several/PlacesAtOnce", "Several/GrantedOneByOne"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) < 2 || !op.Wait {
					return start(op)
				}
				split(op, true, start)
				return nil
			})
		},
	},
	{
		name:  "each name is an operation of its own",
		found: []string{"Several/Mismatch", "Several/Invalid", "Several/SameNameTwice", "Several/TryAllOrNone", "Several/CancelHalfGranted"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) < 2 {
					return start(op)
				}
				split(op, false, start)
				return nil
			})
		},
	},
	{
		name:     "places are taken in one step for each name",
		found:    []string{"Several/NeverDeadlock", "Storm/Operations"},
		byChance: true,
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) < 2 || !op.Wait {
					return start(op)
				}
				split(op, false, func(part *backends.Op) backends.Work {
					defer runtime.Gosched()
					return start(part)
				})
				return nil
			})
		},
	},
	{
		name:  "what is granted is told when all is",
		found: []string{"Several/GrantedOneByOne", "Several/CancelHalfGranted", "Several/Close", "Several/MixedKinds"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				var late []func()
				granted, n := op.Granted, len(op.Acquire)
				op.Granted = func(i int, g backends.Grant, err error) {
					if late = append(late, func() { granted(i, g, err) }); len(late) == n {
						for _, f := range late {
							f()
						}
					}
				}
				return start(op)
			})
		},
	},
	{
		name:  "a try for several names takes and gives back",
		found: []string{"Several/TryAllOrNone"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) < 2 || op.Wait {
					return start(op)
				}
				return func(ctx context.Context) {
					var gs []backends.Grant
					for _, r := range op.Acquire {
						g, err := backends.TryAcquire(ctx, h.Backend.Backend, r)
						if err != nil {
							for _, g := range gs {
								_ = backends.Release(ctx, h.Backend.Backend, g)
							}
							op.Fail(err)
							return
						}
						gs = append(gs, g)
					}
					for i, g := range gs {
						op.Granted(i, g, nil)
					}
				}
			})
		},
	},
	{
		name:  "a try for several names waits for a moment",
		found: []string{"Several/TryTouchesNobody"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if op.Wait || len(op.Acquire) == 0 {
					return start(op)
				}
				granted := op.Granted
				op.Wait = true
				op.Granted = func(i int, g backends.Grant, err error) {
					if errors.Is(err, context.Canceled) {
						err = backends.ErrBusy
					}
					granted(i, g, err)
				}
				start(op)
				h.Backend.Backend.Cancel(op)
				return nil
			})
		},
	},
	{
		name:  "an operation releases its first grant only",
		found: []string{"Several/FreeAtOnce", "Several/ReleasesSeveral", "Several/ReleasesThenRequests", "Several/NeverDeadlock"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Release) < 2 {
					return start(op)
				}
				for i := range op.Release[1:] {
					op.Released(1+i, nil)
				}
				op.Release = op.Release[:1]
				return start(op)
			})
		},
	},
	{
		name:  "the release of a grant that has ended is as good as any",
		found: []string{"Several/ReleasesSeveral", "Operation/AfterEnded"},
		change: func(h *hooks) {
			h.OnReleased = func(backends.Grant, error) error { return nil }
		},
	},
	{
		name:  "all requests of an operation weigh the same",
		found: []string{"Several/MixedKinds"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) { r.Weight = min(r.Weight, 1) })
			h.eachGrant(func(r backends.Request, g *backends.Grant) { g.Weight = r.Weight })
		},
	},
	{
		name:  "requests overtake each other on their way",
		found: []string{"Storm/Operations"},
		change: func(h *hooks) {
			var strays sync.WaitGroup
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				strays.Go(func() { runtime.Gosched(); start(op) })
				return nil
			})
			h.OnCancel = func(*backends.Op, start) backends.Work { return nil }
			h.OnClose = func(ctx context.Context, closes intercept.Close) error {
				strays.Wait()
				return closes(ctx)
			}
		},
	},
}
