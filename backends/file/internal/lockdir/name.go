package lockdir

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// The files of one name are its stem and one of these endings.
const (
	LockEnding  = ".lock"  // empty; the kernel lock lies on it while a mutex or reader-writer lock is held
	TableEnding = ".table" // who holds, who waits, the last token
)

const (
	longestStem = 120 // bytes; with the endings well below the 255 of every file system
	headOfLong  = 48  // bytes of a long name's encoding that stay readable
	hexDigits   = "0123456789abcdef"
)

// Stem returns the part of a file name that stands for the resource name: different names have different stems, also where
// the file system folds case or composes accents; no stem is empty, begins with a dot or a dash, contains
// a separator or is a device of Windows.
//
// Lower-case letters, digits, '.', '_' and '-' stand for themselves where that is safe, every other byte is %xx. An
// encoding that would be too long is cut, and "~" and the SHA-256 of the whole name follow; as '~' itself
// is always encoded, a cut stem is never the stem of a short name.
func Stem(name string) string {
	if plain(name) && len(name) <= longestStem {
		return name
	}
	s := escape(name)
	if len(s) <= longestStem {
		return s
	}
	sum := sha256.Sum256([]byte(name))
	return s[:headOfLong] + "~" + hex.EncodeToString(sum[:])
}

// plain reports whether escape would return name as it is.
func plain(name string) bool {
	for i := range len(name) {
		if !literal(name, i) {
			return false
		}
	}
	return name != "" && !device(name)
}

func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; literal(name, i) && (i > 0 || !device(name)) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// literal reports whether byte i of name may stand for itself.
func literal(name string, i int) bool {
	switch c := name[i]; {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		return true
	case c == '-':
		return i > 0 // a file called -rf would be an option to somebody's rm
	case c == '.':
		return i > 0 // hidden, and ".", ".."
	default:
		return false
	}
}

// device reports whether name, with any ending, would be a device on Windows. Upper case is encoded anyway.
func device(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	switch base {
	case "con", "prn", "aux", "nul":
		return true
	}
	if len(base) != 4 || base[3] < '0' || base[3] > '9' {
		return false
	}
	return base[:3] == "com" || base[:3] == "lpt"
}

// NameOf returns the name that has this stem; false: a long name, of which the stem keeps only a part, or no stem.
func NameOf(s string) (name string, ok bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b = append(b, byte(v))
		i += 2
	}
	name = string(b)
	return name, name != "" && Stem(name) == s
}
