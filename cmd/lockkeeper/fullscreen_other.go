//go:build !unix

package main

import "os"

// There are no such signals.
var resizeSignals, continueSignals []os.Signal

// suspend does nothing: there are no jobs.
func suspend() {}
