package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// oracle is a server whose answers are made of bytes: any answers, in the words of the protocol.
type oracle struct {
	mu    sync.Mutex
	bytes []byte
}

// texts are those that an answer of a script may have, or nearly.
var texts = []string{
	"", "0", "1", "2", "-1", "1764000000000000", "9007199254740993", "99999999999999999999", "junk",
	"0123456789abcdef-1 1764000005000000 h1 5 1 7 {}", "1764000005000000 h1 5 1 7 {}", "m", "v", "4", "k", "c",
	"lk:{db}", "g:0123456789abcdef-1", "w:0123456789abcdef-1", "1 1 1 h1 ab 7 {}", "redis_version:7.2.0\r\nrole:master\r\n",
}

// refusals are what a server answers instead.
var refusals = []string{
	"NOSCRIPT No matching script.", "WRONGTYPE of a key", "FOREIGN", "VERSION", "DAMAGED m script: x", "OOM command not allowed",
	"READONLY You can't write", "LOADING", "NOPERM", "NOAUTH", "BUSY", "CLUSTERDOWN", "ERR unknown", "NOREPLICAS", "",
}

func (o *oracle) next() int {
	if len(o.bytes) == 0 {
		return -1
	}
	b := o.bytes[0]
	o.bytes = o.bytes[1:]
	return int(b)
}

func (o *oracle) answer() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.value(0)
}

func (o *oracle) value(depth int) string {
	const most = 3
	switch n := o.next(); {
	case n < 0:
		return "-ERR no more answers\r\n"
	case n < 60:
		return fmt.Sprintf(":%d\r\n", n%8-2)
	case n < 70:
		return ":" + strconv.FormatInt([]int64{1764000000000000, 1<<53 + 1, 1<<63 - 1, -1 << 63}[n%4], 10) + "\r\n"
	case n < 130:
		return bulk(texts[(n-70)%len(texts)])
	case n < 140:
		raw := o.bytes[:min(n-130, len(o.bytes))]
		o.bytes = o.bytes[len(raw):]
		return bulk(string(raw))
	case n < 150:
		return "$-1\r\n"
	case n < 180:
		return "-" + refusals[(n-150)%len(refusals)] + "\r\n"
	case depth == most:
		return "*0\r\n"
	default:
		var s strings.Builder
		fmt.Fprintf(&s, "*%d\r\n", (n-180)%7)
		for range (n - 180) % 7 {
			s.WriteString(o.value(depth + 1))
		}
		return s.String()
	}
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// serve answers the commands of a connection.
func (o *oracle) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		words, err := readCommand(in)
		if err != nil {
			return
		}
		answer := "-ERR unknown command\r\n"
		switch strings.ToLower(words[0]) {
		case "hello", "client", "auth", "select":
		case "subscribe":
			answer = "*3\r\n" + bulk("subscribe") + bulk(words[len(words)-1]) + ":1\r\n"
		default:
			answer = o.answer()
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// readCommand reads an array of bulk strings.
func readCommand(in *bufio.Reader) (words []string, err error) {
	var n, length int
	if _, err = fmt.Fscanf(in, "*%d\r\n", &n); err != nil || n < 1 {
		return nil, errors.Join(err, io.EOF)
	}
	for range n {
		if _, err = fmt.Fscanf(in, "$%d\r\n", &length); err != nil {
			return nil, err
		}
		word := make([]byte, length+len("\r\n"))
		if _, err = io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words = append(words, string(word[:length]))
	}
	return words, nil
}

// listen returns the address of the server.
func (o *oracle) listen(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { o.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// client returns a backend that the server answers.
func (o *oracle) client(t *testing.T) *redis.Backend {
	client := goredis.NewClient(&goredis.Options{Addr: o.listen(t), Protocol: 2, DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	b, err := redis.New(client, redis.WithPrefix("lk:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Crash)
	return b
}

// A server that grants what is no token, such as one in front of the server that makes an answer up,
// has granted nothing that could be relied on.
func TestAnAnswerThatIsNoTokenGrantsNothing(t *testing.T) {
	for _, token := range []byte{2, 1, 62, 63} { // 0, -1, 2^63-1, -2^63
		b := (&oracle{bytes: []byte{token}}).client(t)
		if g, err := backends.TryAcquire(t.Context(), b, mutex("db", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("granted %+v, %v", g, err)
		}
	}
}

// Whatever a server answers, or something that calls itself one: every call returns, what it grants
// is a grant that answers the request, and everything else is an error that a caller can tell apart.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{62, 62})                                          // a token
	f.Add([]byte{150, 62, 183, 3, 60, 2, 0, 183, 3, 60, 3})        // a script that is not known, a grant
	f.Add([]byte{182, 2, 1, 185, 4, 3, 75, 0, 80, 80})             // busy
	f.Add([]byte{184, 4, 3, 75, 75, 182, 75, 184, 82, 83, 81, 79}) // queued; a state
	f.Add([]byte{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2})        // a token of nothing
	f.Add([]byte{1, 1, 60, 61, 63, 0, 181, 61, 182, 3, 3})
	f.Fuzz(func(t *testing.T, answers []byte) {
		b := (&oracle{bytes: answers}).client(t)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		r := mutex("db", time.Minute)
		r.Tokens = 2
		var held backends.Grant
		for _, acquire := range []func(context.Context, backends.Backend, backends.Request) (backends.Grant, error){backends.TryAcquire, backends.Acquire} {
			g, err := acquire(ctx, b, r)
			told(t, err)
			if err == nil && (g.Token == 0 || g.Token > 1<<53 || g.Tokens != 2 || g.Resource != r.Resource || g.ValidUntil.IsZero()) {
				t.Fatalf("%+v is no grant of %+v", g, r)
			}
			if err == nil {
				held = g
			}
		}
		if held.Token != 0 {
			a := b.Renew(ctx, []backends.Renewal{{Grant: held, TTL: time.Minute, Tokens: 1}})[0]
			if told(t, a.Err); a.Err == nil && (a.Token <= held.Token || a.ValidUntil.Before(held.ValidUntil)) {
				t.Fatalf("%+v does not renew %+v", a, held)
			}
			told(t, b.Detach(ctx, backends.Detachment{Grant: held, Token: held.Token, TTL: time.Minute}))
			told(t, backends.Release(ctx, b, held))
		}
		g, err := b.Adopt(ctx, backends.Adoption{Request: mutex("db", time.Minute), ID: backends.GrantID{Client: 1, Seq: 2}})
		if told(t, err); err == nil && (g.Token == 0 || g.Token > 1<<53) {
			t.Fatalf("%+v is adopted", g)
		}
		s, err := b.Inspect(ctx, "db")
		if told(t, err); err == nil && len(s.Holders) > 0 && s.Resource.Check() != nil {
			t.Fatalf("%+v is no state", s)
		}
		for _, err := range b.List(ctx) {
			told(t, err)
		}
		told(t, b.Break(ctx, "db"))
		_, err = b.Check(ctx)
		told(t, err)
	})
}

// told checks that an error has a sentinel, and that no answer is a bug of ours.
func told(t *testing.T, err error) {
	t.Helper()
	var p *actor.PanicError
	if errors.As(err, &p) {
		t.Fatalf("%v\n%s", err, p.Stack)
	}
	for _, is := range []error{
		nil, backends.ErrBusy, backends.ErrMismatch, backends.ErrLost, backends.ErrUnavailable, backends.ErrPermission,
		backends.ErrTicket, backends.ErrInvalid, context.DeadlineExceeded,
	} {
		if errors.Is(err, is) {
			return
		}
	}
	t.Fatalf("%v", err)
}
