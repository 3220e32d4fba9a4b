package postgres

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

// exchange is a statement of an operation and its answer: all of the operation, or a request that
// asks again.
type exchange struct {
	*operation
	first    bool
	back     []int // which of the operation's releases
	requests []*request
	answer
}

// first makes the statement of the whole operation.
func (o *operation) first() *exchange {
	e := &exchange{operation: o, first: true}
	for i := range o.releases {
		if !o.releases[i].told {
			e.back = append(e.back, i)
		}
	}
	for i := range o.requests {
		e.requests = append(e.requests, &o.requests[i])
	}
	return e
}

// send has a task send a statement.
func (cl *client) send(e *exchange) {
	sql, args := e.call()
	cl.task(func() message {
		e.answer = cl.b.ask(callTime, e.may, sql, args...)
		return e
	})
}

// call returns the statement and its arguments: take or give for a single name, which cost less than
// op. See migrations.
func (e *exchange) call() (sql string, args []any) {
	switch {
	case len(e.back) == 0 && len(e.requests) == 1 && e.wait:
		q := e.requests[0]
		return e.b.call.take, []any{
			int64(e.b.id), e.b.alive(), []byte(q.Name), int64(q.id.Seq), int64(q.Kind), q.Capacity, q.Weight,
			int64(q.Tokens), life(q.TTL).Microseconds(), q.keep.Microseconds(), q.flags(),
			q.AtLeast.Microseconds(), ownerText(q.Owner),
		}
	case len(e.back) == 1 && len(e.requests) == 0:
		g := &e.releases[e.back[0]]
		return e.b.call.give, []any{
			int64(e.b.id), []byte(g.Resource.Name), e.b.seqOf(g.ID), releaseFlags(false, g.AtLeast == 0),
		}
	}
	return e.b.call.op, e.args()
}

// args makes the arguments of op.
func (e *exchange) args() []any {
	s := newStatement(e.b, e.wait)
	for _, i := range e.back {
		s.names = append(s.names, e.releases[i].Resource.Name)
	}
	for _, q := range e.requests {
		s.names = append(s.names, q.Name)
	}
	s.sort()
	for _, i := range e.back {
		g := &e.releases[i]
		s.release(g.Resource.Name, g.ID, false, g.AtLeast == 0)
	}
	for _, q := range e.requests {
		s.request(q)
	}
	return s.args()
}

// statement is a call of op in the making: first all names, then what is done with them.
type statement struct {
	b        *Backend
	wait     bool
	names    []string
	releases []int64
	requests []int64
	owners   [][]byte
}

func newStatement(b *Backend, wait bool) *statement {
	return &statement{b: b, wait: wait, releases: []int64{}, requests: []int64{}, owners: [][]byte{}}
}

// sort puts the names in the order in which all clients lock them.
func (s *statement) sort() {
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
}

// at is the number of a name, as SQL counts.
func (s *statement) at(name string) int64 {
	i, _ := slices.BinarySearchFunc(s.names, name, strings.Compare)
	return int64(i) + 1
}

// release adds one.
func (s *statement) release(name string, id backends.GrantID, forbid, free bool) {
	s.releases = append(s.releases, s.at(name), s.b.seqOf(id), releaseFlags(forbid, free))
}

func releaseFlags(forbid, free bool) (flags int64) {
	if forbid {
		flags |= flagForbid
	}
	if free {
		flags |= flagFree
	}
	return flags
}

// noSeq is a number that no request has: they begin with 1, and a detached grant has the negative of
// its own.
const noSeq = 0

// The flags of a release, and those of a request.
const (
	flagForbid = 1
	flagFree   = 2
	flagQuiet  = 1
	flagTries  = 2
)

func (s *statement) request(q *request) {
	s.requests = append(s.requests, s.at(q.Name), int64(q.id.Seq), int64(q.Kind), q.Capacity, q.Weight,
		int64(q.Tokens), life(q.TTL).Microseconds(), q.keep.Microseconds(), q.flags(),
		q.AtLeast.Microseconds())
	s.owners = append(s.owners, ownerText(q.Owner))
}

