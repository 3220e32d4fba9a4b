package cli

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are made by the test.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.ended)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// The end of serve waits for requests that have come in whole, and not for half a request or for a
// connection that says nothing.
func TestServeDoesNotWaitForHalfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = time.Second
		srv := &http.Server{ReadHeaderTimeout: requestTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(takes)
			_, _ = io.WriteString(w, "answer")
		})}
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, end := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serve(ctx, srv, l) }()
		said := make(chan string, 3)
		for _, text := range []string{"", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
			client, server := net.Pipe()
			l.conns <- server
			if _, err := io.WriteString(client, text); err != nil {
				t.Fatal(err)
			}
			go func() {
				answer, _ := io.ReadAll(client)
				said <- string(answer)
			}()
		}
		synctest.Wait()
		began := time.Now()
		end()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < takes || took > 2*takes {
			t.Errorf("it has ended after %v; want %v, for the whole request", took, takes)
		}
		answers := 0
		for range 3 {
			if <-said != "" {
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("%d answers; want one", answers)
		}
	})
}
