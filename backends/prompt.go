package backends

// Prompt is what a Backend offers beside the contract if a grant mostly takes it microseconds, and it knows beforehand when
// it will not: the manager then saves handing the call to another goroutine and back, which can take as long as the call.
//
// Neither method ever waits: for another process, for another call or for an event. Each does what it
// can do at once, or nothing, and then the ordinary method is to be called. So an actor may call them in its turn.
type Prompt interface {
	// TryAcquireNow grants the request, without overtaking a waiter, if it can be granted at once. False: nothing has happened, and
	// nothing is known: not that the resource is busy, nor that the request is valid.
	TryAcquireNow(r Request) (g Grant, ok bool)

	// ReleaseNow is Release if it can be done at once; err is then what Release would have returned. False: nothing has
	// happened.
	ReleaseNow(g Grant) (ok bool, err error)
}
