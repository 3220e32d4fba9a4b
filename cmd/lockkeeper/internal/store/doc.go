// Package store opens the store that a user names on the command line: what package open knows, and
// the default store of the user, see [Default]. A store in memory is refused.
package store
