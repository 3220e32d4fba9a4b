package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

// Multiples of the heartbeat that bound what a waiter costs the others that dies just before its
// turn.
const (
	leastHeartbeats = 2 // how long a grant stands, at least: a heartbeat finds it if its message was lost
	briefHeartbeats = 4 // how long one stands, at most, that its message makes valid
	aliveHeartbeats = 4 // for how long a client with waiters counts as alive
)

// terms returns for how long a grant from the queue is valid before the request is sent again, and
// for how long the server keeps it. A request that can do with less than its time to live has what
// it needs and a heartbeat, in which it can be renewed.
func (b *Backend) terms(r backends.Request) (brief, keep time.Duration) {
	period := b.opt.heartbeat
	if r.MinValid > 0 && r.MinValid+period <= briefHeartbeats*period {
		brief = min(r.MinValid+period, r.TTL)
	}
	least := min(leastHeartbeats*period, r.TTL)
	if b.opt.deaf { // only a heartbeat tells it, however short its time to live
		least = max(min(briefHeartbeats*period, r.TTL), leastHeartbeats*period)
	}
	return brief, life(max(brief, least))
}

// alive is for how long a client counts as alive after a statement, in microseconds.
func (b *Backend) alive() int64 { return (aliveHeartbeats * b.opt.heartbeat).Microseconds() }

// until returns how long after the sample the server's clock shows us; negative if us is 0.
func until(s serverclock.Sample, us int64) time.Duration {
	if us == 0 {
		return -1
	}
	return max(0, time.Duration(us-s.Server)*time.Microsecond)
}

// wakeUp is what a message, or a heartbeat, tells of a request: that it was granted.
type wakeUp struct {
	token     uint64
	made      int64 // when, on the server's clock
	contended bool
}

// parseWakeUp reads "number:token:made:contended".
func parseWakeUp(s string) (seq uint64, n wakeUp, ok bool) {
	f := strings.Split(s, ":")
	const fields = 4
	if len(f) != fields {
		return 0, n, false
	}
	seq, err0 := strconv.ParseUint(f[0], 10, 63)
	token, err1 := strconv.ParseUint(f[1], 10, 63)
	made, err2 := strconv.ParseUint(f[2], 10, 63)
	return seq, wakeUp{token, int64(made), f[3] == "1"}, err0 == nil && err1 == nil && err2 == nil
}

// believe returns until when the grant is valid of which a wake-up tells that has come now, or false
// if the server is to be asked: the wake-up is not of this request as it stands in the queue, or
// too little of the grant is left.
func (q *request) believe(n wakeUp, now time.Time) (valid time.Time, ok bool) {
	if q.brief == 0 || n.token == 0 || n.made < q.queuedAt || q.sample.Server == 0 {
		return valid, false
	}
	valid = q.sample.ValidUntil(n.made, q.brief, q.TTL, now)
	return valid, valid.Sub(now) >= q.MinValid
}

// woken makes a request the holder of what it was granted, if the wake-up can be believed; else it
// asks. While a statement is on its way the wake-up waits for the answer: a statement that arrives
// after the release would ask anew.
func (cl *client) woken(q *request, n wakeUp) {
	if q.asking {
		q.wakeUp = &n
		return
	}
	valid, ok := q.believe(n, time.Now())
	if !ok {
		cl.again(q)
		return
	}
	cl.grant(q, backends.Grant{Token: n.token, ValidUntil: valid, Contended: n.contended})
}
