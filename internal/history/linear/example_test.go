package linear_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history/linear"
)

// A try that was refused although nobody held or waited.
func ExampleCheck() {
	ops := []linear.Op{
		{Name: "db", Capacity: 1, Verb: linear.Acquire, Weight: 1, Token: 7, Outcome: linear.OK, Call: 1, Return: 2},
		{Name: "db", Capacity: 1, Verb: linear.Release, Grant: 7, Outcome: linear.OK, Call: 3, Return: 4},
		{Name: "db", Capacity: 1, Verb: linear.Try, Weight: 1, Outcome: linear.Busy, Call: 5, Return: 6},
	}
	err := linear.Check(ops, time.Minute)
	fmt.Println(errors.Is(err, linear.ErrIllegal))
	fmt.Println(linear.Check(ops[:2], time.Minute))
	// Output:
	// true
	// <nil>
}
