package history_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestRecordedIsRead(t *testing.T) {
	var buf history.Buffer
	r := history.NewRecorder(&buf, `process "1" ☂`)
	want := history.Grant{Name: "a\n\"b\"\\☂", Capacity: 9, Weight: 3, Token: 1<<64 - 1, Holder: "h\x01", Asked: history.Now()}
	h := r.Granted(want)
	open := r.Granted(history.Grant{Name: "n", Capacity: 1, Weight: 1, Token: 1})
	h.Ended()
	_ = open
	events, err := buf.Events()
	if err != nil || len(events) != 2 {
		t.Fatalf("Events = %v, %v", events, err)
	}
	e := events[0]
	if e.Grant != want || e.Process != `process "1" ☂` || e.End != history.Released || !(want.Asked <= e.From && e.From <= e.To) {
		t.Errorf("read %+v; want %+v", e, want)
	}
	if events[1].End != history.Open {
		t.Errorf("a grant without an end is read as %v", events[1])
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	var buf history.Buffer
	var all sync.WaitGroup
	var lock sync.Mutex
	var token uint64
	r := history.NewRecorder(&buf, "p")
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				asked := history.Now()
				lock.Lock()
				token++
				h := r.Granted(history.Grant{Name: "db", Capacity: 1, Weight: 1, Token: token, Holder: fmt.Sprint(i), Asked: asked})
				h.Ended()
				lock.Unlock()
			}
		})
	}
	all.Wait()
	events, err := buf.Events()
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	if !v.OK() || v.Grants != 1600 || len(v.Holders) != 8 || v.JainHolders != 1 || v.Open != 0 {
		t.Errorf("verdict: %v; %v", v, v.Err())
	}
}

// A mutex that does not exclude: the recording shows it.
func TestBrokenLockIsFound(t *testing.T) {
	var buf history.Buffer
	var all sync.WaitGroup
	r := history.NewRecorder(&buf, "p")
	in := make(chan history.Hold, 2)
	for i := range 2 {
		all.Go(func() {
			in <- r.Granted(history.Grant{Name: "db", Capacity: 1, Weight: 1, Token: uint64(i + 1)})
		})
	}
	all.Wait() // both hold
	(<-in).Ended()
	(<-in).Ended()
	events, err := buf.Events()
	if err != nil {
		t.Fatal(err)
	}
	if v := history.Check(events); v.Overlaps != 1 {
		t.Errorf("verdict: %v; want one overlap", v)
	}
}

func TestNilRecorderDoesNothing(*testing.T) {
	var r *history.Recorder
	r.Granted(history.Grant{}).Ended()
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteErrorIsKept(t *testing.T) {
	want := errors.New("disk full")
	r := history.NewRecorder(brokenWriter{want}, "p")
	r.Granted(history.Grant{}).Ended()
	if err := r.Err(); !errors.Is(err, want) {
		t.Errorf("Err = %v; want %v", err, want)
	}
}

// writer is a process that records grants until it is killed.
func writer(c *proctest.Child) error {
	f, err := os.OpenFile(c.Args[0], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	r := history.NewRecorder(f, c.Args[1])
	for token := uint64(1); ; token++ {
		h := r.Granted(history.Grant{Name: c.Args[1], Capacity: 1, Weight: 1, Token: token, Holder: "h"})
		if token == 3 {
			c.Say("held")
		}
		h.Ended()
	}
}

func TestKilledProcessLeavesWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	parent := &history.Buffer{}
	r := history.NewRecorder(parent, "parent")
	var names []string
	for i := range 3 {
		name := fmt.Sprintf("child %d", i)
		file := filepath.Join(dir, name)
		names = append(names, file)
		p := proctest.Start(t, "writer", file, name)
		p.Expect("held")
		r.Died(name)
		p.Kill()
	}
	files := []string{}
	for _, name := range names {
		files = append(files, name)
	}
	deaths := filepath.Join(dir, "deaths")
	if err := os.WriteFile(deaths, parent.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := history.ReadFiles(append(files, deaths)...)
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	if !v.OK() || len(v.Processes) != 3 || v.Grants < 9 || v.Open != 0 {
		t.Errorf("verdict: %v, %d open; %v", v, v.Open, v.Err())
	}
}

func TestClockDoesNotGoBack(t *testing.T) {
	last := history.Now()
	for range 1000 {
		now := history.Now()
		if now < last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
}

func FuzzRecordRead(f *testing.F) {
	f.Add("db", "p", "h")
	f.Add("\x00\"\\\n", "☂", strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, name, process, holder string) {
		if !utf8.ValidString(name) || !utf8.ValidString(process) || !utf8.ValidString(holder) {
			t.Skip("names in histories are valid UTF-8")
		}
		var buf history.Buffer
		want := history.Grant{Name: name, Capacity: 1, Weight: 1, Token: 1, Holder: holder}
		history.NewRecorder(&buf, process).Granted(want).Ended()
		events, err := buf.Events()
		if err != nil || len(events) != 1 || events[0].Grant != want || events[0].Process != process {
			t.Errorf("Events = %+v, %v; want %+v", events, err, want)
		}
	})
}

func BenchmarkRecorder(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "history"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	g := history.Grant{Name: "db", Capacity: 1, Weight: 1, Token: 1, Holder: "h", Asked: history.Now()}
	b.Run("file", func(b *testing.B) {
		b.ReportAllocs()
		r := history.NewRecorder(file, "p")
		for b.Loop() {
			r.Granted(g).Ended()
		}
	})
	b.Run("memory", func(b *testing.B) {
		b.ReportAllocs()
		r := history.NewRecorder(&history.Buffer{}, "p")
		for b.Loop() {
			r.Granted(g).Ended()
		}
	})
}
