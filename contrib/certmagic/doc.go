// Package lkcertmagic gives a storage of certmagic (the certificates of Caddy) the locks of
// lockkeeper: of many servers that share the storage, one obtains a certificate.
//
//	storage, err := lkcertmagic.New(locks, &certmagic.FileStorage{Path: "/shared/certs"})
//	…
//	certmagic.Default.Storage = storage
//
// Certificates stay where they are. Only the locks of the storage beneath are not used any longer,
// so all servers must change at once.
//
// # When the lock is lost
//
// The manager renews a lease while its process lives, however long the certificate authority takes.
// A lease can be lost all the same: it is broken, or its store is out of reach for longer than its
// time to live. certmagic passes no context with a lock, so it cannot be told at once. It asks
// before each attempt, and [Storage.RenewLockLease] and [Storage.Unlock] answer with a
// *manager.LostError. Another server may obtain the same certificate then, which certmagic bears.
//
// # When the store is out of reach
//
// No certificate is obtained without its lock. The error is manager.ErrUnavailable, of which certmagic
// keeps the text.
package lkcertmagic
