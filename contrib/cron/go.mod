module github.com/lockkeeper/lockkeeper/contrib/cron

go 1.25.0

require (
	github.com/lockkeeper/lockkeeper v0.0.0
	github.com/robfig/cron/v3 v3.0.1
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/redis/go-redis/v9 v9.22.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/lockkeeper/lockkeeper => ../../
