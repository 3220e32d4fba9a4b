//go:build linux

package torture

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

// What a process had written before it was killed is read, whatever it broke off in. Anything else that
// is no event is an error.
func FuzzReadFile(f *testing.F) {
	f.Add("m0", "p0.0", uint64(7), []byte(`{"at":1`))
	f.Add("a\nb", "\xff", uint64(0), []byte(""))
	f.Add("", "x", uint64(1)<<63, []byte("{}\n[]\n"))
	f.Fuzz(func(t *testing.T, name, text string, token uint64, rest []byte) {
		all, err := readFile(nil, bytes.NewReader(rest))
		if complete := rest[:bytes.LastIndexByte(rest, '\n')+1]; err == nil && len(all) != bytes.Count(complete, []byte("\n")) {
			t.Fatalf("%q are %d events", rest, len(all))
		}
		e := event{Kind: granted, At: 5, Name: name, Text: text, Token: token}
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		broken, _, _ := bytes.Cut(rest, []byte("\n"))
		got, err := readFile(nil, bytes.NewReader(slices.Concat(line, []byte("\n"), line, []byte("\n"), broken)))
		if err != nil || len(got) != 2 || got[1].Token != token || got[0].At != 5 || got[0].Kind != granted {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}
