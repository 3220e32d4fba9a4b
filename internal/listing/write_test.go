package listing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/listing"
)

// What is written item by item is what encoding/json writes at once, whatever the strings say.
func TestAFormIsWrittenAsAWhole(t *testing.T) {
	hostile := "\n  \"names\": []<&\u2028"
	state := func(name string) backends.State {
		return backends.State{
			Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
			Holders:  []backends.Holder{{Owner: backends.Owner{Label: hostile}, Token: 7}},
		}
	}
	for what, states := range map[string][]backends.State{
		"none": nil, "one": {state("a")}, "more": {state(hostile), state("\xff"), state("b")},
	} {
		all := listing.Of(hostile, time.Unix(1, 0), states, errors.New(hostile))
		want, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := listing.Write(&got, all); err != nil || got.String() != string(want)+"\n" {
			t.Errorf("%s: %v, wrote\n%s\nwant\n%s", what, err, &got, want)
		}
	}
}

// An item in a line is the same item.
func TestAFormIsWrittenWithALineForEachItem(t *testing.T) {
	hostile := "\n  \"names\": []<&\u2028"
	all := listing.Of(hostile, time.Unix(1, 0), make([]backends.State, 3), errors.New(hostile))
	for i := range all.Names {
		all.Names[i].Name = hostile
	}
	for n := range 4 {
		form, items := all, all.Names[:n]
		form.Names = items
		var want, lines, got bytes.Buffer
		if err := listing.Write(&want, form); err != nil {
			t.Fatal(err)
		}
		form.Names = []listing.Row{}
		if err := listing.WriteLines(&lines, form, "names", items); err != nil {
			t.Fatal(err)
		}
		if rows := bytes.Count(lines.Bytes(), []byte("\n    {\"name\"")); rows != n || bytes.Count(lines.Bytes(), []byte("\n")) > n+8 {
			t.Errorf("%d items: %s", n, &lines)
		}
		if err := json.Indent(&got, bytes.TrimSuffix(lines.Bytes(), []byte("\n")), "", "  "); err != nil || got.String()+"\n" != want.String() {
			t.Errorf("%v, wrote\n%s\nwant\n%s", err, &got, &want)
		}
	}
}

// failing takes some bytes and then none.
type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAnErrorOfTheOutputIsReturned(t *testing.T) {
	all := listing.Of("store", time.Unix(1, 0), make([]backends.State, 1000), nil)
	for _, room := range []int{0, 5000, 50_000} {
		if err := listing.Write(&failing{room}, all); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}
