package debug

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

const (
	mostPosted    = 8 << 10          // bytes of a form
	breakPatience = 10 * time.Second // for the store to break a name
)

// asks is the question before a name is broken. It shows who holds the name.
type asks struct {
	Name, Quoted, Href string
	Held               people
}

// post asks whether to break the name, and breaks it if the form says that it was asked. The name
// stands in the address: a form can only send what is UTF-8.
func (h *handler) post(w http.ResponseWriter, r *http.Request) {
	if err := h.guard.Check(r); err != nil {
		http.Error(w, "refused: a page of another site has sent this request", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostPosted)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "not a form", http.StatusBadRequest)
		return
	}
	q := parseQuery(r)
	ctx, cancel := context.WithTimeout(r.Context(), breakPatience)
	defer cancel()
	if r.PostForm.Get("confirm") != "yes" {
		state, err := h.inspect(ctx, q.name)
		h.ask(w, q, &state, err)
		return
	}
	if err := h.breaks(ctx, q.name); err != nil {
		h.ask(w, q, &backends.State{}, err)
		return
	}
	w.Header().Set("Location", hrefOf(q.name)) // relative to the address that the browser knows
	w.WriteHeader(http.StatusSeeOther)
}

// ask shows the question, and err if there is one.
func (h *handler) ask(w http.ResponseWriter, q query, state *backends.State, err error) {
	v := h.head(q)
	v.Title = "break " + clipped(q.name, 40) + "? – lockkeeper"
	v.Asks = &asks{Name: readable(q.name), Quoted: quoted(q.name), Href: hrefOf(q.name), Held: holders(state)}
	if err != nil {
		v.Problem = readable(err.Error())
	}
	write(w, statusOf(err), v)
}

func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, manager.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, manager.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, manager.ErrUnavailable), errors.Is(err, manager.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
