package debug

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A query is what a request asks for.
type query struct {
	name   string // of the detail page
	named  bool
	search string
	byName bool // the order; else by trouble
	page   int  // from 0
}

const mostSearched = 256 // bytes of a search

func parseQuery(r *http.Request) query {
	v := r.URL.Query()
	q := query{name: v.Get("name"), named: v.Has("name"), search: v.Get("q"), byName: v.Get("sort") == "name"}
	if n := mostSearched; len(q.search) > n {
		for n > mostSearched-utf8.UTFMax && !utf8.RuneStart(q.search[n]) { // half a letter finds nothing
			n--
		}
		q.search = q.search[:n]
	}
	if n, err := strconv.Atoi(v.Get("page")); err == nil {
		q.page = max(n, 1) - 1
	}
	return q
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return r.URL.Query().Get("format") == "json" ||
		strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// href is a link to what q asks for. It is relative, so the page works wherever it is mounted.
func (q query) href() string { return "?" + q.values().Encode() }

// with is a link to what q asks for, with one value changed.
func (q query) with(key, value string) string {
	v := q.values()
	v.Set(key, value)
	return "?" + v.Encode()
}

func (q query) values() url.Values {
	v := url.Values{}
	if q.named {
		v.Set("name", q.name)
	}
	if q.search != "" {
		v.Set("q", q.search)
	}
	if q.byName {
		v.Set("sort", "name")
	}
	if q.page > 0 {
		v.Set("page", strconv.Itoa(q.page+1))
	}
	return v
}

// hrefOf is a link to the page of a name. It keeps bytes that are not UTF-8.
func hrefOf(name string) string { return query{name: name, named: true}.href() }

// matches reports whether the query selects a resource of this process.
func (q query) matches(r *manager.ResourceStats) bool {
	if q.named || q.search == "" || q.finds(r.Name) {
		return !q.named || r.Name == q.name
	}
	return slices.ContainsFunc(r.Holders, func(h manager.HolderStats) bool { return q.finds(h.Site) }) ||
		slices.ContainsFunc(r.Waiters, func(w manager.WaiterStats) bool { return q.finds(w.Site) })
}

// matchesState reports whether the query selects a name of a store.
func (q query) matchesState(s *backends.State) bool {
	owned := func(o backends.Owner) bool {
		return q.finds(o.Label) || q.finds(o.Host) || q.finds("pid "+strconv.Itoa(o.PID))
	}
	return q.search == "" || q.finds(s.Resource.Name) ||
		slices.ContainsFunc(s.Holders, func(h backends.Holder) bool { return owned(h.Owner) }) ||
		slices.ContainsFunc(s.Waiters, func(w backends.Waiter) bool { return owned(w.Owner) })
}

// finds reports whether the text has what is searched for.
func (q query) finds(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(q.search))
}