// flags are what the holder wants to hear.
func (q *request) flags() (flags int64) {
	if q.Quiet || q.Notify == nil {
		flags |= flagQuiet
	}
	if q.Tries && q.Notify != nil {
		flags |= flagTries
	}
	return flags
}

func (s *statement) args() []any {
	names := make([][]byte, len(s.names))
	for i, name := range s.names {
		names[i] = []byte(name)
	}
	return []any{
		int64(s.b.id), s.b.alive(), s.wait, names, s.releases, s.requests, s.owners,
	}
}

// each is how many numbers answer a request, and tell those of the holder of a busy name.
const (
	each = 4
	tell = 8
)

// on takes in the answers: first those to the releases.
func (e *exchange) on(cl *client) {
	if e.first {
		defer e.finish()
	}
	if e.void {
		return // what made it so has told
	}
	want := 1 + len(e.back) + each*len(e.requests)
	if n := len(e.numbers); e.err == nil && n != want && n != want+tell {
		e.err = cl.b.classify(errReply)
	}
	for _, q := range e.requests {
		q.asking = false
		q.copied = q.copied || e.unsure
	}
	if e.err != nil {
		e.unanswered(cl)
		return
	}
	clock, rest := serverclock.New(e.sent, e.numbers[0]), e.numbers[1:]
	for j, i := range e.back {
		cl.released(e.operation, i, rest[j] != 0, e.unsure)
	}
	rest = rest[len(e.back):]
	var refused *request
	var why error
	for i, q := range e.requests {
		err := cl.answered(q, clock, rest[each*i:each*(i+1)])
		if err != nil && (refused == nil || final(err)) {
			refused, why = q, err
		}
	}
	if refused == nil {
		return
	}
	busy := e.numbers[want:]
	if errors.Is(why, backends.ErrBusy) && len(busy) > 0 && 0 <= busy[0] && busy[0] < int64(len(e.requests)) {
		refused, why = e.busy(busy)
	}
	cl.fail(e.operation, refused, why, false)
}

// busy returns the request that a holder keeps from being granted, and an error that names the holder.
func (e *exchange) busy(row []int64) (*request, error) {
	q := e.requests[int(row[0])]
	const isKept, isDetached = 1, 2
	h := backends.Holder{
		ID: backends.GrantID{Client: uint64(row[1]), Seq: uint64(row[2])}, Owner: parseOwner(e.owner),
		Weight: row[3], Token: uint64(row[4]), Since: time.UnixMicro(row[5]),
	}
	if left := time.Duration(row[6]) * time.Microsecond; row[7]&isKept != 0 {
		h.Kept = left
	} else {
		h.Expires, h.Detached = left, row[7]&isDetached != 0
	}
	return q, &backends.BusyError{Name: q.Name, Holder: h}
}

// unanswered: nothing is known. What stands in the queue goes on waiting, and the heartbeat asks
// again; what may stand there goes on as well.
func (e *exchange) unanswered(cl *client) {
	for _, i := range e.back {
		cl.conclude(e.operation, i, e.err)
	}
	for _, q := range e.requests {
		switch {
		case q.over:
			cl.mend(q)
		case q.queued && !final(e.err):
			q.cause = e.err
		case q.mayBeQueued(e.err):
			q.cause = e.err
			cl.againLater(q)
		default:
			cl.fail(e.operation, q, e.err, false)
		}
	}
}

// mayBeQueued reports whether a request that waits may stand in the queue, and is to be sent again: a
// copy of its statement reached the server and lost its connection before the answer. A server that
// is silent, or that no copy has reached, fails the request. So does one for several names: of those
// some places may be lost when the next copy comes, and then there is not one order of them all.
func (q *request) mayBeQueued(err error) bool {
	return q.op.wait && len(q.op.requests) == 1 && q.copied && passing(err)
}

// againLater sends the request again after a pause. Until then a statement for it may be on its way.
func (cl *client) againLater(q *request) {
	q.asking = true
	pause := longer(q.pause)
	q.pause = pause
	cl.task(func() message {
		sleep(cl.b.ctx, pause)
		return askAgain{q}
	})
}

// askAgain says that the pause is over.
type askAgain struct{ *request }

func (m askAgain) on(cl *client) {
	if !m.over {
		cl.again(m.request)
	}
}
