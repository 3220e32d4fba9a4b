package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Verdict says what a proxy does with a chunk of bytes that a client sent.
type Verdict int

// The verdicts.
const (
	Pass      Verdict = iota // forward it
	DropReply                // forward it, wait for the reply, throw that away and cut the connection
	Swallow                  // forget it: a black hole for this connection from here on, both ways
	Cut                      // cut the connection without forwarding
)

// Proxy is a TCP proxy in front of a server. Its methods are safe for concurrent use.
type Proxy struct {
	Addr string
	l    net.Listener

	mu     sync.Mutex // guards what follows; no actor is near
	target string
	judge  func(request []byte) Verdict
	there  time.Duration // see Delay
	back   time.Duration
	conns  map[*link]struct{}
	closed bool
	wg     sync.WaitGroup
}

// link is a client's connection and the server's that belongs to it.
type link struct {
	client, server net.Conn

	mu       sync.Mutex
	hole     bool // nothing is forwarded any more
	dropNext bool // the next bytes from the server are thrown away, then the link is cut
}

// NewProxy returns a proxy to the server, which ends with the test. It passes everything until told otherwise.
func (s *Server) NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: s.Addr, l: l, conns: make(map[*link]struct{})}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// Judge sets the function that decides about each chunk a client sends; nil passes all. It may block: the connection
// then waits with it. One chunk is what one read returned: a client that does not pipeline sends one command in each.
func (p *Proxy) Judge(f func(request []byte) Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = f
}

// Delay makes the ways to the server and back take so much longer, for what is read from now on.
func (p *Proxy) Delay(there, back time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there, p.back = there, back
}

// dawdle takes as long as Delay says.
func (p *Proxy) dawdle(way *time.Duration) {
	p.mu.Lock()
	d := *way
	p.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

// Lead makes the proxy lead to another server, like a host name that gets a new address, and cuts
// all connections.
func (p *Proxy) Lead(to *Server) {
	p.Point(to)
	p.CutAll()
}

// Point makes the proxy lead new connections to another server. Those that are there stay.
func (p *Proxy) Point(to *Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = to.Addr
}

// CutAll cuts all connections that are open now.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.conns {
		l.cut()
	}
}

// BlackHole swallows everything that is sent from now on, both ways, on connections old and new, until Judge is
// called again; connections that were swallowed stay dead.
func (p *Proxy) BlackHole() {
	p.Judge(func([]byte) Verdict { return Swallow })
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.conns {
		l.mu.Lock()
		l.hole = true
		l.mu.Unlock()
	}
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.serve(c)
	}
}

func (p *Proxy) serve(c net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	s, err := net.Dial("tcp", target)
	if err != nil {
		c.Close()
		return
	}
	l := &link{client: c, server: s}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.target != target {
		l.cut()
		return
	}
	p.conns[l] = struct{}{}
	p.wg.Add(2)
	go p.requests(l)
	go p.replies(l)
}

func (p *Proxy) requests(l *link) {
	defer p.end(l)
	for buf := make([]byte, 64<<10); ; {
		n, err := l.client.Read(buf)
		if err != nil {
			return
		}
		p.dawdle(&p.there)
		p.mu.Lock()
		judge := p.judge
		p.mu.Unlock()
		v := Pass
		if judge != nil {
			v = judge(buf[:n])
		}
		if !l.forward(v, buf[:n]) {
			return
		}
	}
}

// forward reports false when the link has ended.
func (l *link) forward(v Verdict, request []byte) bool {
	l.mu.Lock()
	if v == Swallow {
		l.hole = true
	}
	l.dropNext = l.dropNext || v == DropReply
	hole := l.hole
	l.mu.Unlock()
	if v == Cut {
		return false
	}
	if hole {
		return true
	}
	_, err := l.server.Write(request)
	return err == nil
}

func (p *Proxy) replies(l *link) {
	defer p.end(l)
	for buf := make([]byte, 64<<10); ; {
		n, err := l.server.Read(buf)
		if err != nil {
			return
		}
		p.dawdle(&p.back)
		l.mu.Lock()
		hole, drop := l.hole, l.dropNext
		l.mu.Unlock()
		if drop {
			return
		}
		if hole {
			continue
		}
		if _, err := l.client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (l *link) cut() {
	l.client.Close()
	l.server.Close()
}

func (p *Proxy) end(l *link) {
	l.cut()
	p.mu.Lock()
	delete(p.conns, l)
	p.mu.Unlock()
	p.wg.Done()
}

func (p *Proxy) close() {
	p.l.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.CutAll()
	p.wg.Wait()
}
