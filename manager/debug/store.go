package debug

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/listing"
	"github.com/lockkeeper/lockkeeper/internal/nils"
	"github.com/lockkeeper/lockkeeper/manager"
)

// listPatience is how long a page waits for all names of a store.
const listPatience = 10 * time.Second

// A Store is what [StoreHandler] shows: a [backends.Backend], or a reader of a store.
type Store interface {
	Inspect(ctx context.Context, name string) (backends.State, error)
	List(ctx context.Context) iter.Seq2[backends.State, error]
}

// StoreHandler returns a page that shows a store: the holders and waiters of every name, of all
// processes, with label, pid, host, start and token, and how long each grant is still valid. Lines of
// code, histograms and the number of waiting goroutines are known only to each process: see
// [Handler]. The title names the store.
//
// With ?format=json, or for a client that accepts only JSON, it answers in the form of lockkeeper ls
// --json, and for one name in that of lockkeeper show --json.
//
// It reads the whole store at each request, for at most ten seconds. The page shows an error above
// the names that could be read. If none could be read, the status is not 200.
//
// As with Handler, mount it where only operators can reach it. StoreHandler panics if the store is
// nil, typed or not, and if [AllowBreak] is given for a store without the method Break of [backends.Backend].
func StoreHandler(title string, s Store, opts ...Option) http.Handler {
	if nils.Is(s) {
		panic("debug: StoreHandler: the store is nil")
	}
	h := newHandler(&shared{title: title, store: s, board: newBoard()}, opts)
	if h.mayBreak {
		b, ok := s.(interface {
			Break(ctx context.Context, name string) error
		})
		if !ok {
			panic("debug: StoreHandler: AllowBreak needs a store with the method Break")
		}
		h.breaks = b.Break
	}
	return h
}

// shared shows a store that processes share.
type shared struct {
	title string
	store Store
	*board
}

func (p *shared) head(q query) *view {
	return &view{
		Title: "lockkeeper", Store: clipped(p.title, 200), Search: readable(q.search), JSON: q.with("format", "json"),
		Find: "Find a name or holder",
	}
}

func (p *shared) inspect(ctx context.Context, name string) (backends.State, error) {
	state, err := p.store.Inspect(ctx, name)
	state.Resource.Name = name // a name that is not in use may come without
	return state, err
}

// list returns the states that could be read, by name, and the joined errors of the others. It
// takes as long as the store, so nothing is locked meanwhile.
func (p *shared) list(ctx context.Context) ([]backends.State, error) {
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	states, err := listing.Read(ctx, p.store)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the store did not list all names within %v: %w", listPatience, err)
	}
	return states, err
}

func (p *shared) data(ctx context.Context, q query) (any, error) {
	if q.named {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		state, err := p.inspect(ctx, q.name)
		one := listing.OneOf(p.title, time.Now(), &state)
		if err != nil {
			one.Error = err.Error()
		}
		return one, err
	}
	states, err := p.list(ctx)
	kept := make([]backends.State, 0, len(states))
	for i := range states {
		if q.matchesState(&states[i]) {
			kept = append(kept, states[i])
		}
	}
	return listing.Of(p.title, time.Now(), kept, err), whole(states, err)
}

// whole is the error of a look that has found nothing.
func whole(states []backends.State, err error) error {
	if len(states) > 0 {
		return nil
	}
	return err
}

// overview locks the history after the look at the store. So looks may end in another order than
// they began; the history ignores one that is older than its last.
func (p *shared) overview(ctx context.Context, q query) (*view, error) {
	states, err := p.list(ctx)
	v := p.head(q)
	if err != nil {
		v.Problem = readable(err.Error())
	}
	if err := whole(states, err); err != nil {
		return v, err
	}
	s := statsOf(states)
	p.past.mu.Lock()
	defer p.past.mu.Unlock()
	p.past.sample(s)
	v.Tiles = p.totals(s)
	found := make([]ranked, 0, len(states))
	for i := range states {
		if q.matchesState(&states[i]) {
			found = append(found, p.rank(&s.Resources[i], &states[i], false))
		}
	}
	v.Table = p.cut(s, q, found, len(states))
	if s.Waiting > 0 {
		v.Title = count(s.Waiting) + " waiting – lockkeeper"
	}
	return v, nil
}

func (p *shared) totals(s *manager.Stats) []tile {
	held := heldTile("held", s.Time, s.Holding, s.LongestHold)
	waiting := queueTile("waiting", s.Time, s.Waiting, s.OldestWaiter, p.past.drawWaiting(&p.past.totals))
	return []tile{{Label: "names in use", Value: count(len(s.Resources))}, held, waiting}
}

func heldTile(label string, now time.Time, n int64, longest time.Time) tile {
	t := tile{Label: label, Value: count(n)}
	if !longest.IsZero() {
		t.More = "the longest for " + human(now.Sub(longest))
	}
	return t
}

// detail is what the store knows of one name.
func (p *shared) detail(ctx context.Context, q query) *view {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	state, err := p.inspect(ctx, q.name)
	now := time.Now()
	r := resourceOf(&state, now)
	d := &detail{Name: readable(q.name), Quoted: quoted(q.name), Kind: kind(&r)}
	p.past.mu.Lock()
	defer p.past.mu.Unlock()
	d.Tiles = []tile{
		heldTile("held", now, r.Holding, r.LongestHold),
		queueTile("processes waiting", now, r.Waiting, r.OldestWaiter, p.past.drawWaiting(p.past.names[q.name])),
	}
	if state.Token > 0 {
		d.Tiles = append(d.Tiles, tile{Label: "last token", Value: tokenOf(state.Token)})
	}
	d.store(&state, err)
	v := p.head(q)
	v.Title, v.Detail, v.Search = clipped(q.name, 40)+" – lockkeeper", d, ""
	return v
}
