package manager

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/file"
)

func TestErrorsNameTheResource(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		_, err := m.Lock("db").TryAcquire(context.Background())
		if !errors.Is(err, ErrBusy) || !strings.HasPrefix(err.Error(), `acquire "db": busy: held in this process since `) {
			t.Errorf("got %v", err)
		}
		mustRelease(t, l)
	})
}

// A store names the call and the resource in its errors, in words of its own. The manager does not
// repeat them.
func TestErrorsOfAStoreNameTheResourceOnce(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t, b)
	if err := os.Mkdir(dir+"/job.table", 0o700); err != nil {
		t.Fatal(err)
	}
	for what, acquire := range map[string]func(context.Context, ...AcquireOption) (*Lease, error){
		"Acquire": m.Lock("job").Acquire, "TryAcquire": m.Lock("job").TryAcquire,
	} {
		_, err := acquire(t.Context())
		wantErr(t, err, ErrPermission)
		if err != nil && strings.Count(err.Error(), `acquire "job"`) != 1 {
			t.Errorf("%s: %v; want the call and its name once", what, err)
		}
	}
}
