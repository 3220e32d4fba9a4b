// Package examples holds runnable programs, each in a folder of its own with a test of its output:
//
//	go run ./examples/quickstart   locks on three levels: goroutines, names, processes
//	go run ./examples/fencing      a stale writer is refused by what it writes to
//	go run ./examples/service      an HTTP service whose job runs once at a time over all instances (Redis)
//	go run ./examples/leader       leader election: the others stand by
//	go run ./examples/actor        a download queue: asks, backpressure, supervision, an orderly end
//
// Package recipes is the code of docs/recipes.md and docs/fencing.md. The tests of this package compare the
// pages with their files, follow their links, and build and run the programs of README.md.
package examples
