package redis

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Multiples of the heartbeat that bound what a waiter costs the others that dies just before its turn.
const (
	leastHeartbeats = 2 // how long a grant stands at least that nobody asks for: a heartbeat finds it if the message was lost
	briefHeartbeats = 4 // at most, how long one stands that its message makes valid
)

// terms is what a request that has to wait leaves on the server, besides what it asks for.
type terms struct {
	brief  time.Duration // how long its grant is valid, from the moment when it is made; 0: not before it was asked for again
	secret uint64        // its message repeats it, so that nobody else's is believed
}

// newTerms returns a request's terms. The grant of a request that can do with less than its time to live is its from the moment when the
// server makes it, for what it needs and a heartbeat, in which it can be prolonged.
func (b *Backend) newTerms(r backends.Request) terms {
	s := terms{secret: rand.Uint64()}
	brief := r.MinValid + b.opt.heartbeat
	if r.MinValid > 0 && brief <= briefHeartbeats*b.opt.heartbeat && b.opt.replicas == 0 {
		s.brief = min(brief, r.TTL)
	}
	return s
}

// keep says for how long the grant is kept if its message is all that its client hears. The next
// heartbeat comes after period.
func (s terms) keep(period, ttl time.Duration) time.Duration {
	return max(s.brief, min(leastHeartbeats*period, ttl))
}

// wakeUp is what a message tells of a request: that it was granted.
type wakeUp struct {
	token     uint64
	made      int64 // when, on the server's clock
	secret    uint64
	contended bool
}

// parseWakeUp reads "number:token:made:secret". A wake-up that it cannot read is the zero one, which is believed by nobody, but the
// request's number may be known all the same.
func parseWakeUp(s string, contended bool) (seq uint64, n wakeUp, ok bool) {
	number, rest, _ := strings.Cut(s, ":")
	seq, err := strconv.ParseUint(number, 16, 64)
	if err != nil {
		return 0, n, false
	}
	f := strings.Split(rest, ":")
	if len(f) != 3 {
		return seq, n, true
	}
	token, err1 := strconv.ParseUint(f[0], 10, 53)
	made, err2 := strconv.ParseUint(f[1], 10, 53)
	secret, err3 := strconv.ParseUint(f[2], 16, 64)
	if err1 == nil && err2 == nil && err3 == nil {
		n = wakeUp{token, int64(made), secret, contended}
	}
	return seq, n, true
}

// believe returns until when the grant is valid of which a wake-up tells that has come now, or false if
// the server is to be asked: the wake-up is not of this request as it stands in the queue, or too
// little of the grant is left.
func (q *request) believe(n wakeUp, now time.Time) (valid time.Time, ok bool) {
	if q.terms.brief == 0 || n.token == 0 || n.secret != q.terms.secret || n.made < q.queuedAt || q.sample.Server == 0 {
		return valid, false
	}
	valid = q.sample.ValidUntil(n.made, q.terms.brief, q.TTL, now)
	return valid, valid.Sub(now) >= q.MinValid
}

// woken handles what a message says of one request.
func (cl *client) woken(name, text string, contended bool) {
	seq, n, ok := parseWakeUp(text, contended)
	if !ok {
		return
	}
	if t := cl.inbox.awaited[seq]; t != nil {
		t.Stop()
		delete(cl.inbox.awaited, seq)
	}
	switch q := cl.waiting[seq]; {
	case q != nil && q.Name == name:
		cl.told(q, n)
	case q == nil && cl.held[seq] == nil && backends.CheckName(name) == nil:
		cl.releaseUnknown(name, seq)
	}
}

// told makes a request the holder of what it was granted, if the wake-up can be believed; else it asks. While its command is on its
// way the wake-up waits for the answer: a command that arrives after the release would ask anew.
func (cl *client) told(q *request, n wakeUp) {
	if q.asking {
		q.wakeUp = &n
		return
	}
	valid, ok := q.believe(n, time.Now())
	if !ok {
		cl.ask(q)
		return
	}
	cl.grant(q, backends.Grant{Token: n.token, Tokens: q.Tokens, ValidUntil: valid, Contended: n.contended})
}

// releaseUnknown releases the grant of a request whose cancel did not reach the server.
func (cl *client) releaseUnknown(name string, seq uint64) {
	id := backends.GrantID{Client: cl.b.id, Seq: seq}
	brief := cl.b.life(max(briefHeartbeats*cl.b.opt.heartbeat, leastHeartbeats*cl.b.pace.Load().period))
	cl.finish(&ending{call: cl.b.endCall(name, idText(endAny, id)), until: time.Now().Add(brief)})
}
