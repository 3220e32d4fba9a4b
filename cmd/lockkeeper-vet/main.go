package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper-vet/passes"
)

// The multichecker also answers the requests of go vet -vettool.
func main() { multichecker.Main(passes.Analyzers()...) }
