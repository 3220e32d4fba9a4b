package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/internal/listing"
)

type showCmd struct {
	Store string `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	JSON  bool   `name:"json" help:"Write one JSON object instead of text."`
	Name  string `arg:"" help:"The name of the lock: 1 to 1024 bytes."`
}

// Help is shown by show --help.
func (*showCmd) Help() string {
	return "Exit status: 0 if the lock is held or kept (run --at-least), 1 if nothing holds it, 64 and more if it could not be read."
}

// Run shows all that the store knows of a name. The status tells whether it is held.
func (c *showCmd) Run(s streams) exitCode {
	v := view{Store: c.Store, Names: []string{c.Name}}
	code := exitOK
	err := v.read(func(r store.Reader, where store.Store, timeout time.Duration) error {
		states, err := v.states(context.Background(), r, timeout)
		if err != nil {
			return err
		}
		if len(states[0].Holders) == 0 {
			code = exitFree
		}
		if c.JSON {
			return printed(listing.Write(s.out, listing.OneOf(where.String(), time.Now(), &states[0])))
		}
		return show(s.out, where, states[0], time.Now(), pageOf(s.out).shown())
	})
	if err != nil {
		return s.fail(err)
	}
	return code
}

// show writes a name for people: what it is, its holders, and its queue in order.
func show(out io.Writer, where store.Store, state backends.State, now time.Time, shown func(string) string) error {
	all := text(aligned(about(where, state, shown)))
	if len(state.Holders) > 0 {
		all += "\n" + text(aligned(holders(state, now, shown)))
	}
	if len(state.Waiters) > 0 {
		all += "\n" + text(aligned(waiters(state, now, shown)))
	}
	_, err := io.WriteString(out, all)
	return printed(err)
}

// about is what a name is.
func about(where store.Store, state backends.State, shown func(string) string) []styled {
	r := state.Resource
	lines := []styled{row("name\t%s", shown(r.Name)), row("store\t%v", where)}
	if r.Kind == 0 {
		lines = append(lines, row("state\tfree"))
	} else {
		lines = append(lines, row("kind\t%v", r.Kind), row("capacity\t%s", capacity(r)), row("state\t%s", inUse(state)))
	}
	return append(lines, row("last token\t%s", token(state.Token)))
}

func row(format string, cells ...any) styled { return styled{fmt.Sprintf(format, cells...), plain} }

func holders(state backends.State, now time.Time, shown func(string) string) []styled {
	lines := []styled{row("HOLDER\tPID\tHOST\tPERMITS\tSINCE\tFOR\tREMAINING\tTOKEN")}
	for _, h := range state.Holders {
		remaining := "-"
		switch {
		case h.Detached:
			remaining = "detached until " + clock(now.Add(h.Expires))
		case h.Expires > 0:
			remaining = h.Expires.Round(time.Millisecond).String()
		case h.Kept > 0:
			remaining = "kept until " + clock(now.Add(h.Kept))
		}
		lines = append(lines, row("%s\t%s\t%s\t%s\t%s\t%s", person(h.Owner, h.ID, shown), permits(state.Resource, h.Weight),
			clock(h.Since), ago(now, h.Since), remaining, token(h.Token)))
	}
	return lines
}

func waiters(state backends.State, now time.Time, shown func(string) string) []styled {
	lines := []styled{row("WAITER\tPID\tHOST\tPERMITS\tSINCE\tFOR")}
	for i, w := range state.Waiters {
		lines = append(lines, row("%d. %s\t%s\t%s\t%s", i+1, person(w.Owner, w.ID, shown), permits(state.Resource, w.Weight),
			clock(w.Since), ago(now, w.Since)))
	}
	return lines
}

// capacity says how many may hold a name at a time.
func capacity(r backends.Resource) string {
	if r.Kind == backends.ReadWrite {
		return "readers, or one writer"
	}
	return fmt.Sprint(r.Capacity)
}

// inUse says how much of a name is held, and how many processes wait.
func inUse(state backends.State) string {
	held, word := int64(0), "kept"
	for _, h := range state.Holders {
		held += h.Weight
		switch {
		case h.Detached && word == "kept":
			word = "detached"
		case h.Kept == 0 && !h.Detached:
			word = "held"
		}
	}
	text := "free"
	if len(state.Holders) > 0 {
		text = word + ", " + permits(state.Resource, held)
	}
	if state.Resource.Kind == backends.ReadWrite && held > 0 && held < state.Resource.Capacity {
		text = fmt.Sprintf("%s, readers: %d", word, held)
	}
	return fmt.Sprintf("%s, %d waiting", text, len(state.Waiters))
}

// person returns the cells for label, process and host. A client of the store has a grant's number.
func person(o backends.Owner, id backends.GrantID, text func(string) string) string {
	label, pid, host := text(o.Label), fmt.Sprint(o.PID), text(o.Host)
	if id == (backends.GrantID{}) {
		label = "another program"
	} else if o.Label == "" {
		label = "-"
	}
	if o.PID == 0 {
		pid = "-"
	}
	if o.Host == "" {
		host = "-"
	}
	return label + "\t" + pid + "\t" + host
}

// clock is a time of the store, in the time zone of this machine.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}
