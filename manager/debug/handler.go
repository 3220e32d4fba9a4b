package debug

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/listing"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Handler returns a page that shows what m is doing in this process, and what its store knows of a
// name: see the package comment. With ?format=json, or for a client that accepts only JSON, it
// answers with [manager.Stats] as JSON, a resource in each line; q and name select resources there
// too. The page of a nil or zero Manager is empty. The handler may be mounted under any path;
// requests to it may run at the same time. It changes nothing unless [AllowBreak] is given.
//
// Handler registers nothing and asks nobody who they are. Mount it where only operators can reach
// it: names, labels and lines of code may say more than they should.
func Handler(m *manager.Manager, opts ...Option) http.Handler {
	h := newHandler(&process{m: m, board: newBoard()}, opts)
	if h.mayBreak {
		h.breaks = m.Break
	}
	return h
}

// An Option of [Handler] and [StoreHandler]. The zero Option changes nothing.
type Option struct{ apply func(*handler) }

// AllowBreak lets the page break a name, see [manager.Manager.Break], after a question. A request
// that a page of another site has a browser send is refused. Everybody else who can reach the
// handler can break every name: protect it. Default: the page is read-only.
func AllowBreak() Option { return Option{func(h *handler) { h.mayBreak = true }} }

type handler struct {
	subject
	mayBreak bool
	breaks   func(ctx context.Context, name string) error // nil: the page is read-only
	guard    http.CrossOriginProtection                   // its zero value allows the same origin only
}

// A subject makes the pages of what is shown: of a manager in this process, or of a store.
type subject interface {
	// head makes a page with nothing below its header.
	head(q query) *view

	// overview makes the page of all names. An error means that the page has nothing but the error.
	overview(ctx context.Context, q query) (*view, error)

	// detail makes the page of one name.
	detail(ctx context.Context, q query) *view

	// data returns what the request selects, for programs, and an error as overview does.
	data(ctx context.Context, q query) (any, error)

	inspect(ctx context.Context, name string) (backends.State, error)
}

func newHandler(of subject, opts []Option) *handler {
	h := &handler{subject: of}
	for _, o := range opts {
		if o.apply != nil {
			o.apply(h)
		}
	}
	return h
}

// ServeHTTP answers a request for the page, for its data, or to break a name.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	allowed := "GET, HEAD"
	if h.breaks != nil {
		allowed += ", POST"
	}
	switch {
	case r.Method == http.MethodPost && h.breaks != nil:
		h.post(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", allowed)
		http.Error(w, "only "+allowed, http.StatusMethodNotAllowed)
	case wantsJSON(r):
		h.json(w, r)
	default:
		h.page(w, r)
	}
}

// json answers with data for programs.
func (h *handler) json(w http.ResponseWriter, r *http.Request) {
	data, failed := h.data(r.Context(), parseQuery(r))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statusOf(failed))
	_ = writeData(w, data) // a client that has gone needs no data; after a fault, they are cut off
}

// writeData writes the data name by name: all at once, they are megabytes, several times over.
func writeData(out io.Writer, data any) error {
	s, ok := data.(manager.Stats)
	if !ok {
		return listing.Write(out, data)
	}
	rows := s.Resources
	s.Resources = []manager.ResourceStats{}
	return listing.WriteLines(out, s, "resources", rows)
}

func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	q := parseQuery(r)
	if !q.named {
		v, err := h.overview(r.Context(), q)
		write(w, statusOf(err), v)
		return
	}
	v := h.detail(r.Context(), q)
	if h.breaks != nil && v.Detail.breakable {
		v.Detail.Break = hrefOf(q.name)
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
