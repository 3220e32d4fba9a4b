// Command actor is a small download queue: it admits a bounded number of requests, runs two
// downloads at a time and starts no more than one in a while. A parser that
// panics on a broken page is started anew and harms nobody but that page's asker, a visitor who
// gives up is forgotten at once, and the end is orderly: what was admitted is finished.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
)

const (
	admitted = 8                // requests in the queue and under way
	parallel = 2                // downloads at a time
	pace     = time.Millisecond // between two starts
)

var errBusy = errors.New("queue: busy, try later")

// What the queue is sent.
type (
	message interface{ message() }
	request struct { // asks for the title of a page
		url   string
		title actor.Reply[string]
	}
	result struct { // of a download, from the queue's own task
		of    request
		title string
		err   error
	}
	tick struct{} // from the queue's own timer: another download may start
)

func (request) message() {}
func (result) message()  {}
func (tick) message()    {}

// A queue owns its state: there is no lock, for there is nobody to lock out.
type queue struct {
	self     *actor.Self[message]
	download func(ctx context.Context, url string) (string, error)
	parser   actor.Ref[page]
	waiting  []request
	running  int
	resting  bool // a download has just been started
}

func newQueue(self *actor.Self[message], download func(context.Context, string) (string, error)) (actor.Behavior[message], error) {
	parser, err := actor.Spawn(self, "parser", newParser, actor.WithSupervision(actor.Restart(time.Millisecond, 3)))
	return &queue{self: self, download: download, parser: parser}, err
}

func (q *queue) Receive(_ context.Context, m message) error {
	switch m := m.(type) {
	case request:
		q.admit(m)
	case result:
		q.running--
		if m.err != nil {
			m.of.title.Fail(m.err)
		} else {
			m.of.title.Send(m.title)
		}
	case tick:
		q.resting = false
	}
	q.start()
	return nil
}

// admit refuses at once what it could not serve soon: that is the backpressure.
func (q *queue) admit(r request) {
	if len(q.waiting)+q.running >= admitted {
		r.title.Fail(errBusy)
		return
	}
	r.title.Defer(func() { // the asker has gone: make room
		q.waiting = slices.DeleteFunc(q.waiting, func(w request) bool { return w == r })
	})
	q.waiting = append(q.waiting, r)
}

// start begins the next download, on a goroutine of its own: the queue itself never waits.
func (q *queue) start() {
	if q.resting || q.running == parallel || len(q.waiting) == 0 {
		return
	}
	r := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.running++
	q.resting = true
	q.self.After(pace, tick{})
	q.self.Go(func(ctx context.Context) message {
		text, err := q.download(ctx, r.url)
		if err != nil {
			return result{of: r, err: err}
		}
		title, err := actor.Ask(ctx, q.parser, func(t actor.Reply[string]) page { return page{text, t} })
		return result{r, title, err}
	})
}

// A page is what the parser is sent.
type page struct {
	text  string
	title actor.Reply[string]
}

func newParser(*actor.Self[page]) (actor.Behavior[page], error) {
	return actor.BehaviorFunc[page](func(_ context.Context, p page) error {
		_, rest, _ := strings.Cut(p.text, "<title>")
		p.title.Send(rest[:strings.Index(rest, "</title>")]) // panics on a broken page
		return nil
	}), nil
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	system := actor.NewSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	online := make(chan struct{}) // until then every download waits
	impatient, giveUp := context.WithCancel(ctx)
	defer giveUp()
	download := func(ctx context.Context, url string) (string, error) {
		if url == "page 0" {
			giveUp() // its visitor does not wait any longer
		}
		select { // if both are ready either is fine: nothing is held
		case <-online:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if url == "broken page" {
			return "<title>without end", nil
		}
		return "<title>" + strings.ToUpper(url) + "</title>", nil
	}
	q, err := actor.Spawn(system, "queue", func(self *actor.Self[message]) (actor.Behavior[message], error) {
		return newQueue(self, download)
	})
	if err != nil {
		return err
	}
	title := func(ctx context.Context, url string) (string, error) {
		return actor.Ask(ctx, q, func(r actor.Reply[string]) message { return request{url, r} })
	}
	if err := visit(ctx, impatient, out, title, online); err != nil {
		return err
	}
	return system.Shutdown(ctx)
}
