package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

const (
	opGrant = "grant"
	opEnd   = "end"
	opDied  = "died"
)

// line is one line of a file.
type line struct {
	Op       string `json:"op"`
	Process  string `json:"process"`
	ID       uint64 `json:"id"`
	At       int64  `json:"at"`
	Name     string `json:"name"` // of the resource; died: of the process
	Holder   string `json:"holder"`
	Capacity int64  `json:"capacity"`
	Weight   int64  `json:"weight"`
	Token    uint64 `json:"token"`
	Asked    int64  `json:"asked"`
}

// End says how it is known that a holder held no longer.
type End string

// The ends of a grant.
const (
	Released End = "released" // its holder said so
	Died     End = "died"     // its process was killed
	Open     End = "open"     // not known: it counts as held for ever
)

// Event is one grant with its interval, in nanoseconds of the host's monotonic clock.
type Event struct {
	Grant
	Process string
	From    int64 // Acquire had returned
	To      int64 // the release had not begun; math.MaxInt64 if open
	End     End
}

func (e Event) String() string {
	return fmt.Sprintf("%s/%s holds %d of %d of %q, token %d, from %d to %d (%s)",
		e.Process, e.Holder, e.Weight, e.Capacity, e.Name, e.Token, e.From, e.To, e.End)
}

type key struct {
	process string
	id      uint64
}

// Read puts together what the processes recorded. A line that breaks off at the end of its reader is what a killed
// process did not finish: it is left out. Any other line that makes no sense is an error.
func Read(rs ...io.Reader) ([]Event, error) {
	var all []line
	for i, r := range rs {
		if err := readLines(r, func(l line) { all = append(all, l) }); err != nil {
			return nil, fmt.Errorf("history %d: %w", i+1, err)
		}
	}
	events := make([]Event, 0, len(all)/2)
	where := make(map[key]int, len(all)/2)
	ends := make(map[key]int64, len(all)/2)
	died := make(map[string]int64)
	for _, l := range all {
		k := key{l.Process, l.ID}
		switch l.Op {
		case opGrant:
			if _, twice := where[k]; twice {
				return nil, fmt.Errorf("history: process %q has two grants of number %d: are there two processes of this name?", l.Process, l.ID)
			}
			where[k] = len(events)
			events = append(events, Event{
				Grant:   Grant{l.Name, l.Capacity, l.Weight, l.Token, l.Holder, l.Asked},
				Process: l.Process, From: l.At, To: math.MaxInt64, End: Open,
			})
		case opEnd:
			ends[k] = l.At
		case opDied:
			died[l.Name] = l.At
		}
	}
	for k, i := range where {
		e := &events[i]
		if at, ok := ends[k]; ok {
			e.To, e.End = at, Released
		} else if at, ok := died[k.process]; ok {
			// It was granted while somebody was about to kill its process: it lived that long.
			e.To, e.End = max(at, e.From), Died
		}
		delete(ends, k)
	}
	for k := range ends {
		return nil, fmt.Errorf("history: process %q ends a grant of number %d that it never had", k.process, k.id)
	}
	return events, nil
}

func readLines(r io.Reader, each func(line)) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // text, if any, broke off
		}
		if err != nil {
			return err
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("line %d, %q: %w", n, bytes.TrimSpace(text), err)
		}
		if l.Op != opGrant && l.Op != opEnd && l.Op != opDied {
			return fmt.Errorf("line %d: unknown operation %q", n, l.Op)
		}
		each(l)
	}
}

// ReadFiles is Read of files.
func ReadFiles(paths ...string) ([]Event, error) {
	var rs []io.Reader
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		defer f.Close()
		rs = append(rs, f)
	}
	return Read(rs...)
}

// Events returns what was recorded in the buffer.
func (b *Buffer) Events() ([]Event, error) { return Read(bytes.NewReader(b.Bytes())) }
