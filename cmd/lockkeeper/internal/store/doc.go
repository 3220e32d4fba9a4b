// Package store opens the store that a user names on the command line.
//
//	file:DIR                                a directory of this machine
//	redis://[user:password@]host:port[/db]  a Redis server; rediss:// with TLS
//	(nothing)                               the default store of the user, see Default
//
// No error of this package shows a password.
package store
