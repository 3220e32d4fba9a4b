package redis

import (
	"regexp"
	"strings"
	"testing"
)

// A script may touch only keys that it declares: in a cluster, and with rights to some keys only, others fail.
func TestScriptsTouchOnlyDeclaredKeys(t *testing.T) {
	calls := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'(?:, *([^,)]+))?`)
	for name, src := range sources() {
		for _, m := range calls.FindAllStringSubmatch(src, -1) {
			switch command, first := m[1], m[2]; command {
			case "TIME", "PUBLISH", "SCAN":
			case "DEL":
				if first != "Q" {
					t.Errorf("%s: %s", name, m[0])
				}
			default:
				if first != "H" && first != "Q" && first != "D" && first != "KEYS[1]" && first != "KEYS[2]" && first != "KEYS[3]" &&
					(name != "state" || first != "key") { // its functions of a key are called with Q and D
					t.Errorf("%s: %s touches %q", name, m[0], first)
				}
			}
		}
		if strings.Contains(src, "math.random") || strings.Contains(src, "os.time") {
			t.Errorf("%s has another clock than TIME, or luck", name)
		}
	}
}

func TestScriptsSayWhatTheyTake(t *testing.T) {
	for name, src := range sources() {
		for _, word := range []string{"keys", "args", "result", "clock"} {
			head, _, _ := strings.Cut(src, "\nlocal ")
			if name == "common" && word == "result" {
				continue
			}
			if !strings.Contains(strings.ToLower(head), word) {
				t.Errorf("the header of %s says nothing of %s", name, word)
			}
		}
	}
}

func sources() map[string]string {
	return map[string]string{
		"base": baseLua, "state": stateLua, "rules": rulesLua, "look": lookLua, "short": shortLua, "op": opLua, "op_lone": opLoneLua, "op_fast": opFastLua, "renew": renewLua, "heartbeat": heartbeatLua, "break": breakLua, "inspect": inspectLua, "names": namesLua,
	}
}
