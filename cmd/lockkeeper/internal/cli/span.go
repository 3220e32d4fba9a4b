package cli

import (
	"fmt"
	"strconv"
	"time"
)

// span is a duration as people write it: "1m30s", or a plain number of seconds, "90" or "0.5".
type span time.Duration

// UnmarshalText refuses what is no duration, what is negative and what is too long to count.
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		d, err = seconds(string(text))
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no duration: want one like 500ms, 30s, 1h30m, or a number of seconds", text)
	}
	*s = span(d)
	return nil
}

func seconds(text string) (time.Duration, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, err
	}
	const most = float64(1<<63-1) / float64(time.Second)
	if !(f >= 0 && f < most) { // not a number, too
		return 0, strconv.ErrRange
	}
	return time.Duration(f * float64(time.Second)), nil
}
