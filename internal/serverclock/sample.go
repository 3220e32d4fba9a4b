package serverclock

import (
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Sample is a look at the server's clock: when it showed Server, ours was not earlier than Sent, for the
// answer that says so is to a command that was sent then. The zero Sample knows nothing.
type Sample struct {
	Sent   time.Time
	Server int64 // in microseconds since 1970
	wall   int64 // Sent, on the wall clock, in nanoseconds since 1970
}

// New returns the sample of an answer that tells the server's clock, to a command sent at sent.
func New(sent time.Time, server int64) Sample { return Sample{sent, server, sent.UnixNano()} }

// ValidUntil returns until when a holder may rely on a grant of which it hears now. The server made it
// at made on its clock, and keeps it for brief and a grace. ttl is the time to live of the request.
//
// The grant ends on the server's clock at made + brief, and the grace. When that clock showed Server,
// ours showed Sent or more, so the grant ends on ours not before Sent + (made + brief − Server). Both
// clocks may drift from the sample on, so the margin is taken of that whole span, and is never less
// than that of an ordinary grant. Two things could make the span too long. The server's clock was set
// forward since the sample: but now is after made, so the grant ends not before brief from now, less
// what the message has taken. And our monotonic clock stood still while the machine slept, which the
// wall clock tells. The earliest of the three counts.
func (s Sample) ValidUntil(made int64, brief, ttl time.Duration, now time.Time) time.Time {
	span := time.Duration(made-s.Server)*time.Microsecond + brief
	left := min(s.Sent.Sub(now)+span, time.Duration(s.wall-now.UnixNano())+span, brief)
	whole := max(span, ttl)
	return backends.ValidUntil(now.Add(left-whole), whole)
}
