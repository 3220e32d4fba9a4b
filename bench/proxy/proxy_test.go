package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// start returns a proxy in front of a server that sends back what it gets.
func start(t *testing.T) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_, _ = io.Copy(c, c) // until the proxy cuts the connection
				_ = c.Close()
			})
		}
	})
	p, err := New(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return p
}

// client is a connection through the proxy.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *Proxy) client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return client{c, bufio.NewReader(c)}
}

// ask sends a line and returns the answer, if one comes by the deadline; none is forever.
func (c client) ask(line string, deadline time.Duration) (string, error) {
	if deadline > 0 {
		if err := c.SetReadDeadline(time.Now().Add(deadline)); err != nil {
			return "", err
		}
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	return c.in.ReadString('\n')
}

const short = 50 * time.Millisecond // only bounds what must not come

func TestSilentSubscriptionsLeaveOtherConnectionsAlone(t *testing.T) {
	p := start(t)
	plain, subscribed := dial(t, p), dial(t, p)
	for _, c := range []client{plain, subscribed} {
		line := "hello"
		if c == subscribed {
			line = "SUBSCRIBE news"
		}
		if s, err := c.ask(line, 0); s != line+"\n" || err != nil {
			t.Fatalf("%q was answered by %q, %v", line, s, err)
		}
	}
	p.SilenceSubscriptions()
	if s, err := subscribed.ask("again", short); err == nil {
		t.Errorf("a silent subscription received %q", s)
	}
	if s, err := plain.ask("again", 0); s != "again\n" || err != nil {
		t.Errorf("beside a silent subscription: %q, %v", s, err)
	}
}

func TestSilenceIsForConnectionsThatComeToo(t *testing.T) {
	p := start(t)
	before := dial(t, p)
	p.Silence()
	for _, c := range []client{before, dial(t, p)} {
		s, err := c.ask("hello", short)
		if e, ok := err.(net.Error); !ok || !e.Timeout() {
			t.Errorf("through a silent proxy: %q, %v; want silence", s, err)
		}
	}
}

func TestCutEndsConnectionsAndLetsNewOnesIn(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	if _, err := c.ask("hello", 0); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if s, err := c.ask("hello", 0); err == nil {
		t.Errorf("a connection that was cut answered %q", s)
	}
	if s, err := dial(t, p).ask("hello", 0); s != "hello\n" || err != nil {
		t.Errorf("a new connection: %q, %v", s, err)
	}
}
