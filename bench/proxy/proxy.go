// Package proxy stands between the clients of a server and the server, and makes the network between them fail.
package proxy

import (
	"bytes"
	"io"
	"net"
	"sync"
)

// Proxy leads to one server. It can let connections fall silent without closing them, as a network does that drops
// every packet: a black hole. And it can cut them.
type Proxy struct {
	Addr string

	server  string
	listen  net.Listener
	running sync.WaitGroup

	mu    sync.Mutex // guards the fields below; a proxy is no lock library's actor
	lines map[*line]bool
	dead  bool // new connections are silent too
	shut  bool
}

// line is one connection through the proxy, both halves.
type line struct {
	client, server net.Conn
	subscribes     bool
	silent         bool
}

// New starts a proxy in front of a server.
func New(server string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), server: server, listen: l, lines: map[*line]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

// Silence lets every connection fall silent, those to come included.
func (p *Proxy) Silence() { p.silence(true, func(*line) bool { return true }) }

// SilenceSubscriptions lets the connections fall silent that have sent a SUBSCRIBE, and no others.
func (p *Proxy) SilenceSubscriptions() { p.silence(false, func(l *line) bool { return l.subscribes }) }

func (p *Proxy) silence(dead bool, which func(*line) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = dead
	for l := range p.lines {
		l.silent = l.silent || which(l)
	}
}

// Cut closes all connections that are open now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.lines {
		l.cut()
	}
}

// Close ends the proxy and cuts its connections.
func (p *Proxy) Close() error {
	err := p.listen.Close()
	p.mu.Lock()
	p.shut = true
	for l := range p.lines {
		l.cut()
	}
	p.mu.Unlock()
	p.running.Wait()
	return err
}

func (l *line) cut() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return // closed
		}
		s, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = c.Close()
			continue
		}
		l := &line{client: c, server: s}
		p.mu.Lock()
		l.silent = p.dead
		p.lines[l] = true
		if p.shut {
			l.cut()
		}
		p.mu.Unlock()
		p.running.Go(func() { p.pump(l, l.server, l.client, true) })
		p.running.Go(func() { p.pump(l, l.client, l.server, false) })
	}
}

// pump forwards one half of a connection until an end of it closes.
func (p *Proxy) pump(l *line, to io.Writer, from io.Reader, request bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			break
		}
		if !p.pass(l, buf[:n], request) {
			continue // swallowed
		}
		if _, err := to.Write(buf[:n]); err != nil {
			break
		}
	}
	p.mu.Lock()
	delete(p.lines, l)
	p.mu.Unlock()
	l.cut()
}

// pass says whether a chunk goes through.
func (p *Proxy) pass(l *line, chunk []byte, request bool) bool {
	subscribe := request && bytes.Contains(bytes.ToLower(chunk), []byte("subscribe"))
	p.mu.Lock()
	defer p.mu.Unlock()
	l.subscribes = l.subscribes || subscribe
	return !l.silent
}
