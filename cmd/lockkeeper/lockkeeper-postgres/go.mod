module github.com/lockkeeper/lockkeeper/cmd/lockkeeper/lockkeeper-postgres

go 1.25.0

require (
	github.com/lockkeeper/lockkeeper v0.0.0
	github.com/lockkeeper/lockkeeper/backends/postgres v0.0.0
)

require (
	github.com/alecthomas/kong v1.17.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.13.0 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/redis/go-redis/v9 v9.22.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/term v0.45.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

replace github.com/lockkeeper/lockkeeper => ../../../

replace github.com/lockkeeper/lockkeeper/backends/postgres => ../../../backends/postgres
