package redis

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
)

// encode makes a name the hash tag of its keys: never empty, without braces, readable where the name is, and different
// for different names. A byte that could end the tag, or that people cannot see, becomes %XX.
func encode(name string) string {
	plain := true
	for i := 0; plain && i < len(name); i++ {
		plain = !escaped(name[i])
	}
	if plain {
		return name
	}
	var s strings.Builder
	for i := range len(name) {
		if c := name[i]; escaped(c) {
			fmt.Fprintf(&s, "%%%02X", c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}

func escaped(c byte) bool { return c <= ' ' || c == '%' || c == '{' || c == '}' || c >= 0x7f }

// decode is the reverse of encode; it reports false for what encode does not produce.
func decode(tag string) (string, bool) {
	var s strings.Builder
	for i := 0; i < len(tag); i++ {
		if tag[i] != '%' {
			s.WriteByte(tag[i])
			continue
		}
		if i+2 >= len(tag) {
			return "", false
		}
		c, err := strconv.ParseUint(tag[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		s.WriteByte(byte(c))
		i += 2
	}
	name := s.String()
	return name, backends.CheckName(name) == nil && encode(name) == tag
}

// address is a name, and the keys that it has on the server, as arguments of commands.
type address struct {
	name string
	text any   // the name
	keys []any // three strings, in one slot of a cluster; not to be changed
	slot int   // of a cluster; 0 where there is one server
}

// addresses remembers those used last, by hash of the name: names that come back cost nothing, and a million names used once
// leave no more than this array.
type addresses [64]atomic.Pointer[address]

var addressSeed = maphash.MakeSeed()

func (b *Backend) address(name string) *address {
	slot := &b.addresses[maphash.String(addressSeed, name)%uint64(len(b.addresses))]
	a := slot.Load()
	if a == nil || a.name != name {
		h := b.opt.prefix + "{" + encode(name) + "}"
		a = &address{name: name, text: name, keys: []any{h, h + ":q", h + ":d"}}
		if !b.conns.batch {
			a.slot = slotOf(encode(name))
		}
		slot.Store(a)
	}
	return a
}

// slotOf returns the slot of a hash tag: its CRC-16 (XMODEM), by the cluster specification.
func slotOf(tag string) int {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % 16384)
}

// nameOf returns the name whose hash has this key.
func (b *Backend) nameOf(key string) (string, bool) {
	tag, ok := strings.CutPrefix(key, b.opt.prefix+"{")
	if !ok {
		return "", false
	}
	if tag, ok = strings.CutSuffix(tag, "}"); !ok {
		return "", false
	}
	return decode(tag)
}

// pattern matches the hashes of all names, and little else.
func (b *Backend) pattern() string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(b.opt.prefix) + "{*}"
}

// idText is how scripts write a grant's id: the client as 16 hexadecimal digits, a dash, and the
// number. Before it stands how.
func idText(how string, id backends.GrantID) string {
	const digits = "0123456789abcdef"
	text := append(make([]byte, 0, 34), how...)
	for shift := 60; shift >= 0; shift -= 4 {
		text = append(text, digits[id.Client>>shift&15])
	}
	return string(strconv.AppendUint(append(text, '-'), id.Seq, 16))
}

// parseID is the reverse of idText.
func parseID(s string) (backends.GrantID, error) {
	client, seq, _ := strings.Cut(s, "-")
	c, err := strconv.ParseUint(client, 16, 64)
	if err != nil {
		return backends.GrantID{}, err
	}
	n, err := strconv.ParseUint(seq, 16, 64)
	return backends.GrantID{Client: c, Seq: n}, err
}
