package lockdir

import (
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Keep says until when the permits of a grant stay taken, whatever becomes of its process. It stands
// in the grant's line from the grant on:
//
//	holder … token 1764000000000001 keeps 60000000 until 2026-01-02T15:05:05.000006Z boot 9d1e… 812000000 since …
//
// and "kept" in the place of "keeps" when the grant has ended before. The clock that counts is that
// of the boot in which the line was written: it goes on while the machine is suspended, and steps of
// the wall clock do not move it. After a reboot, and where there is no such clock, the wall clock
// counts; a clock that was set forward ends the time too early then. One that was set back cannot
// make it last: what lies further ahead than the whole time is counted anew, from when the table is
// looked at next.
type Keep struct {
	whole time.Duration // after the grant, in full microseconds
	wall  time.Time     // when it is over, by the wall clock
	boot  uint64        // the boot of at; 0: at means nothing
	at    time.Duration // when it is over, on the clock of that boot
}

// Clock is what the clocks of this machine show.
type Clock struct {
	wall time.Time
	boot uint64        // 0: there is no clock of this boot
	at   time.Duration // on it
}

// Now reads the clocks.
func Now() Clock {
	c := Clock{wall: time.Now()}
	c.boot, c.at = bootClock()
	return c
}

// Keep returns a Keep that is over when d has passed; nil if d is 0.
func (c Clock) Keep(d time.Duration) *Keep {
	if d <= 0 {
		return nil
	}
	whole := (d + time.Microsecond - 1).Truncate(time.Microsecond)
	return c.keep(whole, whole)
}

func (c Clock) keep(whole, left time.Duration) *Keep {
	k := &Keep{whole: whole, wall: c.wall.Add(left).UTC().Truncate(time.Microsecond).Add(time.Microsecond), boot: c.boot}
	if c.boot != 0 {
		k.at = (c.at + left).Truncate(time.Microsecond) + time.Microsecond
	}
	return k
}

// Left returns how much time is left; 0 or less: it is over.
func (k *Keep) Left(c Clock) time.Duration {
	switch {
	case k == nil:
		return 0
	case k.boot != 0 && k.boot == c.boot:
		return k.at - c.at
	default:
		return k.wall.Sub(c.wall)
	}
}

// strange reports whether k is of another boot, or cannot be right by the clocks: then it is to be
// written anew.
func (k *Keep) strange(c Clock) bool { return k.boot != c.boot || k.Left(c) > k.whole+time.Millisecond }

func keepWord(kept bool) string {
	if kept {
		return " kept "
	}
	return " keeps "
}

func (k *Keep) append(b []byte, kept bool) []byte {
	b = append(b, keepWord(kept)...)
	b = strconv.AppendInt(b, k.whole.Microseconds(), 10)
	b = append(b, " until "...)
	b = k.wall.AppendFormat(b, aboutTime)
	b = append(b, " boot "...)
	b = appendHex(b, k.boot, 16)
	b = append(b, ' ')
	return strconv.AppendInt(b, k.at.Microseconds(), 10)
}

// keep reads what append wrote, after the first word and the space behind it.
func (p *parser) keep() *Keep {
	k := &Keep{whole: p.micros()}
	p.word("until ")
	wall, err := time.Parse(aboutTime, p.until(' '))
	p.word("boot ")
	boot, err2 := strconv.ParseUint(p.until(' '), 16, 64)
	k.wall, k.boot, k.at = wall, boot, p.micros()
	p.bad = p.bad || err != nil || err2 != nil || k.whole == 0 || k.whole > backends.MaxAtLeast
	return k
}

func (p *parser) micros() time.Duration {
	const most = 1 << 53 // µs: no sum overflows
	n := p.number(10, ' ')
	p.bad = p.bad || n > most
	return time.Duration(n%most) * time.Microsecond
}

// Keeps reports whether any grant has a Keep.
func (t *Table) Keeps() bool {
	return slices.ContainsFunc(t.Holders, func(e Entry) bool { return e.Keep != nil })
}

// KeptFor returns how long it is until the first Keep is over; 0: none is ahead.
func (t *Table) KeptFor() (first time.Duration) {
	if !t.Keeps() {
		return 0
	}
	c := Now()
	for i := range t.Holders {
		if left := t.Holders[i].Keep.Left(c); left > 0 && (first == 0 || left < first) {
			first = left
		}
	}
	return first
}

// EndGrant ends a grant whose permits stay taken until its Keep is over: its line is marked, or
// removed. It reports whether there was one.
func (t *Table) EndGrant(id backends.GrantID, c Clock) bool {
	i := Find(t.Holders, id)
	if i >= 0 && !t.Holders[i].Leave(c) {
		t.Holders = slices.Delete(t.Holders, i, i+1)
	}
	return i >= 0
}

// Leave marks the line of a grant that has ended as kept, and reports whether it is to stay for
// that.
func (e *Entry) Leave(c Clock) bool {
	if e.Broken || e.Keep.Left(c) <= 0 {
		return false
	}
	if !e.Kept {
		e.setKeep(e.Keep, true)
	}
	return true
}

// EndKept removes the lines of kept grants that are over, and counts anew what cannot be right. It
// reports whether it has changed anything, and whether permits have come back.
func (t *Table) EndKept(c Clock) (changed, freed bool) {
	t.Holders = slices.DeleteFunc(t.Holders, func(e Entry) bool {
		over := e.Kept && e.Keep.Left(c) <= 0
		freed = freed || over
		return over
	})
	changed = freed
	for i := range t.Holders {
		if e := &t.Holders[i]; e.Keep != nil && e.Keep.strange(c) {
			left := max(0, min(e.Keep.Left(c), e.Keep.whole))
			e.setKeep(c.keep(e.Keep.whole, left), e.Kept)
			changed = true
		}
	}
	return changed, freed
}
