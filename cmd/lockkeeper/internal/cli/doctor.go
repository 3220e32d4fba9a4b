package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

type doctorCmd struct {
	Store   string        `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Repair  bool          `help:"Mend all faults that can be mended while the store is in use (directories only)."`
	Idle    time.Duration `help:"Names that nobody has used for this long count as out of use; a repair removes their files." default:"1h" placeholder:"DURATION"`
	Timeout time.Duration `help:"How long it may take in all." default:"1m" placeholder:"DURATION"`
}

// Run looks at the store and says what it found.
func (d *doctorCmd) Run(s streams) exitCode {
	if d.Idle < 0 || d.Timeout <= 0 {
		s.warn("--idle must not be negative, and --timeout must be positive")
		return exitUsage
	}
	where, err := store.Parse(d.Store)
	if err != nil {
		return s.fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.Timeout)
	defer cancel()
	var mended, left []backends.Finding
	if d.Repair {
		mended, left, err = store.Repair(ctx, where, d.Idle)
	} else {
		left, err = store.Check(ctx, where, d.Idle)
	}
	said := tell(s.out, where, mended, left, err == nil)
	switch {
	case said != nil:
		return s.fail(errors.Join(said, err))
	case err != nil:
		return s.fail(unanswered(err, d.Timeout))
	case backends.Worst(left) > backends.Note:
		return exitFound
	}
	return exitOK
}

// tell writes findings for people, or that there is nothing to mend if all was looked at.
func tell(w io.Writer, where store.Store, mended, left []backends.Finding, all bool) error {
	out := bufio.NewWriter(w)
	if len(mended)+len(left) > 0 {
		fmt.Fprintf(out, "%v\n", where)
	}
	for _, f := range mended {
		fmt.Fprintf(out, "mended   %s: %s\n", f.Topic, f.What)
	}
	for _, f := range left {
		fmt.Fprintf(out, "%-8v %s: %s\n", f.Level, f.Topic, f.What)
		if f.Means != "" {
			fmt.Fprintf(out, "         for locks: %s\n", f.Means)
		}
		if f.Mend != "" {
			fmt.Fprintf(out, "         to mend it: %s\n", f.Mend)
		}
	}
	if all && backends.Worst(left) == backends.OK && len(mended) == 0 {
		fmt.Fprintf(out, "%v: nothing to mend\n", where)
	}
	return printed(out.Flush())
}
