// Package passes holds the analyzers of lockkeeper-vet, for use in other drivers of
// golang.org/x/tools/go/analysis as well. [DroppedClaim] and [UncheckedAcquire] look at single
// statements, [LostLease] follows the paths of a function.
package passes

import "golang.org/x/tools/go/analysis"

// Analyzers returns all analyzers of the package.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{DroppedClaim, UncheckedAcquire, LostLease}
}
