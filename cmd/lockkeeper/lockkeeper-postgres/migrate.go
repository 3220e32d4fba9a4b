package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

// The exit statuses of migrate.
const (
	exitFailed = 1
	exitUsage  = 64
)

// migrateTime bounds a migration: it waits for another program's.
const migrateTime = time.Minute

// migrate installs the locks that a store names.
func migrate(args []string, to io.Writer) int {
	flags := flag.NewFlagSet("lockkeeper-postgres migrate", flag.ContinueOnError)
	flags.SetOutput(to)
	store := flags.String("store", os.Getenv("LOCKKEEPER_STORE"), "postgres://HOST/DATABASE, where the locks are to be kept")
	role := flags.String("grant", "", "a role that may use them")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil || flags.NArg() > 0 {
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), migrateTime)
	defer cancel()
	if err := postgres.MigrateURL(ctx, *store, *role); err != nil {
		fmt.Fprintf(to, "lockkeeper: %v\n", err)
		return exitFailed
	}
	return 0
}
