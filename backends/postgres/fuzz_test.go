package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// unreachable returns a client whose server cannot be reached: what it hears, the test tells.
func unreachable(t *testing.T) *Backend {
	cfg, err := pgxpool.ParseConfig("postgres://u@127.0.0.1:1/d?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.DialFunc = func(context.Context, string, string) (net.Conn, error) { return nil, errors.ErrUnsupported }
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.stop(); b.Crash(); pool.Close() })
	return b
}

// numbers are those of an answer: small ones, and some that are none of ours.
func numbers(raw []byte) []int64 {
	odd := []int64{1764000000000001, 1 << 53, 1<<63 - 1, -1 << 63, -1764000000000001}
	ns := []int64{}
	for len(raw) > 0 {
		n := int64(raw[0])
		raw = raw[1:]
		switch {
		case n < 200:
			n = n%10 - 2
		case n < 250:
			n = odd[n%int64(len(odd))]
		case len(raw) >= 8:
			n = int64(binary.LittleEndian.Uint64(raw))
			raw = raw[8:]
		}
		ns = append(ns, n)
	}
	return ns
}

// Whatever the functions answer, in whatever order the messages come: each request and each release
// is answered once, a grant has a token, an error has a sentinel, and nothing ends the client.
func FuzzAnswers(f *testing.F) {
	const token = 205 // numbers makes it one of the server
	f.Add([]byte{token, 3, token, 2, 2}, []byte{}, []byte{}, "g1:1764000000000001:1764000000000001:0", false)
	f.Add([]byte{token, 2, token, 2, 2}, []byte{}, []byte{token, 2, 3, token, token, 2}, "t1", true)
	f.Add([]byte{token, 2, 2, 2, 2, 9, 9, 9, 9, 9, 9, 9, 9}, []byte{}, []byte{}, "", true)
	f.Add([]byte{token, 2, 2, 2, 2, 2, 9, 9, 3, token, token, 9, 3}, []byte{1}, []byte{}, "\xff", false)
	f.Add([]byte{token, 4, 3, 3, 3}, []byte{token, 4, 2, 2, 2}, []byte{token, token}, "g1:1:1:1\nb1\nc1\nx", false)
	f.Fuzz(func(t *testing.T, first, second, beat []byte, messages string, try bool) {
		b := unreachable(t)
		b.client.inbox.stop = func() {} // as if it were open
		answers := make(chan error, 10)
		released := make(chan error, 10)
		r := backends.Request{
			Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1, TTL: time.Minute,
			Notify: func(backends.Event) {}, MinValid: time.Second,
		}
		op := &backends.Op{
			Acquire: []backends.Request{r}, Wait: !try, Released: func(_ int, err error) { released <- err },
			Granted: func(_ int, g backends.Grant, err error) {
				if err == nil && (g.Token == 0 || g.Token >= 1<<63 || g.Resource != r.Resource || g.ValidUntil.IsZero()) {
					t.Errorf("%+v is no grant", g)
				}
				answers <- err
			},
		}
		withRelease := len(first)%2 == 0
		if withRelease {
			op.Release = []backends.Grant{{ID: backends.GrantID{Client: b.id, Seq: 9}, Resource: r.Resource, Token: 1}}
		}
		b.Start(op)
		o := op.State.(*operation)
		for n, raw := range [][]byte{first, second} {
			e := &exchange{operation: o, first: n == 0, requests: []*request{&o.requests[0]}, answer: answer{numbers: numbers(raw), sent: time.Now()}}
			if withRelease && n == 0 {
				e.back = []int{0}
			}
			b.tell(e)
			for _, m := range strings.Split(messages, "\n") {
				b.tell(notified{b.client.inbox.number, m})
			}
			b.tell(looked{[]int64{1}, answer{numbers: numbers(beat), sent: time.Now()}, true})
		}
		if work := b.Cancel(op); work != nil {
			work(context.Background())
		}
		told := func(err error) {
			t.Helper()
			var p *actor.PanicError
			if errors.As(err, &p) {
				panic(p) // nothing would end the client
			}
			for _, is := range []error{nil, backends.ErrBusy, backends.ErrMismatch, backends.ErrUnavailable, backends.ErrLost, context.Canceled} {
				if errors.Is(err, is) {
					return
				}
			}
			t.Fatal(err)
		}
		told(<-answers)
		if withRelease {
			told(<-released)
		}
		b.Crash()
		if len(answers)+len(released) > 0 {
			t.Fatal("answered twice")
		}
	})
}

// A message is read as it was written, or not at all.
func FuzzParseWakeUp(f *testing.F) {
	for _, s := range []string{"1:2:3:1", "9223372036854775807:1:1:0", "1:2:3", "1:2:3:4:5", ":::", "", "1:-2:3:1", "9223372036854775808:1:1:1", "01:2:3:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seq, n, ok := parseWakeUp(s)
		if ok && (seq >= 1<<63 || n.made < 0 || n.token >= 1<<63 || strings.Count(s, ":") != 3) {
			t.Errorf("%q: %d, %+v", s, seq, n)
		}
	})
}

// An owner comes back as it was; junk is nobody.
func FuzzOwner(f *testing.F) {
	f.Add("h", 7, "l", "")
	f.Add("\xff\"}", -1, "\x00 {}", `{"h":null,"p":1e3}`)
	f.Fuzz(func(t *testing.T, host string, pid int, label, junk string) {
		want := backends.Owner{Host: host, PID: pid, Label: label}
		if got := parseOwner(ownerText(want)); got != want {
			t.Fatalf("%q is %+v, was %+v", ownerText(want), got, want)
		}
		_ = parseOwner([]byte(junk))
	})
}

// A URL is refused by an *InvalidError that does not tell the password, wherever somebody has put it.
func FuzzParseURL(f *testing.F) {
	f.Add("postgres://u:", "@h:5432/d?sslmode=disable")
	f.Add("postgresql://h/d?password=", "&sslmode=nothing")
	f.Add("postgres://u:p@h/", "?sslmode=nothing")
	f.Add("postgres://h/d?sslmode=disable&listen=u:", "@h:1")
	f.Add("postgres://h/d?sslmode=disable&schema=", "")
	f.Add("postgres://", "@h/d?pool_max_conns=x")
	f.Add("postgres://u:", "\xadh:5432/d?sslmode=x") // without the @
	f.Add("mysql://", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "Pa55-w0rd-Pa55"
		if strings.Contains(before+after, "file") || strings.Contains(before+after, "ssl") && strings.Contains(before+after, "/dev") {
			return // files of the machine that the fuzzer runs on
		}
		target, err := parseURL(before + password + after)
		var invalid *backends.InvalidError
		switch {
		case err == nil && target.pool == nil:
			t.Fatalf("%q is nothing", before+password+after)
		case err == nil:
			if _, err := newOptions(target.opts); err != nil && !errors.Is(err, backends.ErrInvalid) {
				t.Fatal(err)
			}
		case !errors.As(err, &invalid):
			t.Fatalf("%q: %v", before+password+after, err)
		case strings.Contains(err.Error(), password):
			u, broken := url.Parse(before + password + after) // what stands where a host does is taken for one
			if broken != nil || !plainHost.MatchString(u.Host) || !strings.Contains(u.Host, password) {
				t.Fatalf("%q: %v", before+password+after, err)
			}
		}
	})
}
