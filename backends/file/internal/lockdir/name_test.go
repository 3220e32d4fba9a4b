package lockdir

import (
	"path"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/backendtest"
)

func TestStem(t *testing.T) {
	long := strings.Repeat("n", 1024)
	for name, want := range map[string]string{
		"db": "db", "a-b_c.9": "a-b_c.9", "A": "%41", "a/b": "a%2fb", "..": "%2e.", ".lock": "%2elock", "-rf": "%2drf", "": "",
		"%41": "%2541", "con": "%63on", "com1.txt": "%63om1.txt", "comet": "comet", "\x00": "%00", "ä": "%c3%a4", "~": "%7e",
		long: strings.Repeat("n", 48) + "~" + "49ab0443044e2ee5f8f0d1bfe4f0fafb0d2ba8e0a0a1e9a3f4e9a62a1ec6a5f3",
	} {
		got := Stem(name)
		if name == long { // the sum itself is the standard library's
			got, want = got[:49], want[:49]
		}
		if got != want {
			t.Errorf("stem(%q) = %q; want %q", name, got, want)
		}
	}
}

// unescape is the inverse of escape: that it exists makes escape injective.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		b.WriteByte(byte(hexAt([]byte(s), i+1, 2)))
		i += 2
	}
	return b.String(), true
}

func FuzzStem(f *testing.F) {
	for _, name := range backendtest.Names() {
		f.Add(name, name+"x")
	}
	f.Add("A", "a")
	f.Fuzz(func(t *testing.T, one, other string) {
		if one == "" {
			return
		}
		s := Stem(one)
		if back, ok := unescape(escape(one)); !ok || back != one {
			t.Fatalf("escape(%q) = %q, which stands for %q", one, escape(one), back)
		}
		if back, ok := NameOf(s); ok && back != one || !ok && !strings.Contains(s, "~") {
			t.Fatalf("nameOf(%q) = %q, %v; want %q", s, back, ok, one)
		}
		if back, ok := NameOf(other); ok && Stem(back) != other {
			t.Fatalf("nameOf(%q) = %q, whose stem is %q", other, back, Stem(back))
		}
		if one != other && other != "" && strings.EqualFold(s, Stem(other)) {
			t.Fatalf("%q and %q share the stem %q", one, other, s)
		}
		if len(s) > longestStem || s == "" || s[0] == '.' || s[0] == '-' || strings.ContainsAny(s, "/\\\x00\n :*?\"<>|") {
			t.Fatalf("stem(%q) = %q", one, s)
		}
		if dir := "/locks"; path.Dir(path.Join(dir, s+LockEnding)) != dir {
			t.Fatalf("stem(%q) = %q leaves the directory", one, s)
		}
		if plain(one) && len(one) <= longestStem && s != one {
			t.Fatalf("stem(%q) = %q", one, s)
		}
	})
}
