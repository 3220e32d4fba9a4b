package recipes

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestAThirdRequestOfAUserIsRefused(t *testing.T) {
	began, end, ended := make(chan struct{}), make(chan struct{}), make(chan int)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-end
		}
	})
	store := memory.New()
	servers := make([]http.Handler, 2)
	for i := range servers {
		limited, err := LimitPerUser(machine(t, store.Peer()), func(r *http.Request) string {
			return r.Header.Get("User")
		}, h)
		if err != nil {
			t.Fatal(err)
		}
		servers[i] = limited
	}
	status := func(server http.Handler, user, path string) int {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("User", user)
		server.ServeHTTP(w, r)
		return w.Code
	}
	for _, s := range servers {
		go func() { ended <- status(s, "ann", "/slow") }()
		select {
		case <-began:
		case got := <-ended:
			t.Fatal(got)
		}
	}
	for user, want := range map[string]int{"ann": 429, "bob": 200, "": 200} {
		if got := status(servers[0], user, "/"); got != want {
			t.Errorf("%q: %d, want %d", user, got, want)
		}
	}
	close(end)
	for range servers {
		if got := <-ended; got != 200 {
			t.Error(got)
		}
	}
	if got := status(servers[0], "ann", "/"); got != 200 {
		t.Error(got)
	}
}
