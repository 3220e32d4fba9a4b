//go:build linux

package torture

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

// kind says what an event is.
type kind string

// The kinds of events of a worker.
const (
	asked    kind = "asked"    // an acquire begins; one event for each name
	failed   kind = "failed"   // it has failed; Text: busy, cancelled, stuck, unavailable, or the error
	granted  kind = "granted"  // it has returned; one event for each name
	looked   kind = "looked"   // the holder has seen that the lease is valid, until Until
	wrote    kind = "wrote"    // the holder has written to the register; Text: ok, refused, stale
	told     kind = "told"     // the context of the lease has ended by a loss
	ended    kind = "ended"    // the holder relies on it no longer; Text: released, lost, detached
	freed    kind = "freed"    // Release has returned; Text: ok, lost, unavailable
	placed   kind = "placed"   // a request of the store's client was granted: see watch.go
	detached kind = "detached" // a lease was detached, and its ticket is ready
	late     kind = "late"     // a timer of the process was late by Until-At
	closed   kind = "closed"   // the manager was closed; Text: ok, or what was left
)

// The kinds of events of the director.
const (
	died    kind = "died"    // the process is about to be killed
	fault   kind = "fault"   // a fault, from At to Until; Name: its name; Text: of whom
	kept    kind = "kept"    // the store, asked from From to At, keeps a grant of a process (Text) until Until at most
	harvest kind = "harvest" // something was found at the end that should not be; Text
)

// event is a line of a file. What an event does not have is zero.
type event struct {
	At      int64  `json:"t"` // nanoseconds of the host's monotonic clock
	Kind    kind   `json:"k"`
	Process string `json:"p"`
	ID      int64  `json:"i,omitempty"` // of the acquire, in the process
	Name    string `json:"n,omitempty"`
	Cap     int64  `json:"c,omitempty"`
	Weight  int64  `json:"w,omitempty"`
	Token   uint64 `json:"o,omitempty"`
	Try     bool   `json:"y,omitempty"`
	From    int64  `json:"f,omitempty"` // when it began
	Mid     int64  `json:"m,omitempty"` // placed: the request stood in the queue
	Until   int64  `json:"u,omitempty"`
	Text    string `json:"x,omitempty"`
}

// String shows the event with its time in milliseconds since the start.
func (e event) show(start int64) string {
	ms := func(at int64) string { return fmt.Sprintf("%.3f", float64(at-start)/1e6) }
	var b strings.Builder
	fmt.Fprintf(&b, "%10s ms  %-6s %-8s", ms(e.At), e.Process, e.Kind)
	if e.ID != 0 {
		fmt.Fprintf(&b, " #%d", e.ID)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, " %s", e.Name)
	}
	if e.Weight != 0 {
		fmt.Fprintf(&b, " %d/%d", e.Weight, e.Cap)
	}
	if e.Token != 0 {
		fmt.Fprintf(&b, " token %d", e.Token)
	}
	if e.From != 0 {
		fmt.Fprintf(&b, " from %s", ms(e.From))
	}
	if e.Mid != 0 {
		fmt.Fprintf(&b, " queued %s", ms(e.Mid))
	}
	if e.Until != 0 {
		fmt.Fprintf(&b, " until %s", ms(e.Until))
	}
	if e.Text != "" {
		fmt.Fprintf(&b, " %s", e.Text)
	}
	return b.String()
}

// log is the file of one process. Each event is one write: what was written before the process was
// killed is in the file.
type log struct {
	process string
	f       *os.File

	mu  sync.Mutex
	err error
}

func newLog(dir, process string) (*log, error) {
	f, err := os.OpenFile(filepath.Join(dir, process+logEnding), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &log{process: process, f: f}, nil
}

const logEnding = ".events"

// add appends an event, of now unless it has a time.
func (l *log) add(e event) {
	if e.At == 0 {
		e.At = history.Now()
	}
	e.Process = l.process
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.f.Write(append(line, '\n'))
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.err = err
	}
}

func (l *log) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.f.Close())
}

// readEvents returns the events of all files in a directory, by time. A line that breaks off is what
// a killed process did not finish.
func readEvents(dir string) ([]event, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+logEnding))
	if err != nil {
		return nil, err
	}
	var all []event
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		all, err = readFile(all, f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.At, b.At) })
	return all, nil
}

func readFile(to []event, r io.Reader) ([]event, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return to, nil
		}
		if err != nil {
			return nil, err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%q: %w", bytes.TrimSpace(line), err)
		}
		to = append(to, e)
	}
}
