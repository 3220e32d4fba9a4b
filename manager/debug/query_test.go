package debug

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Any query has an answer: a page of text without what the user has sent as markup, or data. The links
// of a page lead to what they say.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "q=a", "name=a", "name=", "sort=name&page=3", "page=9223372036854775807", "page=-1&q=%ff", "format=json&q=<script>alert(1)</script>", "%zz&;", "name=%ff%00<script>alert(1)</script>"} {
		f.Add(s, "<b>\xff", "text/html")
	}
	f.Add("q="+strings.Repeat("☂", 100), strings.Repeat("☂", 100), "application/json")
	f.Fuzz(func(t *testing.T, raw, name, accept string) {
		q := parseQuery(&http.Request{URL: &url.URL{RawQuery: raw}})
		link, err := url.Parse(q.href())
		if err != nil || parseQuery(&http.Request{URL: link}) != q {
			t.Fatalf("%q is %+v, whose link is %q, %v", raw, q, q.href(), err)
		}
		values, _ := url.ParseQuery(raw)
		if whole := values.Get("q"); !strings.HasPrefix(whole, q.search) || utf8.ValidString(whole) && !utf8.ValidString(q.search) {
			t.Fatalf("%q is searched for as %q", whole, q.search)
		}
		m, err := manager.New(memory.New(), manager.WithLabel(name[:min(len(name), 1024)]))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close(context.Background()) }()
		if l, err := m.Lock(name[:min(len(name), 1024)]).TryAcquire(t.Context()); err == nil {
			defer func() { _ = l.Release() }()
		}
		for _, h := range []http.Handler{Handler(m, AllowBreak()), StoreHandler("memory:", memory.New())} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.RawQuery = raw
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			body := w.Body.String()
			switch {
			case w.Code != http.StatusOK || !utf8.ValidString(body):
				t.Fatalf("%q: status %d, %.100q", raw, w.Code, body)
			case strings.HasPrefix(w.Header().Get("Content-Type"), "application/json"):
				if !json.Valid([]byte(body)) {
					t.Fatalf("%q: %s", raw, body)
				}
			case strings.Contains(body, "<script>alert"):
				t.Fatalf("%q is on the page as it is", raw)
			}
		}
	})
}
