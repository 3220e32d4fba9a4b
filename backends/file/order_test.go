package file

import (
	"math/rand/v2"
	"testing"
)

// Processes stand in a queue, some are killed, the holder among them or not. The others are served in their order, as their
// tokens tell: nobody waits behind the dead, and nobody is overtaken.
func TestSurvivorsAreServedInOrder(t *testing.T) {
	const processes = 6
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		dir := t.TempDir() + "/locks"
		var clients []*distant
		for range processes {
			clients = append(clients, startClient(t, dir))
		}
		rand.Shuffle(processes, func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
		g := mustAcquire(t, clients[0], mutex("db"))
		waits := []*waiterOf{nil}
		for _, c := range clients[1:] {
			waits = append(waits, enqueue(t, c, mutex("db")))
		}
		dead := map[int]bool{}
		for _, i := range rand.Perm(processes)[:processes/2] {
			dead[i] = true
			clients[i].p.Kill()
			<-clients[i].done
		}
		last := g.Token
		if !dead[0] {
			mustRelease(t, clients[0], g)
		}
		for i, w := range waits {
			if w == nil || dead[i] && !(w.ended() && w.err == nil) {
				continue
			}
			g := w.granted()
			if g.Token <= last {
				t.Errorf("token %d after %d: number %d of the queue was overtaken", g.Token, last, i)
			}
			last = g.Token
			if !dead[i] {
				mustRelease(t, clients[i], g)
			}
		}
	}
}

// ended reports whether the request has been answered.
func (w *waiterOf) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
