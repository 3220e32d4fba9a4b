package main

import (
	_ "embed"
	"os"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/cli"
	"github.com/lockkeeper/lockkeeper/open"
)

//go:embed doc.go
var comment string

func main() { os.Exit(run()) }

func run() int {
	open.Register("postgres", postgres.Open)
	open.Register("postgresql", postgres.Open)
	if len(os.Args) > 1 && os.Args[1] == "migrate" {
		return migrate(os.Args[2:], os.Stderr)
	}
	return cli.Main(comment)
}
