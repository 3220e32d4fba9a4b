package file

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

// tableFile is the open file of a table. Its content is read and written only while its kernel lock is held, and each
// change is one write within the first page, or, for a large table, one write behind everything valid and then one of the
// header: a process that is killed in between leaves the old table or the new one.
type tableFile struct {
	fd      int  // -1: not open
	fresh   bool // it was not there before we opened it, and nobody has written to it yet as far as we know
	id      fileID
	entered bool // its name is on the disk; only known with WithSync
	header  header
	raw     []byte // the first page as we read or wrote it last; empty: not known
	buf     []byte
}

func (f *tableFile) close() {
	if f.fd >= 0 {
		closeFile(f.fd)
	}
	*f = tableFile{fd: -1, buf: f.buf}
}

// forget makes the next load read everything anew.
func (f *tableFile) forget() { f.raw = f.raw[:0] }

// openTable opens the table, unless it is open.
func (r *resource) openTable() error {
	if r.table.fd >= 0 {
		return nil
	}
	if err := r.b.dir.intact(); err != nil {
		return err
	}
	fd, id, err := r.b.dir.open(r.stem+tableEnding, false)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		fd, id, err = r.b.dir.open(r.stem+tableEnding, true)
	}
	if err != nil {
		return err
	}
	r.table.fd, r.table.id, r.table.fresh = fd, id, fresh
	r.table.forget()
	return nil
}

// load brings r.tab up to date. It returns errReplaced if the file has lost its name, which it checks when something
// hints at it, and always for a semaphore: its exclusion has nothing else to rest on.
func (r *resource) load() error {
	if err := r.checkFiles(); err != nil {
		return err
	}
	f := &r.table
	if f.buf == nil {
		f.buf = make([]byte, page)
	}
	n, err := readAt(f.fd, f.buf[:page], 0)
	if err != nil {
		return err
	}
	first := f.buf[:n]
	f.fresh = f.fresh && n == 0
	if len(f.raw) > 0 && bytes.Equal(first, f.raw) {
		return nil // as we left it
	}
	f.raw = append(f.raw[:0], first...)
	r.stale = true
	t, err := f.parse()
	switch {
	case err == errCorrupt: //nolint:errorlint // ours, unwrapped
		return r.recover()
	case err != nil:
		f.forget()
		return err
	case t.name != r.name:
		f.forget()
		return fmt.Errorf("%w: it is the table of another name, %q", backends.ErrMismatch, t.name)
	}
	r.tab = t
	return nil
}

func (r *resource) checkFiles() error {
	if r.mustCheck() {
		if err := r.checkTable(); err != nil {
			return err
		}
	}
	if r.needsInbox() {
		return r.ensureInbox()
	}
	return nil
}

// needsInbox reports whether the client must have an inbox in this turn. It must if permits may be
// granted, since others take a client without an inbox for dead and take its permits; and if the
// turn checks the files.
func (r *resource) needsInbox() bool {
	if r.wantsPermits() || slices.ContainsFunc(r.pending, func(m message) bool { return m.verb == verify }) {
		return true
	}
	if r.waiters > 0 {
		for _, p := range r.parts {
			return !onKernel(p.request.Kind) // all requests of a name are of one kind
		}
	}
	return false
}

// ensureInbox makes a new inbox if the client's has lost its name. The table is locked, so no
// process that takes this client for dead changes it now; this turn puts earlier changes right, see
// restore. If no inbox can be made, the client loses its permits.
func (r *resource) ensureInbox() error {
	b := r.b
	err := b.dir.holds(b.dir.inboxOf(b.id), *b.inbox.Load())
	if !gone(err) {
		return err
	}
	if err = b.replaceInbox(); err != nil {
		r.loseSemaphores(err)
	}
	return err
}

// checkTable returns errReplaced if the table has lost its name.
func (r *resource) checkTable() error {
	err := r.b.dir.holds(r.stem+tableEnding, r.table.id)
	if gone(err) {
		r.loseSemaphores(err)
		return errReplaced
	}
	return err
}

func (r *resource) mustCheck() bool {
	if len(r.table.raw) == 0 || r.wantsPermits() {
		return true
	}
	for _, m := range r.pending {
		switch m.verb {
		case look, again, verify, died:
			return true
		}
	}
	return false
}

// wantsPermits reports whether a request for permits of a semaphore is pending.
func (r *resource) wantsPermits() bool {
	for _, m := range r.pending {
		if m.op != nil && m.op.wantsPermits(m.step) {
			return true
		}
	}
	return false
}

