//go:build linux

// Command torture breaks things while processes use locks in files and on Redis, and checks every
// history: see package torture.
package main

import "github.com/lockkeeper/lockkeeper/internal/torture"

func main() { torture.Main(torture.Files(), torture.Redis(), torture.Sentinel(), torture.Cluster()) }
