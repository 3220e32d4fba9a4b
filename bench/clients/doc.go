// Package clients opens locks by the name of their library, ours and the peers', for workloads whose parts run in processes
// of their own: one that does as it is told, one that hands a lock to and fro, and one with many goroutines.
//
// Every peer is set up as its documentation recommends for much contention, and retries for as long as its caller
// waits: a peer is never measured by how fast it gives up.
package clients
