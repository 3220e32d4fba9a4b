package debug_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// post sends a form; headers are pairs.
func post(h http.Handler, name, form string, headers ...string) *httptest.ResponseRecorder {
	target := "http://ops.example/debug/locks?" + url.Values{"name": {name}}.Encode()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestANameIsBrokenAfterAQuestion(t *testing.T) {
	const name = "a\xff<b>"
	m := newManager(t)
	lease := hold(t, m.Lock(name))
	h := debug.Handler(m, debug.AllowBreak())
	asked := post(h, name, "", "Sec-Fetch-Site", "same-origin")
	if body := asked.Body.String(); asked.Code != http.StatusOK || !strings.Contains(body, "Break it") ||
		!strings.Contains(body, "?name=a%FF%3Cb%3E") || strings.Contains(body, "<script>") || !lease.Valid() {
		t.Fatalf("%d, valid %v: %s", asked.Code, lease.Valid(), body)
	}
	done := post(h, name, "confirm=yes", "Sec-Fetch-Site", "same-origin")
	if to := done.Header().Get("Location"); done.Code != http.StatusSeeOther || to != "?name=a%FF%3Cb%3E" {
		t.Errorf("%d to %q: %s", done.Code, to, done.Body)
	}
	<-lease.Context().Done()
	if n := m.Stats().Totals.Lost; n != 1 {
		t.Errorf("%d lost", n)
	}
}

func TestOtherSitesBreakNothing(t *testing.T) {
	m := newManager(t)
	lease := hold(t, m.Lock("a"))
	h := debug.Handler(m, debug.AllowBreak())
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"},
		{"Origin", "null"}, {"Origin", "http://ops.example.evil.example"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "http://ops.example"},
	} {
		if w := post(h, "a", "confirm=yes", headers...); w.Code != http.StatusForbidden || !lease.Valid() {
			t.Errorf("%q: %d", headers, w.Code)
		}
	}
	if w := post(debug.Handler(m), "a", "confirm=yes", "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("without AllowBreak: %d", w.Code)
	}
	if w := post(h, "a", strings.Repeat("x", 1<<20)); w.Code != http.StatusBadRequest {
		t.Errorf("a form without an end: %d", w.Code)
	}
	get := httptest.NewRecorder()
	h.ServeHTTP(get, httptest.NewRequest(http.MethodGet, "/?name=a&confirm=yes", nil))
	if !lease.Valid() || !strings.Contains(get.Body.String(), "Break…") {
		t.Errorf("a GET: valid %v, %s", lease.Valid(), get.Body)
	}
	if w := post(h, "a", "confirm=yes", "Origin", "http://ops.example"); w.Code != http.StatusSeeOther {
		t.Errorf("the same origin: %d", w.Code)
	}
}

func TestWhatCannotBeBrokenSaysWhy(t *testing.T) {
	h := debug.Handler(newManager(t), debug.AllowBreak())
	for name, want := range map[string]int{"": http.StatusBadRequest, strings.Repeat("x", 2000): http.StatusBadRequest} {
		w := post(h, name, "confirm=yes")
		if w.Code != want || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Errorf("%.10q: %d", name, w.Code)
		}
	}
	if w := post(debug.Handler(&manager.Manager{}, debug.AllowBreak(), debug.Option{}), "a", "confirm=yes"); w.Code != http.StatusBadRequest {
		t.Errorf("a zero manager: %d", w.Code)
	}
}
