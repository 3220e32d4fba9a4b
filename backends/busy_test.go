package backends_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// The text of a busy try is one readable line, whatever the holder calls itself.
func TestBusyErrorSaysWhoHoldsAndSinceWhen(t *testing.T) {
	since := time.Date(2026, 11, 27, 12, 3, 4, 5, time.Local)
	client := backends.GrantID{Client: 1, Seq: 1}
	long := strings.Repeat("x", 1000)
	kept := backends.Holder{ID: client, Owner: backends.Owner{Host: "db1", PID: 7}, Since: since, Kept: time.Hour}
	day := time.Now().Add(time.Hour).Format("2006-")
	if got := kept.Held(); !strings.HasPrefix(got, "kept until "+day) || !strings.HasSuffix(got, ", last held by pid 7 on db1") {
		t.Errorf("of a kept grant: %q", got)
	}
	for want, h := range map[string]backends.Holder{
		"held by pid 4711 on db1 (backup) since 2026-11-27 12:03:04": {
			ID: client, Owner: backends.Owner{Host: "db1", PID: 4711, Label: "backup"}, Since: since.UTC(),
		},
		"held by pid 7 on db1 since 2026-11-27 12:03:04": {
			ID: client, Owner: backends.Owner{Host: "db1", PID: 7}, Since: since,
		},
		`held by pid 7 on "d\nb" ("\x1b[2J") since 2026-11-27 12:03:04`: {
			ID: client, Owner: backends.Owner{Host: "d\nb", PID: 7, Label: "\x1b[2J"}, Since: since,
		},
		`held by pid 7 on db1 ("` + long[:64] + `"… (1000 bytes))`: {
			ID: client, Owner: backends.Owner{Host: "db1", PID: 7, Label: long},
		},
		"detached by pid 7 on db1, not adopted yet": {
			ID: client, Owner: backends.Owner{Host: "db1", PID: 7}, Since: since, Detached: true,
		},
		"held by another client":                 {ID: client},
		"held by another program":                {},
		"held by another program (pid 9 on db1)": {Owner: backends.Owner{Host: "db1", PID: 9}},
	} {
		err := error(&backends.BusyError{Name: "n", Holder: h})
		if got := err.Error(); got != "busy: "+want {
			t.Errorf("got  %s\nwant busy: %s", got, want)
		}
		if !errors.Is(err, backends.ErrBusy) {
			t.Errorf("%v is not ErrBusy", err)
		}
	}
}
