//go:build linux

// Command torture breaks things while processes use locks in files, on Redis and on PostgreSQL, and
// checks every history: see package internal/torture of the main module.
package main

import "github.com/lockkeeper/lockkeeper/internal/torture"

func main() {
	torture.Main(torture.Files(), torture.Redis(), torture.Sentinel(), torture.Cluster(), Postgres())
}
