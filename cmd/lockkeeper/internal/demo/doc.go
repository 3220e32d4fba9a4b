// Package demo is the main job of lockkeeper, live: processes of many goroutines contend for a few names, one process is killed
// half-way and replaced, and at the end the verdict is checked, not assumed.
//
// What a worker does under a lock is what locks are for: it reads a counter from a file and writes it back one larger.
// Nothing but the lock keeps two workers from writing the same number.
//
// # What is checked
//
//   - The history ([history.Check]): at no instant two holders of a name, tokens strictly increasing from grant to grant.
//   - The counters: each grant has counted exactly once. Every write leaves a record (the number, its token, the token of the
//     write before), so that the records of a name form a chain from 1 to what the counter says at the end. A killed
//     process may have counted without leaving its record; then the next record, or the counter itself, names its
//     token, and the history knows that token as one of the killed process's.
//
// # Processes
//
// [Run] is the director: it starts the worker processes, shows their progress, kills one, and judges. [Work] is a
// worker: it ends when its standard input does, so that no worker outlives its director.
package demo
