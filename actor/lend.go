package actor

// Enter takes the turn for the caller's own goroutine, if the actor is at rest: the caller then
// does itself what Turn would do, which saves a goroutine switch. False: another goroutine has the
// turn; leave word where the actor finds it and call [Activity.Wake].
//
// A goroutine that entered must call [Activity.Leave], and must not wait for anything in between.
// What earlier turns wrote is visible to the one that entered, and its writes to later ones.
func (a *Activity) Enter() bool { return a.state.CompareAndSwap(atRest, running) }

// Again begins another turn on the goroutine that entered, if Wake was called during the last one,
// and then answers that Wake. It is for a caller that would rather do a few more turns than start
// the actor's goroutine; bound their number.
func (a *Activity) Again() bool {
	return a.state.CompareAndSwap(woken, running) || a.state.CompareAndSwap(woken|inBubble, running|inBubble)
}

// Leave ends what Enter began. If Wake was called since the last turn began, t.Turn runs on the
// actor's own goroutine: the caller is not kept for others' mail. Leave panics if t is nil, or
// without an Enter before it.
func (a *Activity) Leave(t Turner) {
	if t == nil {
		panic("actor: Leave of a nil Turner")
	}
	if a.state.CompareAndSwap(running, atRest) || a.state.CompareAndSwap(running|inBubble, atRest) {
		return
	}
	if a.state.Load() == atRest {
		panic("actor: Leave without Enter")
	}
	a.start(t)
}
