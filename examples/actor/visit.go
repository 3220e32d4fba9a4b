package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lockkeeper/lockkeeper/actor"
)

// answer is what one visitor got.
type answer struct {
	title string
	err   error
}

// visit sends visitors to the queue and writes down what they got.
func visit(ctx, impatient context.Context, out io.Writer, title func(context.Context, string) (string, error), online chan struct{}) error {
	_, err := title(impatient, "page 0") // its download begins, but nothing is online yet
	fmt.Fprintln(out, "gave up:", errors.Is(err, context.Canceled))

	crowd := actor.NewSystem()
	answers := make(chan answer, admitted+5)
	for i := range cap(answers) {
		if err := visitor(ctx, crowd, i, title, answers); err != nil {
			return err
		}
	}
	refused := 0
	for range cap(answers) - admitted + 1 { // page 0 is still being downloaded for nobody
		if a := <-answers; errors.Is(a.err, errBusy) {
			refused++
		}
	}
	fmt.Fprintln(out, "refused:", refused)

	close(online)
	served := 0
	for range admitted - 1 {
		if a := <-answers; a.err == nil {
			served++
		}
	}
	fmt.Fprintln(out, "served:", served)

	_, err = title(ctx, "broken page")
	var panicked *actor.PanicError
	fmt.Fprintln(out, "broken page: the parser panicked:", errors.As(err, &panicked))
	got, err := title(ctx, "sound page")
	fmt.Fprintln(out, "sound page:", got, err)
	return crowd.Shutdown(ctx)
}

// visitor is an actor with one task, so that its goroutine has an owner and an end.
func visitor(ctx context.Context, crowd *actor.System, i int, title func(context.Context, string) (string, error), answers chan<- answer) error {
	_, err := actor.Spawn(crowd, "visitor", func(self *actor.Self[answer]) (actor.Behavior[answer], error) {
		self.Go(func(context.Context) answer {
			t, err := title(ctx, fmt.Sprint("page ", i))
			return answer{t, err}
		})
		return actor.BehaviorFunc[answer](func(_ context.Context, a answer) error {
			answers <- a
			return nil
		}), nil
	})
	return err
}
