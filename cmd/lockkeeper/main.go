package main

import (
	_ "embed"
	"os"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/cli"
)

//go:embed doc.go
var comment string

func main() { os.Exit(cli.Main(comment)) }
