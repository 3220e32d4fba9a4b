package lockdir

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 6000, time.UTC)

func example() *Table {
	t := &Table{Name: "db\n\xff", Kind: backends.Semaphore, Capacity: 5, Token: 900}
	words := OwnerWords(backends.Owner{Host: "h\n\"", PID: 7, Label: "l\xff file 7"}, noon)
	for i := range uint64(3) {
		e := Entry{ID: backends.GrantID{Client: 1<<63 + i, Seq: i}, Weight: 1, Token: 100 + i}
		e.Write(noon, words, i%2 == 1, i)
		e.Broken = i == 1
		t.Holders = append(t.Holders, e)
		e = Entry{ID: backends.GrantID{Client: i, Seq: 1<<62 + i}, Weight: 5}
		e.Write(noon, words, false, 0)
		t.Waiters = append(t.Waiters, e)
	}
	return t
}

func TestBodyReadsBackAsWritten(t *testing.T) {
	want := example()
	got, err := parseBody(string(want.appendBody(nil)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parseBody = %+v, %v; want %+v", got, err, want)
	}
	for i := range got.Holders {
		if file := got.Holders[i].File(); file != uint64(i) {
			t.Errorf("holder %d: file %d", i, file)
		}
	}
	since, owner := got.Waiters[0].about()
	if !since.Equal(noon) || owner != (backends.Owner{Host: "h\n\"", PID: 7, Label: "l\xff file 7"}) {
		t.Errorf("about = %v, %+v", since, owner)
	}
}

func TestHeaderReadsBackAsWritten(t *testing.T) {
	for _, want := range []header{
		{},
		{version: 1<<64 - 1, crc: 1<<32 - 1, at: headerLength, length: Page - headerLength},
		{version: 10, crc: 0xabcdef09, at: Page, length: largestTable},
	} {
		got, err := parseHeader(want.append(nil))
		if want == (header{}) {
			if err == nil {
				t.Error("a header whose body lies in the header was accepted")
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("parseHeader = %+v, %v; want %+v", got, err, want)
		}
	}
}

// exampleBodies are bodies of tables with all that a line may have.
func exampleBodies() []string {
	kept := example()
	kept.Holders[0].setKeepForTest(atNoon.Keep(time.Minute), false)
	kept.Holders[2].setKeepForTest(atNoon.Keep(time.Hour), true)
	bodies := []string{
		string(example().appendBody(nil)), string(kept.appendBody(nil)),
		"name \"a\"\nmutex capacity 1\ntoken 5\n",
		"name \"a\"\nrwlock capacity 1073741824\ntoken 5\nholder 0000000000000001-1 weight 1 token 5 since x\n",
	}
	return bodies
}

// setKeepForTest writes a line with a Keep.
func (e *Entry) setKeepForTest(k *Keep, kept bool) {
	e.Keep, e.Kept = k, kept
	e.Write(noon, OwnerWords(backends.Owner{Host: "h", PID: 7, Label: " since \" kept "}, noon), true, 9)
}

// What is no table is ErrCorrupt. What is one can be used in every way, keeps its holders through a
// write and a read, and is read as it was written.
func FuzzParse(f *testing.F) {
	for _, body := range exampleBodies() {
		h := header{version: 1, crc: checksum([]byte(body)), at: headerLength, length: int64(len(body))}
		f.Add(string(h.append(nil))+body, uint64(1))
		f.Add(body, uint64(2))
	}
	f.Add("lockkeeper 1 version ", uint64(0))
	f.Add("", uint64(0))
	f.Fuzz(func(t *testing.T, raw string, client uint64) {
		file := TableFile{FD: -1, raw: []byte(raw)}
		if h, err := parseHeader(file.raw); err == nil && h.at+h.length <= int64(len(raw)) {
			if _, err := file.parse(); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%q: %v", raw, err)
			}
		}
		if got, err := parseBody(raw); err == nil {
			checkUse(t, got, client)
		} else if got != nil || !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%q: %+v, %v", raw, got, err)
		}
		if last := salvage([]byte(raw), 1000); last > 1000 {
			t.Fatalf("salvage found %d in %q, which is beyond belief", last, raw)
		}
	})
}

