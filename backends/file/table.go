package file

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

// table is what a name's table file says: the truth about one resource that all its processes share. Whoever
// reads or changes it holds the table file's kernel lock.
type table struct {
	name     string
	kind     backends.Kind // as of the last use; binding only while the resource is in use
	capacity int64
	token    uint64 // the last one given out
	holders  []entry
	waiters  []entry // first come, first served
}

// entry is a line of the table: a grant or a ticket.
type entry struct {
	id     backends.GrantID
	weight int64
	token  uint64 // the first of the grant; 0 for a ticket
	broken bool   // a grant that Break has ended; the line stays until its process has taken note
	line   string // as in the file, but for the first word and the end
}

// used reports whether anybody holds or waits, so that kind and capacity bind.
func (t *table) used() bool { return len(t.holders)+len(t.waiters) > 0 }

// free returns how many permits are not held.
func (t *table) free() int64 {
	n := t.capacity
	for i := range t.holders {
		if !t.holders[i].broken {
			n -= t.holders[i].weight
		}
	}
	return n
}

// sole returns the line of a client other than me that holds all of a mutex or reader-writer lock, or -1. The kernel knows
// better than such a line: its holder may have released and left it, see resource.releaseSole.
func (t *table) sole(me uint64) int {
	if !onKernel(t.kind) {
		return -1
	}
	return slices.IndexFunc(t.holders, func(e entry) bool {
		return e.weight == t.capacity && !e.broken && e.id.Client != me
	})
}

func find(es []entry, id backends.GrantID) int {
	return slices.IndexFunc(es, func(e entry) bool { return e.id == id })
}

// drop removes the entry with that id, and returns where it was, or -1.
func drop(es *[]entry, id backends.GrantID) int {
	i := find(*es, id)
	if i >= 0 {
		*es = slices.Delete(*es, i, i+1)
	}
	return i
}

// dropClient removes every line of a client, and reports whether there was one.
func (t *table) dropClient(client uint64) bool {
	before := len(t.holders) + len(t.waiters)
	gone := func(e entry) bool { return e.id.Client == client }
	t.holders = slices.DeleteFunc(t.holders, gone)
	t.waiters = slices.DeleteFunc(t.waiters, gone)
	return len(t.holders)+len(t.waiters) < before
}

// clients returns everybody in the table but me, each once.
func (t *table) clients(me uint64) []uint64 {
	var ids []uint64
	for _, es := range [...][]entry{t.holders, t.waiters} {
		for i := range es {
			if c := es[i].id.Client; c != me && !slices.Contains(ids, c) {
				ids = append(ids, c)
			}
		}
	}
	return ids
}

// contended reports whether a client other than me waits.
func (t *table) contended(me uint64) bool {
	for i := range t.waiters {
		if t.waiters[i].id.Client != me {
			return true
		}
	}
	return false
}

// blockers appends to ids the clients whose death could let the first ticket of me move up: of a ticket that has others
// before it, the client of the last of those; of the first in the queue, all holders.
// Each process so watches few others, and one death wakes few processes.
func (t *table) blockers(me uint64, ids []uint64) []uint64 {
	mine := slices.IndexFunc(t.waiters, func(e entry) bool { return e.id.Client == me })
	if mine < 0 {
		return ids
	}
	if mine > 0 {
		return append(ids, t.waiters[mine-1].id.Client)
	}
	for i := range t.holders {
		if c := t.holders[i].id.Client; c != me && !slices.Contains(ids, c) {
			ids = append(ids, c)
		}
	}
	return ids
}
