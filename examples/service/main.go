// Service is an HTTP service of which several instances run, behind a load balancer, say, with a job that must run once at a
// time over all of them: a report that takes a minute and half of the database.
//
//	go run ./examples/service -redis localhost:6379 -listen :8081
//	go run ./examples/service -redis localhost:6379 -listen :8082
//	curl -X POST localhost:8081/report            waits for its turn
//	curl -X POST localhost:8082/report?wait=no    409 while a report is being made, anywhere
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/manager"
)

func main() {
	addr := flag.String("redis", "localhost:6379", "address of the Redis server")
	listen := flag.String("listen", ":8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *addr, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// serve runs one instance until ctx ends.
func serve(ctx context.Context, addr, listen string) (err error) {
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: []string{addr}})
	defer client.Close()
	locks, err := open(client, "service on "+listen)
	if err != nil {
		return err
	}
	s := &http.Server{Addr: listen, Handler: handler(locks, report), ReadHeaderTimeout: time.Second}
	defer context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(bounded) // new requests go to another instance; those at work finish
	})()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return locks.Close(bounded)
}

// open returns the locks that all instances share.
func open(client goredis.UniversalClient, label string) (*manager.Manager, error) {
	store, err := redis.New(client)
	if err != nil {
		return nil, err
	}
	return manager.New(store, manager.WithLabel(label)) // the label is what lockkeeper ls shows
}

// job is what must not run twice at a time. It stops when ctx ends, and sends the token along with what it writes.
type job func(ctx context.Context, token uint64) error

// patience is how long a request waits for the reports before it.
const patience = 30 * time.Second

// handler serves POST /report.
func handler(locks *manager.Manager, work job) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /report", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience) // a client that hangs up leaves the queue
		defer cancel()
		claim := locks.Lock("report")
		acquire := claim.Acquire
		if r.URL.Query().Get("wait") == "no" {
			acquire = claim.TryAcquire
		}
		lease, err := acquire(ctx)
		if err != nil {
			refuse(w, err)
			return
		}
		// From here on the lease counts, not the client: the report is made, although the client may have gone.
		err = errors.Join(work(lease.Context(), lease.Token()), lease.Release())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "made under token %d\n", lease.Token())
	})
	return mux
}

// refuse says why the job was not begun.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, manager.ErrBusy):
		status = http.StatusConflict
	case errors.Is(err, manager.ErrUnavailable), errors.Is(err, manager.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	http.Error(w, err.Error(), status)
}

// report stands for the work.
func report(ctx context.Context, token uint64) error {
	fmt.Println("a report begins under token", token)
	select { // a tie does not matter: a lease that ends now ends it, or has just served
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
