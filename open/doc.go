// Package open opens the store that a text names, such as the value of a flag or of an environment
// variable.
//
//	store, err := open.Store(ctx, os.Getenv("LOCKS")) // redis://db1:6379, /run/locks, memory:
//	…
//	m, err := manager.New(store)
//
// The stores of this module:
//
//	/DIR, ./DIR, file:DIR, file:///DIR               a directory, for the processes of a machine
//	memory:                                          this process: each Store is a store of its own
//	redis://[USER:PASSWORD@]HOST:PORT[/DB]           a Redis server
//	redis+sentinel://HOST:PORT[/DB]?master_name=M    a Sentinel group; &addr=HOST:PORT: more Sentinels
//	redis+cluster://HOST:PORT                        a cluster; ?addr=HOST:PORT: more nodes
//	rediss://…, rediss+sentinel://…, rediss+cluster://…   the same with TLS
//
// The query of a Redis URL sets options of the client library: ?dial_timeout=1s&read_timeout=1s. In
// a redis+sentinel URL, user and password are those of the Sentinels, and ?username=…&password=… are
// those of the server. A password with special characters is percent-encoded.
//
// A program can add stores with [Register], such as PostgreSQL of the module backends/postgres:
//
//	open.Register("postgres", postgres.Open) // postgres://app@db1/app
//
// No error of this package shows a password, and neither does [Address.String]. A program that opens
// its store without a URL need not import this package, and then links only the store that it uses.
package open