// checkUse does with a table all that is done with one.
func checkUse(t *testing.T, tab *Table, client uint64) {
	again := func() {
		t.Helper()
		body := string(tab.appendBody(nil))
		got, err := parseBody(body)
		same := func(a, b Entry) bool { return reflect.DeepEqual(a, b) }
		if err != nil || got.Name != tab.Name || got.Kind != tab.Kind || got.Capacity != tab.Capacity || got.Token != tab.Token ||
			!slices.EqualFunc(got.Holders, tab.Holders, same) || !slices.EqualFunc(got.Waiters, tab.Waiters, same) {
			t.Fatalf("%+v was written as %q and read as %+v, %v", tab, body, got, err)
		}
	}
	again()
	held := int64(0)
	for _, e := range tab.Holders {
		if !e.Broken {
			held += e.Weight
		}
	}
	if tab.Free() != tab.Capacity-held {
		t.Fatalf("%d of %d are free, %d are held", tab.Free(), tab.Capacity, held)
	}
	if n := len(tab.State().Waiters); n != len(tab.Waiters) {
		t.Fatalf("%d of %d waiters are seen", n, len(tab.Waiters))
	}
	tab.Oldest()
	tab.Sole(client)
	tab.Contended(client)
	tab.Blockers(client, tab.Clients(client))
	tab.KeptFor()
	for i := range tab.Holders {
		e := &tab.Holders[i]
		if e.Mark(Tried) && !e.Mark(Tries) {
			t.Fatalf("the mark of %q cannot be taken back", e.line)
		}
	}
	again()
	c := atNoon
	tab.EndKept(c)
	again()
	if len(tab.Holders) > 0 {
		tab.EndGrant(tab.Holders[0].ID, c)
	}
	again()
	tab.DropClient(client)
	if slices.Contains(tab.Clients(client+1), client) {
		t.Fatalf("client %d is still in %+v", client, tab)
	}
	again()
}

// Words for people come back as they were, and what they say is not taken for what the line says.
func FuzzOwner(f *testing.F) {
	f.Add("h", 7, "l", uint64(1), true, int64(0))
	f.Add("h\n\"", -1, "l\xff file 7", uint64(0), false, int64(time.Minute))
	f.Add(" since ", 1<<30, " tries", uint64(1<<63), true, int64(1))
	f.Fuzz(func(t *testing.T, host string, pid int, label string, file uint64, tries bool, keep int64) {
		e := Entry{ID: backends.GrantID{Client: 3, Seq: 4}, Weight: 1, Token: 5}
		if keep = min(keep, int64(backends.MaxAtLeast)); keep > 0 {
			e.Keep = atNoon.Keep(time.Duration(keep))
		}
		want := backends.Owner{Host: host, PID: pid, Label: label}
		e.Write(noon, OwnerWords(want, noon), tries, file)
		p := parser{rest: e.line + "\n"}
		got := p.entry()
		since, owner := got.about()
		if p.bad || p.rest != "" || owner != want || !since.Equal(noon) || got.File() != file || got.Wants() != tries {
			t.Fatalf("%q is of %+v at %v, file %d, tries %v", e.line, owner, since, got.File(), got.Wants())
		}
		if (got.Keep == nil) != (keep <= 0) || got.ID != e.ID || got.Weight != 1 || got.Token != 5 {
			t.Fatalf("%q was read as %+v", e.line, got)
		}
	})
}

func TestSalvage(t *testing.T) {
	body := string(example().appendBody(nil))
	for raw, want := range map[string]uint64{
		body: 900, body[20:]: 900, body[len(body)-300:]: 0, "": 0, "token ": 0, "token 77": 77, "token 18446744073709551615\ntoken 5": 5,
		strings.Repeat("token 3 ", 1000) + "token 4 ": 4,
	} {
		if got := salvage([]byte(raw), 1000); got != want {
			t.Errorf("salvage(%.40q) = %d; want %d", raw, got, want)
		}
	}
}
