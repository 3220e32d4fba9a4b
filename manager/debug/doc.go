// Package debug shows a [manager.Manager] as a web page, for people.
//
//	mux.Handle("/debug/locks", debug.Handler(m))
//
// It is a package of its own so that programs without the page do not link net/http.
package debug
