package debug

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"net/http"
	"strings"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Handler returns a page that shows what m is doing in this process, and what its store knows of a
// name: see the package comment. With ?format=json, or for a client that accepts only JSON, it
// answers with [manager.Stats] as JSON; q and name select resources there too. The page of a nil or
// zero Manager is empty. The handler may be mounted under any path; requests to it may run at the
// same time. It changes nothing unless [AllowBreak] is given.
//
// Handler registers nothing and asks nobody who they are. Mount it where only operators can reach
// it: names, labels and lines of code may say more than they should.
func Handler(m *manager.Manager, opts ...Option) http.Handler {
	h := newHandler(m)
	for _, o := range opts {
		if o.apply != nil {
			o.apply(h)
		}
	}
	return h
}

// An Option of [Handler]. The zero Option changes nothing.
type Option struct{ apply func(*handler) }

// AllowBreak lets the page break a name, see [manager.Manager.Break], after a question. A request
// that a page of another site has a browser send is refused. Everybody else who can reach the
// handler can break every name: protect it. Default: the page is read-only.
func AllowBreak() Option { return Option{func(h *handler) { h.breaks = true }} }

type handler struct {
	m      *manager.Manager
	breaks bool
	guard  http.CrossOriginProtection // its zero value allows the same origin only
	seed   maphash.Seed               // of the rows' ids: nobody can choose names whose ids collide
	past   history
}

func newHandler(m *manager.Manager) *handler { return &handler{m: m, seed: maphash.MakeSeed()} }

// ServeHTTP answers a request for the page, for its data, or to break a name.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	allowed := "GET, HEAD"
	if h.breaks {
		allowed += ", POST"
	}
	switch {
	case r.Method == http.MethodPost && h.breaks:
		h.post(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", allowed)
		http.Error(w, "only "+allowed, http.StatusMethodNotAllowed)
	case wantsJSON(r):
		h.json(w, parseQuery(r))
	default:
		h.page(w, r)
	}
}

// json answers with the statistics, of the resources that the request selects.
func (h *handler) json(w http.ResponseWriter, q query) {
	s := h.m.Stats()
	if q.named || q.search != "" {
		kept := []manager.ResourceStats{}
		for i := range s.Resources {
			if r := &s.Resources[i]; q.matches(r) {
				kept = append(kept, *r)
			}
		}
		s.Resources = kept
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil { // only a fault of Stats itself
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body.Bytes()) // a client that has gone needs no page
}

// matches reports whether the query selects a resource.
func (q query) matches(r *manager.ResourceStats) bool {
	if q.named {
		return r.Name == q.name
	}
	if q.search == "" {
		return true
	}
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(q.search)) }
	if has(r.Name) {
		return true
	}
	for i := range r.Holders {
		if has(r.Holders[i].Site) {
			return true
		}
	}
	for i := range r.Waiters {
		if has(r.Waiters[i].Site) {
			return true
		}
	}
	return false
}

func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	q := parseQuery(r)
	var v *view
	if q.named {
		v = h.detail(r.Context(), q)
	} else {
		v = h.overview(q)
	}
	write(w, http.StatusOK, v)
}

// write answers with a page.
func write(w http.ResponseWriter, status int, v *view) {
	var body bytes.Buffer
	if err := pages().ExecuteTemplate(&body, "page", v); err != nil { // only a fault of the template
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that has gone needs no page
}
