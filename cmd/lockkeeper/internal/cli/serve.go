package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// What a browser is given to send its request and to take the answer; a look at a store may last
// ten seconds. And how long the requests of the moment may take when serve is to end.
const (
	requestTimeout = 10 * time.Second
	answerTimeout  = time.Minute
	endTimeout     = 5 * time.Second
)

// errListen: browsers cannot reach the page. The store may be well.
var errListen = errors.New("cannot listen")

type serveCmd struct {
	Store      string   `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Listen     string   `help:"Where browsers reach the page; :PORT is every address of this machine. Default: a free port of 127.0.0.1." default:"127.0.0.1:0" placeholder:"HOST:PORT"`
	Host       []string `help:"A further name by which browsers reach the page, such as that of a proxy." placeholder:"NAME"`
	AllowBreak bool     `help:"The page can break names, for everybody who reaches it. Default: it only reads."`
}

// Help is shown by serve --help.
func (*serveCmd) Help() string {
	return "It prints the address of the page, and ends by ^C or SIGTERM. It asks nobody for a password: " +
		"let only operators reach it."
}

// Run shows the store as a page until it is told to end.
func (c *serveCmd) Run(s streams) exitCode {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	v := &view{Store: c.Store}
	err := v.read(func(r store.Reader, where store.Store, _ time.Duration) error {
		l, err := c.listen(ctx)
		if err != nil {
			return err
		}
		srv := &http.Server{
			Handler: c.handler(v, r, where, l.Addr()), ErrorLog: log.New(s.err, "lockkeeper: ", 0),
			ReadTimeout: requestTimeout, WriteTimeout: answerTimeout,
		}
		if !local(l.Addr()) {
			s.warn("the page asks for no password: everybody who reaches %v can use it", l.Addr())
		}
		if _, err := fmt.Fprintln(s.out, c.url(l.Addr())); err != nil {
			return errors.Join(printed(err), l.Close())
		}
		return serve(ctx, srv, l)
	})
	if err != nil {
		return s.fail(err)
	}
	return exitOK
}

// listen begins to listen: from here on browsers may connect.
func (c *serveCmd) listen(ctx context.Context) (net.Listener, error) {
	_, port, err := net.SplitHostPort(c.Listen)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: --listen: %w", backends.ErrInvalid, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", backends.ErrPermission, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errListen, err)
	}
	return l, nil
}

// handler shows the page at / and nowhere else. Without --allow-break it cannot break: it has only
// what reads.
func (c *serveCmd) handler(v *view, r store.Reader, where store.Store, at net.Addr) http.Handler {
	page := debug.StoreHandler(where.String(), reader{r})
	if c.AllowBreak {
		page = debug.StoreHandler(where.String(), breaker{reader{r}, v}, debug.AllowBreak())
	}
	mux := http.NewServeMux()
	mux.Handle("/{$}", page)
	return c.guard(mux, at)
}

// reader hides what else a store can do.
type reader struct{ store.Reader }

// breaker opens the store for as long as it takes to break a name: a look at a directory needs no
// right to write, and leaves no trace.
type breaker struct {
	reader
	v *view
}

// Break breaks a name.
func (b breaker) Break(ctx context.Context, name string) error {
	return b.v.look(func(b backends.Backend, _ time.Duration) error { return b.Break(ctx, name) })
}

// guard refuses requests for other hosts: a page of another site can have its own name lead here (DNS
// rebinding), and to the browser the page and we are then one site. An address in place of a name
// leads nowhere else.
func (c *serveCmd) guard(next http.Handler, at net.Addr) http.Handler {
	named, _, _ := net.SplitHostPort(c.Listen)
	names := append([]string{"localhost", named}, c.Host...)
	if machine, err := os.Hostname(); err == nil && !local(at) {
		names = append(names, machine)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]") // it has no port
		}
		ip := net.ParseIP(host)
		known := slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(host, name) })
		if host != "" && known || ip != nil && (ip.IsLoopback() || !local(at)) {
			next.ServeHTTP(w, r)
			return
		}
		http.Error(w, "refused: the request is for another host; lockkeeper serve --host NAME allows one", http.StatusForbidden)
	})
}

// local reports whether only this machine can reach the address.
func local(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// url is where a browser finds the page.
func (c *serveCmd) url(at net.Addr) string {
	host, _, _ := net.SplitHostPort(c.Listen)
	address := at.String()
	if _, port, err := net.SplitHostPort(address); err == nil && host != "" {
		address = net.JoinHostPort(host, port)
	}
	return "http://" + address + "/"
}

// newcomers are the connections from which no whole request has come. The server would wait for
// them at its end.
type newcomers struct{ all sync.Map }

// state is the server's ConnState.
func (n *newcomers) state(c net.Conn, s http.ConnState) {
	if s == http.StateNew {
		n.all.Store(c, nil)
	} else {
		n.all.Delete(c)
	}
}

// close closes those that there are.
func (n *newcomers) close() {
	n.all.Range(func(c, _ any) bool {
		if c, ok := c.(net.Conn); ok {
			c.Close()
		}
		return true
	})
}

// serve answers requests until ctx ends, and then finishes those that have come in whole.
func serve(ctx context.Context, srv *http.Server, l net.Listener) error {
	var fresh newcomers
	srv.ConnState = fresh.state
	failed := func(err error) error { return err }
	done := command.Background("serve", func() error { return srv.Serve(l) }, failed)
	select {
	case err := <-done: // only a fault: nothing else ends it before ctx does; one that comes second is seen below
		return fmt.Errorf("%w: %w", errListen, err)
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	finished := command.Background("shutdown", func() error { return srv.Shutdown(within) }, failed)
	err := <-done // it listens no longer, so no connection comes in any more
	fresh.close()
	if <-finished != nil {
		_ = srv.Close() // the others have been given their time
	}
	if !errors.Is(err, http.ErrServerClosed) { // it failed when it was told to end
		return fmt.Errorf("%w: %w", errListen, err)
	}
	return nil
}
