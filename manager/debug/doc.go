// Package debug shows a [manager.Manager], or a store, as a web page, for people.
//
//	mux.Handle("/debug/locks", debug.Handler(m))
//
// The page lists the names that the process uses, trouble first: what has lost a lease or failed in
// the last five minutes, then the longest wait, then the longest hold. It shows who holds and who
// waits, with the lines of code if the manager records them ([manager.WithSites]), who waits for
// whom, the totals, and under which names the process leads. It shows 200 names at a time, and
// finds others by a part of their name or line of code. The page of one name shows besides what the
// store knows: the holders and waiters of all processes.
//
// The page keeps itself up to date, without scripts too. It loads nothing from elsewhere. Names and
// labels are shown as text, whatever is in them: what cannot be seen, or would turn the text around
// it, is shown as a replacement character.
//
// The handler has no goroutine. It takes [manager.Manager.Stats] at each request, and remembers
// five minutes of what it saw, of 2048 names at most. What happened while nobody looked is in the
// totals only, and the lines of the last minutes have a gap there. The page of one name asks the
// store once for each request.
//
// [StoreHandler] shows a store instead: the holders and waiters of all processes that use it. It is
// for a program that locks nothing itself, such as the command lockkeeper serve.
//
// It is a package of its own so that programs without the page do not link net/http.
package debug
