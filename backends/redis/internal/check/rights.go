package check

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

//go:embed rights.lua
var rightsLua string

// rightsAndClock runs a script that tells the missing rights and commands, and the server's clock.
// It returns an error if the script does not run.
func (x *exam) rightsAndClock() error {
	sent := time.Now()
	args := append(x.Keys[:3:3], x.Channel)
	v, err := x.node.client.Eval(x.ctx, rightsLua, nil, args...).Result()
	trip := time.Since(sent)
	if err != nil {
		return err
	}
	r, ok := v.([]any)
	if !ok || len(r) != 3 {
		return fmt.Errorf("unexpected reply %v", v)
	}
	refused := set(r[0])
	if x.Replicas == 0 {
		delete(refused, "wait")
	}
	x.rights(refused)
	x.missing(set(r[2]))
	micros, _ := strconv.ParseInt(fmt.Sprint(r[1]), 10, 64)
	if micros == 0 {
		x.add(backends.Finding{Level: backends.Note, Topic: "clock", What: "the server does not tell its clock",
			Means: "its difference from this machine's is not checked"})
		return nil
	}
	server, here := time.UnixMicro(micros), sent.Add(trip/2)
	apart := server.Sub(here).Round(time.Millisecond)
	f := backends.Finding{Topic: "clock", What: fmt.Sprintf("the server's clock is within %v of this machine's", max(apart.Abs(), trip))}
	if apart.Abs()-trip/2 > clockApart {
		f.Level, f.What = backends.Note, fmt.Sprintf("the server's clock is %v apart from this machine's", apart)
		f.Means = "nothing while this server lives, since only its clock counts; if it loses its data to one whose clock is " +
			"behind, tokens may repeat"
		f.Mend = "run NTP on every server"
	}
	x.add(f)
	return nil
}

// set returns the texts of a list.
func set(list any) map[string]bool {
	texts := make(map[string]bool)
	all, _ := list.([]any)
	for _, v := range all {
		texts[fmt.Sprint(v)] = true
	}
	return texts
}

// byLevel sorts commands that cannot be run by how bad that is, and calls say for each sort.
func byLevel(commands map[string]bool, say func(l backends.Level, commands []string, means string)) {
	take := func(of ...string) (some []string) {
		for _, n := range of {
			if commands[n] {
				some = append(some, n)
				delete(commands, n)
			}
		}
		return some
	}
	channels, scan := take("publish", "subscribe", "unsubscribe"), take("scan")
	if rest := slices.Sorted(maps.Keys(commands)); len(rest) > 0 {
		say(backends.Failure, rest, "locks cannot be used")
	}
	if len(channels) > 0 {
		say(backends.Warning, channels, "waiters hear of a grant from their heartbeat only, up to a second late")
	}
	if len(scan) > 0 {
		say(backends.Note, scan, "names in use cannot be listed")
	}
}

// rights reports which commands the user may not run.
func (x *exam) rights(refused map[string]bool) {
	if len(refused) == 0 {
		x.add(backends.Finding{Topic: "rights", What: "the user may do all that is needed"})
	}
	byLevel(refused, x.lacks)
}

func (x *exam) lacks(l backends.Level, commands []string, means string) {
	rights := "+" + strings.Join(commands, " +")
	x.add(backends.Finding{Level: l, Topic: "rights", What: "the user lacks " + rights, Means: means,
		Mend: fmt.Sprintf("ACL SETUSER <user> ~%s* &%s* %s", x.Prefix, x.Prefix, rights)})
}

// missing reports which commands the server does not have.
func (x *exam) missing(commands map[string]bool) {
	if x.Replicas == 0 {
		delete(commands, "wait")
	}
	byLevel(commands, func(l backends.Level, commands []string, means string) {
		names := strings.ToUpper(strings.Join(commands, " "))
		x.add(backends.Finding{Level: l, Topic: "commands", What: "the server does not know " + names + ": renamed, or disabled",
			Means: means, Mend: "remove rename-command " + names + " from its configuration, or use a server that has them"})
	})
}
