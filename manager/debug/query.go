package debug

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	q.search = q.search[:min(len(q.search), mostSearched)]
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
