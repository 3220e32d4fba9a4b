package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	warmAfter   = 50 * time.Millisecond  // a grant held for longer wants to know who waits for it
	coolAfter   = 5 * time.Second        // without use an inbox is closed
	listenTime  = 10 * time.Second       // bounds the opening
	listenPause = 100 * time.Millisecond // after the connection was lost; then twice, …
	listenRest  = 5 * time.Second        // … up to this
	missedMost  = 2                      // so many openings may bring no message
	muteTime    = time.Minute            // before an inbox is opened again that brings none
)

// inbox is the channel on which a client hears of grants and of waiters, on a connection of its
// own. What it misses is found by the heartbeat. It is open while something waits, or has been held
// for a while, so that a client that nobody competes with costs no connection.
//
// A pooler may take LISTEN and deliver nothing. So an inbox that misses messages is opened anew, and
// one that has never brought any is left closed for a while.
type inbox struct {
	stop       context.CancelFunc // nil: closed
	number     int                // of the opening
	subscribed bool
	warming    stopper
	cooling    stopper
	idle       time.Time               // since when nothing waits or is held, the last time
	awaited    map[uint64]*actor.Timer // grants that the heartbeat found before their message came

	heard  bool // a message has come, ever
	missed int  // openings in a row that brought none
	mute   time.Time
}

// channel is what a client listens on.
func (b *Backend) channel() string { return fmt.Sprintf("lk_%x", b.id) }

// warm sees to it that a holder hears of waiters: by the inbox, or else by a look each heartbeat.
func (cl *client) warm() {
	in := &cl.inbox
	if in.stop != nil || in.warming.timer != nil || cl.closing {
		return
	}
	wait := warmAfter
	if cl.deaf() {
		wait = cl.b.opt.heartbeat
	}
	in.warming.timer = cl.actor.After(wait, warmed{})
}

// deaf reports whether an inbox would be of no use.
func (cl *client) deaf() bool { return cl.b.opt.deaf || time.Now().Before(cl.inbox.mute) }

type warmed struct{}

func (warmed) on(cl *client) {
	cl.inbox.warming.timer = nil
	switch {
	case !cl.hears():
	case cl.deaf():
		cl.lookAtHeld()
		cl.warm()
	default:
		cl.listen()
	}
}

// hears reports whether something is held whose holder wants to hear.
func (cl *client) hears() bool {
	for _, h := range cl.held {
		if h.hears && !h.leaving {
			return true
		}
	}
	return false
}

// cool sees to it that an inbox that nobody needs is closed.
func (cl *client) cool() {
	in := &cl.inbox
	if in.stop == nil || cl.closing {
		return
	}
	in.idle = time.Now()
	if in.cooling.timer == nil {
		in.cooling.timer = cl.actor.After(coolAfter, cooled{})
	}
}

type cooled struct{}

func (cooled) on(cl *client) {
	in := &cl.inbox
	in.cooling.timer = nil
	if len(cl.waiting) > 0 || len(cl.held) > 0 {
		return // tidy calls cool
	}
	if rest := time.Until(in.idle.Add(coolAfter)); rest > 0 { // it was used meanwhile
		in.cooling.timer = cl.actor.After(rest, cooled{})
		return
	}
	cl.deafen()
}

// listen opens the inbox. What was queued before it is open is looked at when it is, so no grant is
// missed in between.
func (cl *client) listen() {
	in := &cl.inbox
	if in.stop != nil || cl.closing || cl.deaf() {
		return
	}
	ctx, stop := context.WithCancel(cl.b.ctx)
	in.stop, in.awaited = stop, make(map[uint64]*actor.Timer)
	in.number++
	number := in.number
	cl.task(func() message {
		defer stop()
		cl.b.receive(ctx, number)
		return nil
	})
}

// receive hands messages to the client until ctx ends.
func (b *Backend) receive(ctx context.Context, number int) {
	for pause := listenPause; ctx.Err() == nil; pause = min(2*pause, listenRest) {
		conn, err := b.subscribe(ctx)
		if err == nil {
			pause = listenPause
			b.client.actor.Deliver(subscribed{number})
			for err == nil {
				n, e := conn.WaitForNotification(ctx)
				if err = e; err == nil {
					b.client.actor.Deliver(notified{number, n.Payload})
				}
			}
			hangUp(conn)
		}
		sleep(ctx, pause)
	}
}

