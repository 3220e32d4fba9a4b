package file

import (
	"context"
	"github.com/gofrs/flock"
	"sort"
	"syscall"
	"testing"
)

func cpu() int64 {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}
func TestCPU(t *testing.T) {
	ctx, c := context.WithCancel(context.Background())
	defer c()
	s := open(t, t.TempDir()+"/locks")
	l := flock.New(t.TempDir() + "/x")
	var a, g []float64
	const n = 5000
	for range 15 {
		x := cpu()
		for range n {
			gr, _ := s.Acquire(ctx, mutex("db"))
			s.Release(ctx, gr)
		}
		y := cpu()
		a = append(a, float64(y-x)/n)
		for range n {
			l.TryLock()
			l.Unlock()
		}
		g = append(g, float64(cpu()-y)/n)
	}
	sort.Float64s(a)
	sort.Float64s(g)
	t.Logf("ours min %.0f med %.0f  gofrs min %.0f med %.0f ratio %.2f %.2f", a[0], a[7], g[0], g[7], a[0]/g[0], a[7]/g[7])
}
