package debug

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/manager"
)

// readable makes hostile text harmless to the eye: what is not UTF-8, and what would be invisible
// or would turn the text around it, becomes a replacement character. The template does the rest:
// it escapes, and isolates the direction of each text.
func readable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) && r != ' ' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// clipped is readable text of at most n characters. It keeps the beginning and the end, since long
// names often differ there.
func clipped(s string, n int) string {
	s = readable(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-n/3-1]) + "…" + string(r[len(r)-n/3:])
}

// quoted returns the exact text if the readable form does not show it, else nothing.
func quoted(s string) string {
	if readable(s) == s {
		return ""
	}
	return strconv.QuoteToASCII(s)
}

const space = "\u00A0" // keeps a number and its unit on one line

// human is a duration in two units at most.
func human(d time.Duration) string {
	two := func(a time.Duration, unitA string, b time.Duration, unitB string) string {
		text := strconv.Itoa(int(d/a)) + space + unitA
		if rest := d % a / b; rest > 0 {
			text += space + strconv.Itoa(int(rest)) + space + unitB
		}
		return text
	}
	one := func(unit time.Duration, name string) string {
		n := float64(d) / float64(unit)
		digits := 0
		if n < 9.95 && math.Round(n*10) != math.Round(n)*10 {
			digits = 1
		}
		return strconv.FormatFloat(n, 'f', digits, 64) + space + name
	}
	switch {
	case d < 0:
		return "0" + space + "s"
	case d < time.Millisecond:
		return one(time.Microsecond, "µs")
	case d < time.Second:
		return one(time.Millisecond, "ms")
	case d < time.Minute:
		return one(time.Second, "s")
	case d < time.Hour:
		return two(time.Minute, "min", time.Second, "s")
	case d < 48*time.Hour:
		return two(time.Hour, "h", time.Minute, "min")
	default:
		return two(24*time.Hour, "d", time.Hour, "h")
	}
}

// quantile is the upper bound of a quantile.
func quantile(h *manager.Histogram, q float64) string {
	bounds := manager.BucketBounds()
	last := bounds[len(bounds)-1]
	switch d := h.Quantile(q); {
	case d == 0:
		return ""
	case d > last:
		return ">" + space + human(last)
	default:
		return "≤" + space + human(d)
	}
}

// count is a number with its thousands apart.
func count[T int | int64 | uint64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + space + s[i:]
	}
	return s
}

// plural is a number of things.
func plural[T int | int64 | uint64](n T, thing, things string) string {
	if n == 1 {
		return count(n) + space + thing
	}
	return count(n) + space + things
}

// site shortens file:line to its last folder; the page has the whole as a title.
func site(s string) string {
	parts := strings.Split(s, "/")
	return clipped(strings.Join(parts[max(0, len(parts)-2):], "/"), 48)
}
