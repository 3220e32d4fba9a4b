package postgres

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Await makes cancelled acquires wait for their confirmation for as long as a slow machine may take.
func (b *Backend) Await() { b.patience = endingTime }

// Crash ends the client as the death of its process would: nothing is given back, nobody is told.
func (b *Backend) Crash() {
	b.tell(crash{})
	<-b.client.closed
}

type crash struct{}

func (crash) on(cl *client) {
	cl.closing = true
	cl.endings.again.stop()
	cl.endings = endings{noRetry: true}
	cl.quiet()
	cl.settle()
}

// CheckVersion returns what Check finds of a version of the server.
func CheckVersion(number int, name string) backends.Finding {
	x := &exam{}
	_ = x.version(context.Background(), &settings{number: number, name: name})
	return x.found[0]
}
