// Package named measures named locks over the memory backend: what a name, a token and a lease cost above a bare
// semaphore, on one name and over very many.
package named
