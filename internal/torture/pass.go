//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/manager"
)

// What the events say of leases that go from process to process.
const (
	detach  = "detached"
	adopted = "adopted"
)

// ticketEnding is that of the files in which tickets lie until a process takes them.
const ticketEnding = ".ticket"

// detach detaches the lease and leaves its ticket to any process.
func (w *worker) detach(a *act, lease *manager.Lease) {
	p := a.parts[0]
	w.log.add(event{Kind: ended, ID: a.id, Name: p.name, Text: detach})
	ticket, err := lease.Detach(w.late)
	if err == nil {
		file := filepath.Join(w.Dir, fmt.Sprintf("%s-%d", w.Process, a.id))
		if os.WriteFile(file, []byte(ticket), 0o600) == nil { // else nobody has the ticket, and the lease runs out
			err = os.Rename(file, file+ticketEnding)
		}
	}
	w.freed(a, errors.Join(err, lease.Release()))
}

// adopt takes a ticket and adopts its lease. If there is no ticket, it uses the name as ever.
func (w *worker) adopt(a *act) error {
	files, err := filepath.Glob(filepath.Join(w.Dir, "*"+ticketEnding))
	if err != nil || len(files) == 0 {
		return w.use(a)
	}
	mine := filepath.Join(w.Dir, fmt.Sprintf("%s-%d.taken", w.Process, w.last.Add(1)))
	if err := os.Rename(files[0], mine); err != nil {
		return w.use(a) // another was faster
	}
	text, err := os.ReadFile(mine)
	if err != nil {
		return err
	}
	a.ticket, a.giveUp = manager.Ticket(text), 0
	w.ask(a)
	lease, err := w.manager.Adopt(w.late, a.ticket)
	if err != nil {
		w.fail(a, err)
		return err
	}
	w.grant(a, lease)
	w.hold(a, lease)
	return nil
}

// lead stands for leader once. Each term is a lease of its own.
func (w *worker) lead(a *act) error {
	ctx, cancel := context.WithCancel(w.late)
	defer cancel()
	w.ask(a)
	err := w.manager.Election(leader.name).Lead(ctx, func(ctx context.Context, term uint64) error {
		lease := manager.LeaseFrom(ctx)
		if lease.Token() != term {
			panic("bug: the term is not the token of its lease")
		}
		w.grant(a, lease)
		if !w.keep(a, lease) {
			w.log.add(event{Kind: ended, At: history.Now(), ID: a.id, Name: leader.name, Text: "released"})
			return nil
		}
		next := *a // it stands again
		w.ask(&next)
		*a = next
		return nil
	})
	if err != nil {
		w.fail(a, err)
		return err
	}
	w.freed(a, nil)
	return nil
}
