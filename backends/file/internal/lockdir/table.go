package lockdir

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Table is what a name's table file says: the truth about one resource that all its processes share. Whoever
// reads or changes it holds the table file's kernel lock.
type Table struct {
	Name     string
	Kind     backends.Kind // as of the last use; binding only while the resource is in use
	Capacity int64
	Token    uint64 // the last one given out
	Holders  []Entry
	Waiters  []Entry // first come, first served
}

// Entry is a line of the table: a grant or a ticket.
type Entry struct {
	ID     backends.GrantID
	Weight int64
	Token  uint64 // the first of the grant; 0 for a ticket
	Broken bool   // a grant that Break has ended; the line stays until its process has taken note
	Keep   *Keep  // until when its permits stay taken; nil: as long as it is held
	Kept   bool   // a grant that has ended; the line stays until its Keep is over
	line   string // as in the file, but for the first word and the end
}

// Used reports whether anybody holds or waits, so that kind and capacity bind.
func (t *Table) Used() bool { return len(t.Holders)+len(t.Waiters) > 0 }

// Free returns how many permits are not held.
func (t *Table) Free() int64 {
	n := t.Capacity
	for i := range t.Holders {
		if !t.Holders[i].Broken {
			n -= t.Holders[i].Weight
		}
	}
	return n
}

// Sole returns the line of a client other than me that holds all of a mutex or reader-writer lock, or -1. The kernel knows
// better than such a line: its holder may have released and left it, see resource.releaseSole.
func (t *Table) Sole(me uint64) int {
	if !OnKernel(t.Kind) {
		return -1
	}
	return slices.IndexFunc(t.Holders, func(e Entry) bool {
		return e.Weight == t.Capacity && !e.Broken && !e.Kept && e.ID.Client != me
	})
}

// Find returns where the entry with that id is, or -1.
func Find(es []Entry, id backends.GrantID) int {
	return slices.IndexFunc(es, func(e Entry) bool { return e.ID == id })
}

// Drop removes the entry with that id, and returns where it was, or -1.
func Drop(es *[]Entry, id backends.GrantID) int {
	i := Find(*es, id)
	if i >= 0 {
		*es = slices.Delete(*es, i, i+1)
	}
	return i
}

// DropClient removes every line of a client that has ended, or marks it as kept, and reports whether
// there was one. Lines that are kept already are nobody's.
func (t *Table) DropClient(client uint64) (found bool) {
	gone := func(e Entry) bool { return e.ID.Client == client && !e.Kept }
	found = slices.ContainsFunc(t.Holders, gone) || slices.ContainsFunc(t.Waiters, gone)
	if t.Keeps() {
		c := Now()
		for i := range t.Holders {
			if e := &t.Holders[i]; gone(*e) {
				e.Leave(c)
			}
		}
	}
	t.Holders = slices.DeleteFunc(t.Holders, gone)
	t.Waiters = slices.DeleteFunc(t.Waiters, gone)
	return found
}

// Clients returns everybody in the table but me, each once.
func (t *Table) Clients(me uint64) []uint64 {
	var ids []uint64
	for _, es := range [...][]Entry{t.Holders, t.Waiters} {
		for i := range es {
			if c := es[i].ID.Client; c != me && !es[i].Kept && !slices.Contains(ids, c) {
				ids = append(ids, c)
			}
		}
	}
	return ids
}

// Contended reports whether a client other than me waits.
func (t *Table) Contended(me uint64) bool {
	for i := range t.Waiters {
		if t.Waiters[i].ID.Client != me {
			return true
		}
	}
	return false
}

// Blockers appends to ids the clients whose death could let the first ticket of me move up: of a ticket that has others
// before it, the client of the last of those; of the first in the queue, all holders.
// Each process so watches few others, and one death wakes few processes.
func (t *Table) Blockers(me uint64, ids []uint64) []uint64 {
	mine := slices.IndexFunc(t.Waiters, func(e Entry) bool { return e.ID.Client == me })
	if mine < 0 {
		return ids
	}
	if mine > 0 {
		return append(ids, t.Waiters[mine-1].ID.Client)
	}
	for i := range t.Holders {
		if c := t.Holders[i].ID.Client; c != me && !t.Holders[i].Kept && !slices.Contains(ids, c) {
			ids = append(ids, c)
		}
	}
	return ids
}

// OnKernel reports whether grants of that kind rest on the kernel's lock. Permits of a semaphore cannot.
func OnKernel(k backends.Kind) bool { return k != backends.Semaphore }
