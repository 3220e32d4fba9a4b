//go:build !unix

package cli

import "os"

// There are no such signals.
var resizeSignals, continueSignals []os.Signal

// suspend does nothing: there are no jobs.
func suspend() {}
