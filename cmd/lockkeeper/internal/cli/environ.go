package cli

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
)

// heldVariable tells a command which locks it runs under, those of enclosing runs too. It is for
// lockkeeper itself.
const heldVariable = "LOCKKEEPER_HELD"

// lock is a name that a run holds for its command, and for all that the command starts.
type lock struct {
	name  string
	token uint64
	pid   int // of the holder
}

// String is an entry of heldVariable: without a space, whatever the name is.
func (l lock) String() string {
	return fmt.Sprintf("%d:%d:%s", l.pid, l.token, url.QueryEscape(l.name))
}

// holder returns the holder that the lock is, if it is held now.
func (l lock) holder(s backends.State) (backends.Holder, bool) {
	host, _ := os.Hostname() // as the store has it; without, no holder is found
	i := slices.IndexFunc(s.Holders, func(h backends.Holder) bool {
		return h.Token == l.token && h.Owner.PID == l.pid && h.Owner.Host == host && h.Kept == 0
	})
	if i < 0 {
		return backends.Holder{}, false
	}
	return s.Holders[i], true
}

// enclosing returns the locks in the value of heldVariable. It skips entries that are no locks.
func enclosing(value string) (locks []lock) {
	for _, entry := range strings.Fields(value) {
		var l lock
		var name string
		var err error
		if n, _ := fmt.Sscanf(entry, "%d:%d:%s", &l.pid, &l.token, &name); n != 3 { //nolint:mnd // the three of String
			continue
		}
		if l.name, err = url.QueryUnescape(name); err == nil {
			locks = append(locks, l)
		}
	}
	return locks
}

// ours reports whether environ sets the variable of this entry.
func ours(kv string) bool {
	name, _, _ := strings.Cut(kv, "=")
	for _, first := range []string{"LOCK_NAME", "LOCK_TOKEN"} {
		if rest, ok := strings.CutPrefix(name, first); ok && (rest == "" || rest[0] == '_' && strings.Trim(rest[1:], "0123456789") == "") {
			return true
		}
	}
	return name == heldVariable
}

// environ returns the environment base for a command that runs under the locks, and under those of
// enclosing runs. LOCK_NAME and LOCK_TOKEN are the first lock, LOCK_NAME_2 and LOCK_TOKEN_2 the
// second, and so on.
func environ(base []string, locks []lock) []string {
	env := make([]string, 0, len(base)+2*len(locks)+1)
	var all []string
	for _, kv := range base {
		if value, ok := strings.CutPrefix(kv, heldVariable+"="); ok {
			all = inherited(value, locks)
		}
		if !ours(kv) {
			env = append(env, kv)
		}
	}
	for i, l := range locks {
		suffix := ""
		if i > 0 {
			suffix = "_" + strconv.Itoa(i+1)
		}
		env = append(env, "LOCK_NAME"+suffix+"="+l.name, "LOCK_TOKEN"+suffix+"="+strconv.FormatUint(l.token, 10))
		all = append(all, l.String())
	}
	return append(env, heldVariable+"="+strings.Join(all, " "))
}

// inherited returns the entries of an enclosing run that the locks leave standing.
func inherited(value string, locks []lock) (entries []string) {
	for _, l := range enclosing(value) {
		if !slices.Contains(locks, l) {
			entries = append(entries, l.String())
		}
	}
	return entries
}
