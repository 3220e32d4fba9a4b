package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/internal/listing"
)

// What a store is given to answer. A directory always does, but a million names in it take a quarter of a minute.
const (
	lookTimeout     = 10 * time.Second
	lookFileTimeout = 2 * time.Minute
)

// view is what is looked at.
type view struct {
	Store string   `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Names []string `arg:"" optional:"" name:"name" help:"Only these. Default: every name that is held or waited for."`
}

type lsCmd struct {
	view
	JSON bool `name:"json" help:"Write one JSON object instead of a table."`
}

// Help is shown by ls --help.
func (*lsCmd) Help() string {
	return "A process has one line for each name that it waits for, whatever the number of its goroutines that wait."
}

// Run lists who holds and who waits.
func (l *lsCmd) Run(s streams) exitCode {
	err := l.read(func(r store.Reader, where store.Store, timeout time.Duration) error {
		states, err := l.states(context.Background(), r, timeout)
		if l.JSON {
			form := listing.Of(where.String(), time.Now(), states, err)
			return errors.Join(err, printed(listing.Write(s.out, form)))
		}
		if pageOf(s.out).height > 0 && len(states) > 0 {
			fmt.Fprintln(s.out, where)
		}
		if len(states) == 0 && err == nil {
			s.warn("no holders and no waiters in %v", where)
		}
		return errors.Join(err, list(s.out, states, time.Now(), pageOf(s.out).shown()))
	})
	if err != nil {
		return s.fail(err)
	}
	return exitOK
}

// read opens the store for reading while do runs.
func (v *view) read(do func(r store.Reader, where store.Store, timeout time.Duration) error) error {
	where, err := store.Parse(v.Store)
	if err != nil {
		return err
	}
	r, free, err := store.Read(where)
	if err != nil {
		return err
	}
	timeout := timeoutOf(where)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		free(ctx)
	}()
	return do(r, where, timeout)
}

func timeoutOf(where store.Store) time.Duration {
	if where.InDirectory() {
		return lookFileTimeout
	}
	return lookTimeout
}

// look opens the store for as long as do runs. Where there is none, it makes none: then do sees one in which nothing is.
func (v *view) look(do func(b backends.Backend, timeout time.Duration) error) error {
	where, err := store.Parse(v.Store)
	if err != nil {
		return err
	}
	b := backends.Backend(memory.New())
	if where.Exists() {
		if b, err = store.Open(where); err != nil {
			return err
		}
	}
	timeout := timeoutOf(where)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		_ = b.Close(ctx) // it holds nothing
	}()
	return do(b, timeout)
}

// states returns the states that could be read, and the joined errors of the others.
func (v *view) states(ctx context.Context, r store.Reader, timeout time.Duration) ([]backends.State, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if len(v.Names) == 0 {
		states, err := listing.Read(ctx, r)
		return states, unanswered(err, timeout)
	}
	var states []backends.State
	var failed []error
	for _, name := range v.Names {
		state, err := r.Inspect(ctx, name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		state.Resource.Name = name // a name that is not in use may come without
		states = append(states, state)
	}
	return states, unanswered(errors.Join(failed...), timeout)
}

// list writes a line for each holder and each waiter, in their order.
func list(out io.Writer, states []backends.State, now time.Time, show func(string) string) error {
	_, err := io.WriteString(out, text(aligned(rows(states, now, show, math.MaxInt))))
	return printed(err)
}

// text is lines without their styles.
func text(lines []styled) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// rows are the cells of a line for each holder and each waiter, divided by tabs, with a line of
// heads above. Of each name they show so many holders and waiters at most; show is how a name, a
// label and a host are shown.
func rows(states []backends.State, now time.Time, show func(text string) string, most int) []styled {
	if len(states) == 0 {
		return nil
	}
	all := []styled{{"NAME\tKIND\tSTATE\tPERMITS\tTOKEN\tSINCE\tWHO", bold}}
	add := func(s style, format string, cells ...any) {
		all = append(all, styled{fmt.Sprintf(format, cells...), s})
	}
	for _, s := range states {
		r := s.Resource
		name := show(r.Name)
		if len(s.Holders)+len(s.Waiters) == 0 {
			add(plain, "%s\t-\tfree\t-\t%s\t-\t-", name, token(s.Token))
		}
		for _, h := range s.Holders[:min(len(s.Holders), most)] {
			part := permits(r, h.Weight)
			if h.ID == (backends.GrantID{}) {
				add(plain, "%s\t%v\tbusy\t%s\t-\t-\t%s", name, r.Kind, part, foreign(h.Owner))
				continue
			}
			state, whose := holding(h, now)
			add(plain, "%s\t%v\t%s\t%s\t%d\t%s\t%s%s", name, r.Kind, state, part, h.Token, ago(now, h.Since), whose, whoAs(h.Owner, show))
		}
		if more := len(s.Holders) - most; more > 0 {
			add(plain, "%s\t%v\theld\t-\t-\t-\tand %d more", name, r.Kind, more)
		}
		for i, w := range s.Waiters[:min(len(s.Waiters), most)] {
			add(waits, "%s\t%v\twaits, %d.\t%s\t-\t%s\t%v", name, r.Kind, i+1, permits(r, w.Weight), ago(now, w.Since), whoAs(w.Owner, show))
		}
		if more := len(s.Waiters) - most; more > 0 {
			add(waits, "%s\t%v\twaits\t-\t-\t-\tand %d more", name, r.Kind, more)
		}
	}
	return all
}

// holding says what has become of a grant, and what stands before its owner.
func holding(h backends.Holder, now time.Time) (state, whose string) {
	switch {
	case h.Kept > 0:
		return "kept", fmt.Sprintf("until %s, last ", clock(now.Add(h.Kept)))
	case h.Detached:
		return "detached", fmt.Sprintf("until %s, by ", clock(now.Add(h.Expires)))
	}
	return "held", ""
}

// printable quotes what would disturb a terminal or the table.
func printable(s string) string {
	if quoted := fmt.Sprintf("%q", s); quoted != `"`+s+`"` || s == "" || strings.ContainsRune(s, ' ') {
		return quoted
	}
	return s
}

func who(o backends.Owner) string { return whoAs(o, printable) }

func whoAs(o backends.Owner, show func(text string) string) string {
	if o.Label == "" {
		return fmt.Sprintf("pid %d on %s", o.PID, show(o.Host))
	}
	return fmt.Sprintf("%s (pid %d on %s)", show(o.Label), o.PID, show(o.Host))
}

// foreign describes a holder that is no client of the store, such as flock(1).
func foreign(o backends.Owner) string {
	if o.PID == 0 {
		return "another program"
	}
	return fmt.Sprintf("another program (pid %d on %s)", o.PID, printable(o.Host))
}

func token(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func permits(r backends.Resource, weight int64) string {
	switch {
	case r.Kind == backends.ReadWrite && weight == r.Capacity:
		return "write"
	case r.Kind == backends.ReadWrite:
		return "read"
	default:
		return fmt.Sprintf("%d of %d", weight, r.Capacity)
	}
}

func ago(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return max(now.Sub(then), 0).Round(time.Millisecond).String()
}
