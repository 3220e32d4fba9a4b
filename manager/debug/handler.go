package debug

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Handler returns a page that shows what m is doing, for people: totals, and one row for each live
// resource, by name. It renews itself every two seconds. With ?format=json, or for a client that
// accepts only JSON, it answers with [manager.Stats] as JSON. The page of a nil or zero Manager is
// empty.
//
// Handler registers nothing. Mount it where only operators can reach it: names may say more than
// they should. Names that are not UTF-8 are shown with replacement characters.
func Handler(m *manager.Manager) http.Handler { return &handler{m} }

type handler struct{ m *manager.Manager }

// ServeHTTP answers a GET or HEAD.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	s := h.m.Stats()
	var body bytes.Buffer
	var err error
	if wantsJSON(r) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(&body)
		enc.SetIndent("", "  ")
		err = enc.Encode(s)
	} else {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err = page().Execute(&body, s)
	}
	if err != nil { // only a fault of the template or of Stats itself
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body.Bytes()) // a client that has gone needs no page
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return r.URL.Query().Get("format") == "json" ||
		strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// page is parsed at its first use: most programs have none.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"p50": func(h manager.Histogram) time.Duration { return h.Quantile(0.5) },
		"p99": func(h manager.Histogram) time.Duration { return h.Quantile(0.99) },
	}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>lockkeeper</title>
<style>
body{font:14px system-ui,sans-serif;margin:2em}
table{border-collapse:collapse}
th,td{padding:.25em .75em;text-align:right;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left;min-width:16em;max-width:40em;overflow-wrap:anywhere}
</style></head><body>
<h1>lockkeeper</h1>
<p>Store {{.Store}}: {{.Holding}} held, {{.Waiting}} waiting. <a href="?format=json">JSON</a></p>
<table>
<tr><th>name<th>kind<th>holding<th>waiting<th>acquired<th>contended<th>handed on<th>timed out<th>cancelled<th>busy<th>failed<th>lost
<th title="to within a factor of two">wait p50<th>p99<th>hold p50<th>p99</tr>
{{define "counters"}}<td>{{.Acquisitions}}<td>{{.Contended}}<td>{{.Handoffs}}<td>{{.TimedOut}}<td>{{.Cancelled}}<td>{{.Busy}}<td>{{.Failed}}<td>{{.Lost}}
<td>{{p50 .Waits}}<td>{{p99 .Waits}}<td>{{p50 .Holds}}<td>{{p99 .Holds}}{{end -}}
<tr><td><b>all, since the start</b><td><td>{{.Holding}}<td>{{.Waiting}}{{template "counters" .Totals}}</tr>
{{range .Resources}}<tr><td>{{.Name}}<td>{{.KindName}}<td>{{.Holding}}<td>{{.Waiting}}{{template "counters" .Counters}}</tr>
{{end}}</table></body></html>
`))
})
