package cli

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/lockkeeper/lockkeeper/backends"
)

// further is a name of --also, and where it stands on the command line.
type further struct {
	name string
	left int // how many arguments come after it
}

// furtherMapper takes a name of --also byte by byte. The kinds of names have flags of their own: a
// prefix of the name, as in read:NAME, would be a part of some names.
func furtherMapper(ctx *kong.DecodeContext, target reflect.Value) error {
	var name string
	if err := verbatim(ctx, reflect.ValueOf(&name).Elem()); err != nil {
		return err
	}
	target.Set(reflect.Append(target, reflect.ValueOf(further{name, ctx.Scan.Len()})))
	return nil
}

// also returns the names of the flags --also…, in the order of the command line.
func (r *runCmd) also() (parts, error) {
	type placed struct {
		part
		left int
	}
	var all []placed
	for _, f := range r.Also {
		all = append(all, placed{part{name: f.name, as: backends.Mutex}, f.left})
	}
	for _, f := range r.AlsoRead {
		all = append(all, placed{part{name: f.name, as: backends.ReadWrite, shared: true}, f.left})
	}
	for _, f := range r.AlsoWrite {
		all = append(all, placed{part{name: f.name, as: backends.ReadWrite}, f.left})
	}
	for _, f := range r.AlsoCapacity {
		number, name, found := strings.Cut(f.name, ":")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || !found {
			return nil, usageError("--also-capacity=%s: want N:NAME, with a number of permits", printable(f.name))
		}
		all = append(all, placed{part{name: name, as: backends.Semaphore, capacity: n, permits: 1}, f.left})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(b.left, a.left) })
	ps := make(parts, len(all))
	for i, p := range all {
		ps[i] = p.part
	}
	return ps, nil
}
