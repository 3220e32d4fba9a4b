// Package modeltest runs a sequence of calls against a store and against the memory store, and
// compares them after each call: the answers, who holds, and who waits in what order. The memory
// store is the model: one actor, no server, no time. A fuzz test makes the sequences.
package modeltest