// subscribe makes the connection.
func (b *Backend) subscribe(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	var conn *pgx.Conn
	var err error
	if c := b.opt.listen; c != nil {
		conn, err = pgx.ConnectConfig(ctx, c)
	} else {
		conn, err = b.dial(ctx)
	}
	if err != nil {
		return nil, err
	}
	if _, err := conn.PgConn().Exec(ctx, "LISTEN "+b.channel()).ReadAll(); err != nil {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

// dial makes a connection as those of the pool are made.
func (b *Backend) dial(ctx context.Context) (*pgx.Conn, error) {
	pool := b.pool.Config()
	c := pool.ConnConfig
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, c); err != nil {
			return nil, err
		}
	}
	return pgx.ConnectConfig(ctx, c)
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // what it was for is over
}

// deafen closes the inbox.
func (cl *client) deafen() {
	in := &cl.inbox
	in.warming.stop()
	in.cooling.stop()
	for _, t := range in.awaited {
		t.Stop()
	}
	in.awaited = nil
	if in.stop != nil {
		in.stop()
	}
	in.stop, in.subscribed = nil, false
}

// subscribed says that messages arrive from now on. What was sent before, or while the connection was
// cut, is lost: so everything is looked at.
type subscribed struct{ number int }

func (m subscribed) on(cl *client) {
	if in := &cl.inbox; in.stop != nil && in.number == m.number {
		in.subscribed = true
		cl.look()
	}
}

// suspect gives a message that should have come some time.
func (cl *client) suspect(seq uint64) {
	if in := &cl.inbox; in.awaited != nil && in.awaited[seq] == nil {
		in.awaited[seq] = cl.actor.After(missedTime, overdue{seq, in.number})
	}
}

// overdue says that a message has not come that should have: the inbox is opened anew.
type overdue struct {
	seq    uint64
	number int
}

func (m overdue) on(cl *client) {
	in := &cl.inbox
	if in.stop == nil || in.number != m.number {
		return
	}
	cl.deafen()
	if in.missed++; in.missed >= missedMost && !in.heard {
		in.mute, in.missed = time.Now().Add(muteTime), 0
	}
	if len(cl.waiting) > 0 {
		cl.listen()
	}
	if cl.hears() {
		cl.warm()
	}
}

// notified is a message to the client: "g" tells of a grant, see parseWakeUp; "c" that another client
// waits, "t" that one has tried, "b" that a grant was broken, each with the number of the request.
type notified struct {
	number  int
	payload string
}

func (m notified) on(cl *client) {
	in := &cl.inbox
	if in.stop == nil || in.number != m.number || cl.closing || m.payload == "" {
		return
	}
	in.heard, in.missed = true, 0
	word, rest := m.payload[0], m.payload[1:]
	if word == 'g' {
		seq, n, ok := parseWakeUp(rest)
		if t := in.awaited[seq]; t != nil {
			t.Stop()
			delete(in.awaited, seq)
		}
		if q := cl.waiting[seq]; ok && q != nil {
			cl.woken(q, n)
		}
		return
	}
	seq, err := strconv.ParseUint(rest, 10, 63)
	t := map[byte]backends.EventType{'c': backends.Contended, 't': backends.Tried, 'b': backends.Lost}[word]
	if err == nil && t != 0 {
		cl.event(seq, t)
	}
}

// event tells a holder what has happened. An event of a grant that is on its way waits for it.
func (cl *client) event(seq uint64, t backends.EventType) {
	h := cl.held[seq]
	if h == nil {
		if q := cl.waiting[seq]; q != nil {
			q.news = append(q.news, t)
		}
		return
	}
	switch {
	case t == backends.Contended:
		h.contend(true)
	case t == backends.Tried:
		h.tell(backends.Event{Grant: h.id, Type: t})
	case !h.leaving:
		cl.lose(h, backends.Broken)
	}
}
