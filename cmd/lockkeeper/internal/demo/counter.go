package demo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrFenced says that a counter was written under a larger token already: whoever gets this held its lock no longer.
var ErrFenced = errors.New("stale token: the counter was written under a later one")

const (
	word        = 8
	counterSize = 2 * word
	recordSize  = 4 * word
	private     = 0o600
)

// count is what a counter's file says: how often it was counted, and under which token last.
type count struct {
	value, token uint64
}

// record is one write to a counter.
type record struct {
	name     uint64 // its number
	value    uint64 // that was written
	token    uint64 // of the writer
	previous uint64 // token of the write before
}

// counters are the files of a demo's counters, as one process sees them.
type counters struct {
	files []*os.File
	log   *os.File // what this process has written
}

func counterPath(dir string, name int) string {
	return filepath.Join(dir, fmt.Sprintf("counter-%d", name))
}

func recordsPath(dir, process string) string { return filepath.Join(dir, "records-"+process) }
func historyPath(dir, process string) string { return filepath.Join(dir, "history-"+process+".jsonl") }

func createCounters(dir string, names int) error {
	for i := range names {
		if err := os.WriteFile(counterPath(dir, i), make([]byte, counterSize), private); err != nil {
			return err
		}
	}
	return nil
}

func openCounters(dir, process string, names int) (*counters, error) {
	c := &counters{}
	for i := range names {
		f, err := os.OpenFile(counterPath(dir, i), os.O_RDWR, 0)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.files = append(c.files, f)
	}
	log, err := os.OpenFile(recordsPath(dir, process), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, private)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.log = log
	return c, nil
}

func (c *counters) close() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	return errors.Join(errs...)
}

// add counts one, in two steps that only the lock holds together. It refuses a token smaller than the last one.
func (c *counters) add(name int, token uint64) error {
	was, err := readCount(c.files[name])
	if err != nil {
		return err
	}
	if token < was.token {
		return ErrFenced
	}
	var buf [counterSize]byte
	binary.LittleEndian.PutUint64(buf[:], was.value+1)
	binary.LittleEndian.PutUint64(buf[word:], token)
	if _, err := c.files[name].WriteAt(buf[:], 0); err != nil {
		return err
	}
	return c.note(record{uint64(name), was.value + 1, token, was.token})
}

func readCount(r io.ReaderAt) (count, error) {
	var buf [counterSize]byte
	if _, err := r.ReadAt(buf[:], 0); err != nil {
		return count{}, err
	}
	return count{binary.LittleEndian.Uint64(buf[:]), binary.LittleEndian.Uint64(buf[word:])}, nil
}

// note appends a record in one write, so that a kill leaves it whole or not at all.
func (c *counters) note(r record) error {
	var buf [recordSize]byte
	for i, n := range []uint64{r.name, r.value, r.token, r.previous} {
		binary.LittleEndian.PutUint64(buf[i*word:], n)
	}
	_, err := c.log.Write(buf[:])
	return err
}

// readRecords returns what a process has written; a last record that breaks off is left out.
func readRecords(path string) ([]record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []record
	for ; len(data) >= recordSize; data = data[recordSize:] {
		at := func(i int) uint64 { return binary.LittleEndian.Uint64(data[i*word:]) }
		all = append(all, record{at(0), at(1), at(2), at(3)})
	}
	return all, nil
}