// parse reads the table whose first page is raw.
func (f *tableFile) parse() (*table, error) {
	h, err := parseHeader(f.raw)
	if err != nil {
		f.header = header{}
		return nil, err
	}
	f.header = h
	var body []byte
	if end := h.at + h.length; end <= int64(len(f.raw)) {
		body = f.raw[h.at:end]
	} else {
		body = make([]byte, h.length)
		n, err := readAt(f.fd, body, h.at)
		if err != nil {
			return nil, err
		}
		body = body[:n]
	}
	if int64(len(body)) != h.length || crc32.Checksum(body, castagnoli) != h.crc {
		return nil, errCorrupt
	}
	return parseBody(string(body))
}

// recover makes a new table in place of one that is empty or damaged. Tokens go on from what can still be read, above the
// floor of removed names, and from the clock in any case. Live processes put their own lines back when they look: they are told
// to, unless the file is a new one.
func (r *resource) recover() error {
	// Whoever removes a table empties it first, so that those who have it open come here.
	if err := r.checkTable(); err != nil {
		return err
	}
	floor, err := r.b.dir.floor()
	if err != nil {
		r.table.forget()
		return err
	}
	token := max(floor, salvage(r.table.raw, ceiling()))
	r.tab = &table{name: r.name, kind: backends.Mutex, capacity: 1, token: token}
	if !r.table.fresh {
		r.turn.dirty = true
		r.turn.everyone = true
	}
	r.table.fresh = false
	return nil
}

// save writes r.tab if the turn has changed it.
func (r *resource) save() error {
	if !r.turn.dirty {
		return nil
	}
	f := &r.table
	b := f.buf[:headerLength]
	b = r.tab.appendBody(b)
	f.buf = b[:cap(b)]
	body := b[headerLength:]
	h := header{
		version: f.header.version + 1, crc: crc32.Checksum(body, castagnoli),
		at: headerLength, length: int64(len(body)),
	}
	var err error
	if len(b) <= page {
		h.append(b[:0])
		err = f.writeSmall(b)
	} else {
		h.at = f.place(h.length)
		err = f.writeLarge(h, body, r.b.sync)
	}
	if err == nil && r.b.sync {
		err = f.flush(r.b.dir)
	}
	if err != nil {
		f.forget()
		return err
	}
	f.header = h
	r.turn.dirty, r.leftover = false, false
	return nil
}

// flush has the table on the disk, and under its name: whoever made it may not have seen to that.
func (f *tableFile) flush(d *directory) error {
	if err := flush(f.fd); err != nil || f.entered {
		return err
	}
	if err := flushEntries(d.fd); err != nil {
		return err
	}
	f.entered = true
	return nil
}

// writeSmall writes a table that fits in the first page. What a longer one has left behind it is blanked out, for those
// who read the file with cat; it is cut off only when there is much of it, for that is dearer.
func (f *tableFile) writeSmall(b []byte) error {
	const much = 512
	old := len(f.raw)
	if rest := old - len(b); 0 < rest && rest <= much {
		for range rest - 1 {
			b = append(b, ' ')
		}
		b = append(b, '\n')
	}
	f.buf = b[:cap(b)]
	if err := writeAt(f.fd, b, 0); err != nil {
		return err
	}
	f.raw = append(f.raw[:0], b...)
	if old > len(b) {
		return truncate(f.fd, int64(len(b)))
	}
	return nil
}

// place returns where a large body may lie without touching the one that is valid now.
func (f *tableFile) place(length int64) int64 {
	now := f.header
	if now.at < page || page+length <= now.at {
		return page
	}
	return (now.at + now.length + page - 1) / page * page
}

func (f *tableFile) writeLarge(h header, body []byte, sync bool) error {
	if h.length > largestTable {
		return errTooLong
	}
	if err := writeAt(f.fd, body, h.at); err != nil {
		return err
	}
	if sync { // the body must be on the disk before the header that vouches for it
		if err := flush(f.fd); err != nil {
			return err
		}
	}
	if f.header.at >= page && len(f.raw) == page {
		line := h.append(f.raw[:0]) // the rest of the page stays as it is
		return writeAt(f.fd, line, 0)
	}
	// The first page may still hold a small body, valid until the header is replaced: one write does both.
	first := h.append(make([]byte, 0, page))
	for range page - len(first) - 1 {
		first = append(first, ' ')
	}
	first = append(first, '\n')
	if err := writeAt(f.fd, first, 0); err != nil {
		return err
	}
	f.raw = append(f.raw[:0], first...)
	return nil
}
