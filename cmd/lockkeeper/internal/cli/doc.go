// Package cli is the lockkeeper command, for each program of it: cmd/lockkeeper, and one with further
// stores, such as cmd/lockkeeper/lockkeeper-postgres. A program registers its stores with package
// open, and calls Main.
package cli
