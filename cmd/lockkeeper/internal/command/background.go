package command

import "github.com/lockkeeper/lockkeeper/actor"

// Background runs task on a goroutine of its own. The channel gives what the task has returned; a
// panic of the task is given as crashed makes it. Nobody needs to receive.
func Background[T any](name string, task func() T, crashed func(error) T) <-chan T {
	done := make(chan T, 1)
	worker := actor.NewOnDemand(name,
		func(t T) { done <- t },
		func(_ T, p *actor.PanicError) { done <- crashed(p) })
	worker.Go(task)
	return done
}
