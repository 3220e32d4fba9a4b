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
		dir := t.TempDir() + "/locks"
		modeltest.Run(t, func(t testing.TB) backends.Backend {
			b, err := New(dir)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}, sequence)
	})
}
