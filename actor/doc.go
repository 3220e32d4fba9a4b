// Package actor is a small typed actor core: state that one goroutine owns, served from a
// bounded mailbox, with exact asks, supervision, timers, tasks and activation on demand.
package actor
