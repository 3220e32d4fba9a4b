package debug_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

func ExampleHandler() {
	ctx := context.Background()
	locks, err := manager.New(memory.New())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer locks.Close(ctx)
	mux := http.NewServeMux()
	mux.Handle("/debug/locks", debug.Handler(locks))
	admin := httptest.NewServer(mux) // in a program, a server that only operators reach
	defer admin.Close()

	err = locks.Lock("nightly-backup").Do(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin.URL+"/debug/locks", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := admin.Client().Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		fmt.Println(strings.Contains(string(page), "nightly-backup"))
		return err
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A program that locks nothing itself shows a store that others use.
func ExampleStoreHandler() {
	ctx := context.Background()
	store := memory.New() // in a program, that of package file or redis
	locks, err := manager.New(store, manager.WithLabel("nightly"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer locks.Close(ctx)
	page := debug.StoreHandler("the store of db1", store)

	err = locks.Lock("backup").Do(ctx, func(ctx context.Context) error {
		answer := httptest.NewRecorder()
		page.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?name=backup", http.NoBody))
		fmt.Println(answer.Code, strings.Contains(answer.Body.String(), "nightly"))
		return nil
	})
	fmt.Println(err)
	// Output:
	// 200 true
	// <nil>
}
