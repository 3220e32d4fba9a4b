package backends

import "context"

// Poster is what a Backend offers beside the contract if its store is reached over a network. Posting keeps no goroutine waiting for a grant, so
// the grant reaches its holder sooner; and it gives a grant back and asks for the next in one request to the store.
type Poster interface {
	// Post prepares an acquire; it does nothing before Send. It never waits, so an actor may call it in its turn.
	Post(p Post) Posted
}

// Post is an acquire for which no goroutine waits.
//
// Its functions are called from any goroutine, also in an actor's turn: they must not block, and must call no method of the backend
// but Post and Cancel.
type Post struct {
	Request

	// After, unless nil, is a grant of the same resource and of this client that is released first. Both happen in one step: nobody
	// can come in between, and all who waited for the resource then stand before this request. A grant that has ended is no
	// obstacle: the request is made all the same.
	After *Grant

	// Released is told, once, what Release of After would have returned. It may be nil only if After is.
	Released func(error)

	// Answered is told, once, what Acquire would have returned: an error means that nothing is held and nothing is left in the
	// queue. If there is a grant it is told after Released.
	Answered func(Grant, error)
}

// Posted is an acquire that was posted.
type Posted interface {
	// Send sends the request and returns when the store has granted it, refused it or put it into its queue: from then on no goroutine
	// needs to wait. It does this on the calling goroutine, if it can, and must be called once, not in an actor's turn. When ctx
	// ends first, Send returns, the request is cancelled, and what became of the release may be unknown.
	// It must be called although the request was cancelled, if there is a grant to be released.
	Send(ctx context.Context)

	// Cancel gives the request up, as the end of its context does in Acquire: Answered is told [context.Canceled], unless it has
	// been told something before. It never waits, and never keeps After from being released.
	Cancel()
}
