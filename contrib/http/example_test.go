package lkhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkhttp "github.com/lockkeeper/lockkeeper/contrib/http"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx := context.Background()
	locks, err := manager.New(memory.New()) // a store for many machines: backends/redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()
	turns, err := lkhttp.New(func(r *http.Request) (manager.Claim, bool) {
		return locks.Lock("account/" + r.PathValue("id")), r.Method != http.MethodGet
	}, lkhttp.WithWait(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/accounts/{id}", turns(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, "under", manager.LeaseFrom(r.Context()).Name())
	})))

	answer := func(method, path string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, nil))
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	answer("PUT", "/accounts/7")
	err = locks.Lock("account/7").Do(ctx, func(context.Context) error {
		answer("PUT", "/accounts/7")
		return nil
	})
	fmt.Println(err)
	// Output:
	// PUT under account/7
	// 200 ""
	// 409 "1"
	// <nil>
}
