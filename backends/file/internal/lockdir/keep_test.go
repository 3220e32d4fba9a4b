package lockdir

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A clock of boot 7 at noon, and what steps and reboots make of it after a while.
var (
	atNoon = Clock{wall: noon, boot: 7, at: time.Hour}
	minute = atNoon.Keep(time.Minute)
)

func (c Clock) after(d, step time.Duration) Clock {
	c.wall, c.at = c.wall.Add(d+step), c.at+d
	return c
}

func (c Clock) rebooted() Clock {
	c.boot, c.at = 8, 5*time.Second
	return c
}

func (c Clock) without() Clock {
	c.boot, c.at = 0, 0
	return c
}

// What is left once the table was looked at, and counts from then on.
func TestKeepOnClocksThatAreSetAndMachinesThatReboot(t *testing.T) {
	for _, test := range []struct {
		what string
		keep *Keep
		now  Clock
		want time.Duration
	}{
		{"at once", minute, atNoon, time.Minute},
		{"after a while", minute, atNoon.after(40*time.Second, 0), 20 * time.Second},
		{"in the end", minute, atNoon.after(time.Minute+time.Millisecond, 0), 0},
		{"the wall clock was set forward", minute, atNoon.after(40*time.Second, time.Hour), 20 * time.Second},
		{"the wall clock was set back", minute, atNoon.after(40*time.Second, -time.Hour), 20 * time.Second},
		{"the machine was suspended for long", minute, atNoon.after(time.Hour, 0), 0},
		{"after a reboot", minute, atNoon.after(40*time.Second, 0).rebooted(), 20 * time.Second},
		{"after a long reboot", minute, atNoon.after(time.Hour, 0).rebooted(), 0},
		{"after a reboot with the clock set forward", minute, atNoon.after(40*time.Second, time.Hour).rebooted(), 0},
		{"after a reboot with the clock set back", minute, atNoon.after(40*time.Second, -time.Hour).rebooted(), time.Minute},
		{"without a clock of the boot", atNoon.without().Keep(time.Minute), atNoon.without().after(40*time.Second, 0), 20 * time.Second},
		{"without one, the wall clock set back", atNoon.without().Keep(time.Minute), atNoon.without().after(40*time.Second, -time.Hour), time.Minute},
		{"one process knows the boot, the other does not", minute, atNoon.after(40*time.Second, 0).without(), 20 * time.Second},
	} {
		tab := &Table{Name: "db", Kind: backends.Mutex, Capacity: 1, Token: 9, Holders: []Entry{line(test.keep, true)}}
		_, freed := tab.EndKept(test.now)
		if over := test.want == 0; freed != over || len(tab.Holders) == 1 == over {
			t.Errorf("%s: freed %v, %d lines left; want it over: %v", test.what, freed, len(tab.Holders), over)
			continue
		}
		if test.want == 0 {
			continue
		}
		const grain = 10 * time.Microsecond
		e := tab.Holders[0]
		if left := e.Keep.Left(test.now); left < test.want || left > test.want+grain {
			t.Errorf("%s: %v left; want %v", test.what, left, test.want)
		}
		// Counted anew or not, it ends as announced, wherever the wall clock goes.
		if end := test.now.after(test.want+grain, -24*time.Hour); test.now.boot != 0 && e.Keep.Left(end) > 0 {
			t.Errorf("%s: %v left after that time", test.what, e.Keep.Left(end))
		}
		if again, err := parseBody(string(tab.appendBody(nil))); err != nil || !reflect.DeepEqual(again, tab) {
			t.Errorf("%s: read back as %+v, %v; want %+v", test.what, again, err, tab)
		}
	}
}

// line is that of a grant with a keep, and a label that looks like one.
func line(k *Keep, kept bool) Entry {
	e := Entry{ID: backends.GrantID{Client: 1, Seq: 1}, Weight: 1, Token: 5, Keep: k, Kept: kept}
	e.Write(noon, OwnerWords(backends.Owner{Host: "h", Label: " keeps 1 since kept 2 "}, noon), true, 4242)
	return e
}

func TestEndedGrantIsKeptOnItsLine(t *testing.T) {
	tab := &Table{Name: "db", Kind: backends.Mutex, Capacity: 1, Token: 9, Holders: []Entry{line(minute, false)}}
	if tab.Sole(2) != 0 || tab.Free() != 0 || !tab.Holders[0].Wants() {
		t.Error("a grant that keeps is not like any other while it is held")
	}
	if !tab.EndGrant(tab.Holders[0].ID, atNoon) || len(tab.Holders) != 1 {
		t.Fatal("the line of a grant that is to be kept was removed")
	}
	e := &tab.Holders[0]
	if tab.Sole(2) != -1 || tab.Free() != 0 || len(tab.Clients(2))+len(tab.Blockers(2, nil)) > 0 || e.Wants() {
		t.Errorf("the kept grant is somebody's: %q", e.line)
	}
	if e.File() != 4242 || !strings.Contains(e.line, " kept 60000000 until 2026-01-02T12:01:00.0") {
		t.Errorf("its line is %q", e.line)
	}
	if since, owner := e.about(); !since.Equal(noon) || owner.Host != "h" {
		t.Errorf("about = %v, %+v", since, owner)
	}
	if tab.DropClient(1) {
		t.Error("a kept grant ended with its client")
	}
	if !tab.EndGrant(e.ID, atNoon.after(time.Hour, 0)) || len(tab.Holders) != 0 {
		t.Error("a grant was kept although its time is over")
	}
}

func TestMachineHasAClockOfItsBoot(t *testing.T) {
	a, b := Now(), Now()
	if a.boot != b.boot || b.at < a.at {
		t.Errorf("clocks %+v, then %+v", a, b)
	}
}

// setKeep finds the end of the old Keep by the word that follows.
func TestALineWhoseKeepHasNoEndIsDamage(t *testing.T) {
	const line = "holder 0000000000000001-1 weight 1 token 5 kept 60000000 until 2026-01-02T15:05:05.000006Z boot 0000000000000007 812000000 "
	const head = "name \"a\"\nmutex capacity 1\ntoken 5\n"
	if tab, err := parseBody(head + line + "pid 7\n"); err == nil {
		t.Errorf("read as %+v", tab)
	}
	if _, err := parseBody(head + line + "since x\n"); err != nil {
		t.Error(err)
	}
}
