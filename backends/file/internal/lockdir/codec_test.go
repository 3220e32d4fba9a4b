package lockdir

import (
	"reflect"
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

func FuzzParse(f *testing.F) {
	body := example().appendBody(nil)
	h := header{version: 1, crc: checksum(body), at: headerLength, length: int64(len(body))}
	whole := append(h.append(nil), body...)
	f.Add(whole)
	f.Add(whole[:3])
	f.Add([]byte{})
	f.Add([]byte("name \"a\"\nmutex capacity 1\ntoken 5\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file := TableFile{FD: -1, raw: raw}
		if h, err := parseHeader(raw); err == nil && h.at+h.length <= int64(len(raw)) {
			_, _ = file.parse() // must not panic
		}
		if got, err := parseBody(string(raw)); err == nil {
			again, err := parseBody(string(got.appendBody(nil)))
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("%q was read as %+v, which was written and read as %+v, %v", raw, got, again, err)
			}
			got.State()
		}
		if last := salvage(raw, 1000); last > 1000 {
			t.Fatalf("salvage found %d in %q, which is beyond belief", last, raw)
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
