package history

import (
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
)

// Grant is what a holder knows when its Acquire has returned.
type Grant struct {
	Name     string // of the resource, valid UTF-8
	Capacity int64
	Weight   int64
	Token    uint64
	Holder   string // who holds, within the process: a goroutine
	Asked    int64  // Now before Acquire was called; 0 if unknown
}

// Recorder writes a process's part of a history. It is safe for concurrent use. A line is one Write and allocates nothing: with
// a file, a grant and its end together cost a few microseconds, mostly the kernel's.
type Recorder struct {
	w       io.Writer
	process []byte // quoted
	last    atomic.Uint64
	failure atomic.Pointer[error]
}

// NewRecorder returns the recorder of one process, which no other process may be called: a process that takes another's
// place needs a name of its own. Write is called by several goroutines at a time and must take a line whole, as an
// *os.File and a [Buffer] do.
func NewRecorder(w io.Writer, process string) *Recorder {
	return &Recorder{w: w, process: appendQuoted(nil, process)}
}

// Hold is a recorded grant that has not ended. The zero Hold is that of a nil Recorder, and does nothing.
type Hold struct {
	r  *Recorder
	id uint64
}

var lines = sync.Pool{New: func() any { return new([]byte) }}

// Granted records that g is held from now on. Call it as soon as Acquire has returned. On a nil Recorder it does nothing.
func (r *Recorder) Granted(g Grant) Hold {
	if r == nil {
		return Hold{}
	}
	at := Now()
	h := Hold{r, r.last.Add(1)}
	r.write(opGrant, h.id, at, &g)
	return h
}

// Ended records that the grant is held no more. Call it right before Release, or when the holder has learned that it lost
// the grant and has stopped to rely on it.
func (h Hold) Ended() {
	if h.r != nil {
		h.r.write(opEnd, h.id, Now(), nil)
	}
}

// Died records that the named process, of another recorder, holds nothing from now on. Call it right before the
// process is killed.
func (r *Recorder) Died(process string) {
	r.write(opDied, 0, Now(), &Grant{Name: process})
}

// Err returns the first error of writing. A history with a hole may hide a fault or show one that is none.
func (r *Recorder) Err() error {
	if err := r.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *Recorder) write(op string, id uint64, at int64, g *Grant) {
	buf := lines.Get().(*[]byte)
	b := append((*buf)[:0], `{"op":"`...)
	b = append(b, op...)
	b = append(b, `","process":`...)
	b = append(b, r.process...)
	b = appendNumber(b, "id", int64(id))
	b = appendNumber(b, "at", at)
	if g != nil {
		b = append(b, `,"name":`...)
		b = appendQuoted(b, g.Name)
	}
	if op == opGrant {
		b = append(b, `,"holder":`...)
		b = appendQuoted(b, g.Holder)
		b = appendNumber(b, "capacity", g.Capacity)
		b = appendNumber(b, "weight", g.Weight)
		b = append(b, `,"token":`...)
		b = strconv.AppendUint(b, g.Token, 10)
		b = appendNumber(b, "asked", g.Asked)
	}
	b = append(b, "}\n"...)
	if _, err := r.w.Write(b); err != nil {
		failure := err // so that only a failure is allocated
		r.failure.CompareAndSwap(nil, &failure)
	}
	*buf = b
	lines.Put(buf)
}

func appendNumber(b []byte, key string, n int64) []byte {
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":`...)
	return strconv.AppendInt(b, n, 10)
}

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string can always be marshalled
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// Buffer is a place for the history of one process, in its memory. The zero Buffer is empty and ready for use. It is safe
// for concurrent use. (A mutex, not an actor: it has no life of its own, and its users must wait for it.)
type Buffer struct {
	mu   sync.Mutex
	data []byte
}

// Write appends lines.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	return len(p), nil
}

// Bytes returns what was written so far.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data[:len(b.data):len(b.data)]
}
