// Package faults has the holder of a lock cut off, stopped, killed, and its server restarted, and the acquires of a
// waiter cancelled: the same for ours and for its peers. Each case answers a question for each library, with yes or no
// and a figure.
//
// Holders and waiters are processes of their own, each behind a proxy of its own. A holder looks every millisecond
// whether it may go on, as if it wrote to what the lock protects; what counts is when it last could. A case runs
// several pairs at once and reports the worst.
//
// In short runs, only ours takes part.
package faults
