package postgres

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

// Await makes cancelled acquires wait for their confirmation for as long as a slow machine may take.
func (b *Backend) Await() { b.patience = endingTime }

// Listens reports whether messages arrive at the client.
func (b *Backend) Listens() bool {
	answer := make(chan bool, 1)
	b.tell(listens{answer})
	return <-answer
}

// Follow makes the cancel of a request wait for the answer to its statement for as long as that takes,
// and confirmations, too.
func (b *Backend) Follow() { b.patience, b.answerPatience = time.Hour, time.Hour }

// Following returns how many cancels wait for such an answer.
func (b *Backend) Following() int {
	answer := make(chan int, 1)
	b.tell(following{answer})
	return <-answer
}

type following struct{ answer chan int }

func (m following) on(cl *client) { m.answer <- len(cl.endings.following) }

type listens struct{ answer chan bool }

func (m listens) on(cl *client) { m.answer <- cl.inbox.subscribed }

// Crash ends the client as the death of its process would: nothing is given back, nobody is told.
func (b *Backend) Crash() {
	b.tell(crash{})
	<-b.client.closed
}

type crash struct{}

func (crash) on(cl *client) {
	cl.closing = true
	cl.endings.again.stop()
	for _, t := range cl.endings.following {
		t.Stop()
	}
	cl.endings = endings{noRetry: true}
	cl.quiet()
	cl.settle()
}

// CheckVersion returns what Check finds of a version of the server.
func CheckVersion(number int, name string) backends.Finding {
	x := &exam{}
	_ = x.version(context.Background(), &settings{number: number, name: name})
	return x.found[0]
}

// Believed says whether a message of a grant is believed by a request of 10 s that needs 1.2 s of it,
// and was queued at queuedAt: a grant for brief, made so long after the clock was looked at, which was
// so long ago.
func Believed(brief time.Duration, token uint64, queuedAt, made int64, known bool, ago time.Duration) bool {
	now := time.Now()
	q := &request{brief: brief, queuedAt: queuedAt}
	q.TTL, q.MinValid = 10*time.Second, 1200*time.Millisecond
	if known {
		q.sample = serverclock.New(now.Add(-ago), time.Hour.Microseconds())
	}
	_, ok := q.believe(wakeUp{token: token, made: time.Hour.Microseconds() + made}, now)
	return ok
}
