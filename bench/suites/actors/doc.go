// Package actors measures package actor beside the raw channels that one would write instead, and beside protoactor-go:
// the same message type, the same work, in one run. "plain channel" sends and receives and cannot be
// cancelled; "channel + ctx" selects on a context in every wait, which is what an actor's Tell and Ask do for you.
package actors
