package plots

// shown is one figure of each side of a case.
type shown struct{ heading, suite, name, metric string }

// chart is what a Chart shows.
type chart struct {
	name, title string
	unit        float64 // of the title, in that of the figures
	shown       []shown
}

// catalogue is what is drawn, in the order of the page.
var catalogue = []chart{
	{"alone", "A lock that nobody else wants, ns for lock and unlock (the least of all rounds)", 1, []shown{
		{"", "inprocess", "Mutex, uncontended", "least ns/op"},
	}},
	{"scaling", "Goroutines that do nothing but take one lock, ns for each grant", 1, []shown{
		{"2 goroutines", "inprocess", "Mutex, 2 goroutines", "ns/op"},
		{"8", "inprocess", "Mutex, 8 goroutines", "ns/op"},
		{"64", "inprocess", "Mutex, 64 goroutines", "ns/op"},
		{"1000", "inprocess", "Mutex, 1000 goroutines", "ns/op"},
	}},
	{"fairness", "64 goroutines on one lock, fairness (Jain: 1 is equal shares, 1/64 is one gets all)", 1, []shown{
		{"in a process", "inprocess", "Mutex, 64 goroutines", "jain"},
		{"files", "file", "64 goroutines of one process", "jain"},
		{"Redis, 4 processes × 16", "redis", "4 × 16 goroutines", "jain"},
	}},
	{"handoff", "Hand-off between two processes by a file lock, µs", 1, []shown{
		{"half are faster", "file", "hand-off between two processes", "p50 µs"},
		{"one in a hundred is slower", "file", "hand-off between two processes", "p99 µs"},
		{"the slowest", "file", "hand-off between two processes", "max µs"},
	}},
	{"file-contended", "Files, 64 goroutines of one process on one lock, grants a second", 1, []shown{
		{"", "file", "64 goroutines of one process", "grants/s"},
	}},
	{"redis-alone", "Redis, a lock that nobody else wants, µs for acquire and release", 1e3, []shown{
		{"", "redis", "uncontended", "least ns/op"},
	}},
	{"redis-contended", "Redis, 64 goroutines on one lock, grants a second", 1, []shown{
		{"1 process", "redis", "1 × 64 goroutines", "grants/s"},
		{"4 processes", "redis", "4 × 16 goroutines", "grants/s"},
	}},
	{"redis-commands", "Redis, 64 goroutines on one lock, commands for each grant", 1, []shown{
		{"1 process", "redis", "1 × 64 goroutines", "commands/op"},
		{"4 processes", "redis", "4 × 16 goroutines", "commands/op"},
	}},
	{"postgres-alone", "PostgreSQL, a lock that nobody else wants, µs for acquire and release", 1e3, []shown{
		{"", "postgres", "uncontended, leases of 4 s: not flushed", "least ns/op"},
	}},
	{"postgres-contended", "PostgreSQL, 64 goroutines on one lock, grants a second", 1, []shown{
		{"1 process", "postgres", "1 × 64 goroutines", "grants/s"},
		{"4 processes", "postgres", "4 × 16 goroutines", "grants/s"},
	}},
	{"postgres-commands", "PostgreSQL, 64 goroutines on one lock, statements for each grant", 1, []shown{
		{"1 process", "postgres", "1 × 64 goroutines", "statements/op"},
		{"4 processes", "postgres", "4 × 16 goroutines", "statements/op"},
	}},
	{"several", "Ten names at once beside one name, µs", 1e3, []shown{
		{"memory", "memory", "All of 10 names, uncontended", "ns/op"},
		{"files", "file", "All of 10 names, uncontended", "ns/op"},
		{"Redis", "redis", "All of 10 names, uncontended", "ns/op"},
		{"PostgreSQL", "postgres", "All of 10 names, uncontended", "ns/op"},
	}},
	{"recovery", "From kill -9 of the holder to the next grant by a file lock, ms (the slowest of each round)", 1, []shown{
		{"", "file", "kill -9 of the holder", "max ms"},
	}},
	{"recovery-servers", "From kill -9 of the holder to the next grant by a server, ms (time to live: 3 s)", 1, []shown{
		{"", "faults", "crash", "ms"},
	}},
}
