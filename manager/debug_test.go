package manager

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestDebugPageShowsLiveResources(t *testing.T) {
	m := newManager(t, memory.New())
	l := mustAcquire(t, m.Lock("<b>db</b>"))
	defer mustRelease(t, l)
	get := func(target, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, target, http.NoBody)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		m.DebugHandler().ServeHTTP(w, r)
		return w
	}
	html := get("/", "text/html,*/*")
	body := html.Body.String()
	if html.Code != http.StatusOK || !strings.Contains(body, "&lt;b&gt;db&lt;/b&gt;") || strings.Contains(body, "<b>db") ||
		!strings.Contains(body, "</html>") {
		t.Errorf("page %d: %s", html.Code, body)
	}
	for _, w := range []*httptest.ResponseRecorder{get("/?format=json", "*/*"), get("/", "application/json")} {
		var s Stats
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || s.Holding != 1 || s.Resources[0].Name != "<b>db</b>" {
			t.Errorf("JSON: %v, %+v", err, s)
		}
	}
	w := httptest.NewRecorder()
	m.DebugHandler().ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", http.NoBody))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}
