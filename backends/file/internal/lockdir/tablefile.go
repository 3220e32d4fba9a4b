package lockdir

import (
	"bytes"
	"errors"
	"io/fs"
)

// TableFile is the open file of a table. Its content is read and written only while its kernel lock is held, and each
// change is one write within the first page, or, for a large table, one write behind everything valid and then one of the
// header: a process that is killed in between leaves the old table or the new one.
type TableFile struct {
	FD      int  // -1: not open
	Fresh   bool // it was not there before we opened it, and nobody has written to it yet as far as we know
	ID      FileID
	entered bool // its name is on the disk; only known with WithSync
	header  header
	raw     []byte // the first page as we read or wrote it last; empty: not known
	buf     []byte
}

// Close closes the file, which unlocks it.
func (f *TableFile) Close() {
	if f.FD >= 0 {
		CloseFile(f.FD)
	}
	*f = TableFile{FD: -1, buf: f.buf}
}

// Forget makes the next load read everything anew.
func (f *TableFile) Forget() { f.raw = f.raw[:0] }

// Open opens the table of a stem, unless it is open.
func (f *TableFile) Open(d *Dir, stem string) error {
	if f.FD >= 0 {
		return nil
	}
	if err := d.Intact(); err != nil {
		return err
	}
	fd, id, err := d.Open(stem+TableEnding, false)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		fd, id, err = d.Open(stem+TableEnding, true)
	}
	if err != nil {
		return err
	}
	f.FD, f.ID, f.Fresh = fd, id, fresh
	f.Forget()
	return nil
}

// Known reports whether the table was read or written since it was opened.
func (f *TableFile) Known() bool { return len(f.raw) > 0 }

// Unchanged reads the first page, and reports whether it is as it was read or written last.
func (f *TableFile) Unchanged() (bool, error) {
	if f.buf == nil {
		f.buf = make([]byte, Page)
	}
	n, err := readAt(f.FD, f.buf[:Page], 0)
	if err != nil {
		return false, err
	}
	f.buf = f.buf[:n]
	f.Fresh = f.Fresh && n == 0
	return f.Known() && bytes.Equal(f.buf, f.raw), nil
}

// Read reads the table whose first page unchanged has read.
func (f *TableFile) Read() (*Table, error) {
	f.raw = append(f.raw[:0], f.buf...)
	return f.parse()
}

// ReadTable reads an open table, and returns its first page too.
func ReadTable(fd int) (*Table, []byte, error) {
	f := TableFile{FD: fd}
	if _, err := f.Unchanged(); err != nil {
		return nil, nil, err
	}
	t, err := f.Read()
	return t, f.raw, err
}

// Salvage returns the last token that a damaged table seems to tell of.
func (f *TableFile) Salvage() uint64 { return salvage(f.raw, ceiling()) }

// parse reads the table whose first page is raw.
func (f *TableFile) parse() (*Table, error) {
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
		n, err := readAt(f.FD, body, h.at)
		if err != nil {
			return nil, err
		}
		body = body[:n]
	}
	if int64(len(body)) != h.length || checksum(body) != h.crc {
		return nil, ErrCorrupt
	}
	return parseBody(string(body))
}

// Write writes the table. With sync it is on the disk when write returns.
func (f *TableFile) Write(t *Table, d *Dir, sync bool) error {
	b := t.appendBody(f.buf[:headerLength])
	f.buf = b[:cap(b)]
	body := b[headerLength:]
	h := header{
		version: f.header.version + 1, crc: checksum(body),
		at: headerLength, length: int64(len(body)),
	}
	var err error
	if len(b) <= Page {
		h.append(b[:0])
		err = f.writeSmall(b)
	} else {
		h.at = f.place(h.length)
		err = f.writeLarge(h, body, sync)
	}
	if err == nil && sync {
		err = f.flush(d)
	}
	if err != nil {
		f.Forget()
		return err
	}
	f.header = h
	return nil
}

// flush has the table on the disk, and under its name: whoever made it may not have seen to that.
func (f *TableFile) flush(d *Dir) error {
	if err := flush(f.FD); err != nil || f.entered {
		return err
	}
	if err := flushEntries(d.FD); err != nil {
		return err
	}
	f.entered = true
	return nil
}

// writeSmall writes a table that fits in the first page. What a longer one has left behind it is blanked out, for those
// who read the file with cat; it is cut off only when there is much of it, for that is dearer.
func (f *TableFile) writeSmall(b []byte) error {
	const much = 512
	old := len(f.raw)
	if rest := old - len(b); 0 < rest && rest <= much {
		for range rest - 1 {
			b = append(b, ' ')
		}
		b = append(b, '\n')
	}
	f.buf = b[:cap(b)]
	if err := writeAt(f.FD, b, 0); err != nil {
		return err
	}
	f.raw = append(f.raw[:0], b...)
	if old > len(b) {
		return Truncate(f.FD, int64(len(b)))
	}
	return nil
}

// place returns where a large body may lie without touching the one that is valid now.
func (f *TableFile) place(length int64) int64 {
	now := f.header
	if now.at < Page || Page+length <= now.at {
		return Page
	}
	return (now.at + now.length + Page - 1) / Page * Page
}

func (f *TableFile) writeLarge(h header, body []byte, sync bool) error {
	if h.length > largestTable {
		return errTooLong
	}
	if err := writeAt(f.FD, body, h.at); err != nil {
		return err
	}
	if sync { // the body must be on the disk before the header that vouches for it
		if err := flush(f.FD); err != nil {
			return err
		}
	}
	if f.header.at >= Page && len(f.raw) == Page {
		line := h.append(f.raw[:0]) // the rest of the page stays as it is
		return writeAt(f.FD, line, 0)
	}
	// The first page may still hold a small body, valid until the header is replaced: one write does both.
	first := h.append(make([]byte, 0, Page))
	for range Page - len(first) - 1 {
		first = append(first, ' ')
	}
	first = append(first, '\n')
	if err := writeAt(f.FD, first, 0); err != nil {
		return err
	}
	f.raw = append(f.raw[:0], first...)
	return nil
}
