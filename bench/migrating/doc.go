// Package migrating has the code of docs/migrating.md: for each library a function with its lock, and
// the same with lockkeeper. It stands in this module because that already requires the libraries.
package migrating
