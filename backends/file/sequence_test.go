package file

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/modeltest"
)

// Any sequence of calls has the answers that the memory store gives.
func FuzzSequences(f *testing.F) {
	for _, s := range modeltest.Seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		modeltest.Run(t, clientsOf(t.TempDir()+"/locks"), sequence)
	})
}

// clientsOf returns what opens clients of a directory.
func clientsOf(dir string) func(t testing.TB) backends.Backend {
	return func(t testing.TB) backends.Backend {
		b, err := New(dir)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// Any arguments of a request are refused, or reach the table as they are and come back.
func FuzzRequests(f *testing.F) {
	modeltest.Requests(f, func(t *testing.T) func(testing.TB) backends.Backend {
		return clientsOf(t.TempDir() + "/locks")
	})
}
