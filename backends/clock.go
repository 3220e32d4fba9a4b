package backends

import "time"

// These are what ValidUntil takes off a grant's time to live: clocks that run at slightly different
// rates (a clock being slewed runs up to 500 ppm fast), and the grain of timers.
const (
	skewPart = 100 // one hundredth of the TTL
	slack    = 2 * time.Millisecond
)

// ValidUntil returns the instant from which a holder must not rely on a grant any more, if its
// request was sent at sent, with this TTL. The store executes the request later than it was sent
// and keeps the grant for the whole TTL, so this instant lies before any other grant, provided that
// the store's clock makes no step forward larger than the margin and that the store's data stays.
// Where that is not given, fencing tokens protect.
func ValidUntil(sent time.Time, ttl time.Duration) time.Time {
	return sent.Add(ttl - ttl/skewPart - slack)
}

// NextToken returns the first token of a new grant: larger than last, the largest that was given
// out, and not less than now in microseconds since 1970. The clock makes tokens increase although
// last was lost with the store's data, as long as fewer than one token per microsecond was used and
// now is not behind what it was then.
func NextToken(last uint64, now time.Time) uint64 {
	us := now.UnixMicro()
	if us > 0 && uint64(us) > last {
		return uint64(us)
	}
	return last + 1
}
