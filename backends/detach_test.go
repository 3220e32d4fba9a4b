package backends_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestDetachmentCheck(t *testing.T) {
	tests := []struct {
		what  string
		spoil func(d *backends.Detachment)
		field string // of the *InvalidError; "": valid
	}{
		{"plain", func(*backends.Detachment) {}, ""},
		{"a later token of all of it", func(d *backends.Detachment) { d.Grant.Weight, d.Token = 3, 20 }, ""},
		{"a later token of a part", func(d *backends.Detachment) { d.Token = 8 }, "token"},
		{"an earlier token", func(d *backends.Detachment) { d.Token = 6 }, "token"},
		{"no name", func(d *backends.Detachment) { d.Grant.Resource.Name = "" }, "name"},
		{"no time", func(d *backends.Detachment) { d.TTL = 0 }, "ttl"},
	}
	for _, test := range tests {
		d := backends.Detachment{Token: 7, TTL: time.Second, Grant: backends.Grant{
			Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3}, Weight: 1, Token: 7, Tokens: 1,
		}}
		test.spoil(&d)
		var invalid *backends.InvalidError
		err := d.Check()
		if valid := err == nil; valid != (test.field == "") || !valid && (!errors.As(err, &invalid) || invalid.Field != test.field) {
			t.Errorf("%s: %v; want an invalid %q", test.what, err, test.field)
		}
	}
}
