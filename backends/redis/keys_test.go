package redis

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

func FuzzNamesAreInjective(f *testing.F) {
	for _, s := range []string{"a", "}", "{", "{}", "a}b", "%7D", "\x00", "*", "[a-z]", "\r\n", "../x", "\u202e", "\xff"} {
		f.Add(s)
	}
	b := &Backend{opt: options{prefix: "lk:"}}
	f.Fuzz(func(t *testing.T, name string) {
		if backends.CheckName(name) != nil {
			return
		}
		keys := b.address(name).keys
		back, ok := b.nameOf(keys[0].(string))
		if !ok || back != name {
			t.Fatalf("%q became %q and then %q", name, keys[0], back)
		}
		for _, k := range keys {
			// What a cluster hashes: from the first brace to the next closing one.
			_, tag, _ := strings.Cut(k.(string), "{")
			tag, _, ok := strings.Cut(tag, "}")
			if !ok || tag != encode(name) || tag == "" {
				t.Fatalf("%q: the tag of %q is %q", name, k, tag)
			}
		}
	})
}

func FuzzDecodeRefusesWhatEncodeDoesNotMake(f *testing.F) {
	for _, s := range []string{"", "%", "%7", "%7d", "%61", "%zz", "{", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if name, ok := decode(tag); ok && encode(name) != tag {
			t.Fatalf("decode(%q) = %q, which encodes as %q", tag, name, encode(name))
		}
	})
}

func TestIDsAreWrittenAsPeopleSeeThem(t *testing.T) {
	for _, id := range []backends.GrantID{{}, {Client: 1, Seq: 1}, {Client: 1<<64 - 1, Seq: 1<<64 - 1}, {Client: 0xab << 40, Seq: 0xf0}} {
		text := idText("", id)
		back, err := parseID(text)
		if text != id.String() || err != nil || back != id {
			t.Errorf("%v is written %q and read as %v, %v", id, text, back, err)
		}
	}
}
