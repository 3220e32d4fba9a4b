package lockdir

import (
	"bytes"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A table file begins with one line of fixed length, the header:
//
//	lockkeeper 1 version 00000000000000a7 crc 9f2d01c4 at 00000058 length 00000083
//
// The crc (castagnoli) is that of the body: length bytes (hexadecimal, like all of the header) at offset at. What lies
// beyond is left over from earlier and means nothing. The version grows with every change, so that a reader who
// finds the header it wrote itself knows the rest without reading it. The body is lines as well:
//
//	name "db"
//	mutex capacity 1
//	token 1764000000000001
//	holder 00c0ffee00c0ffee-1 weight 1 token 1764000000000001 since 2026-01-02T15:04:05.000006Z pid 7 … file 4242
//	waiter 0badcafe0badcafe-9 weight 1 token 0 since …
const (
	headerLength = 79
	Page         = 4096 // a body that ends within the first page lies there, else behind it
	largestTable = 64 << 20
)

// checksum is the CRC of a body. The table is made by its first use, as that takes a while.
func checksum(body []byte) uint32 {
	return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
}

var (
	// ErrCorrupt is the error for a table that is none.
	ErrCorrupt = errors.New("table is damaged")
	errTooLong = errors.New("table is too long")
)

type header struct {
	version uint64
	crc     uint32
	at      int64
	length  int64
}

func (h header) append(b []byte) []byte {
	b = append(b, "lockkeeper 1 version "...)
	b = appendHex(b, h.version, 16)
	b = append(b, " crc "...)
	b = appendHex(b, uint64(h.crc), 8)
	b = append(b, " at "...)
	b = appendHex(b, uint64(h.at), 8)
	b = append(b, " length "...)
	b = appendHex(b, uint64(h.length), 8)
	return append(b, '\n')
}

func appendHex(b []byte, v uint64, digits int) []byte {
	for s := 4 * (digits - 1); s >= 0; s -= 4 {
		b = append(b, hexDigits[v>>s&15])
	}
	return b
}

// parseHeader reads the header at the start of b. Only what append writes is a header, bit for bit.
func parseHeader(b []byte) (header, error) {
	if len(b) < headerLength {
		return header{}, ErrCorrupt
	}
	line := b[:headerLength]
	h := header{
		version: hexAt(line, 21, 16),
		crc:     uint32(hexAt(line, 42, 8)),
		at:      int64(hexAt(line, 54, 8)),
		length:  int64(hexAt(line, 70, 8)),
	}
	var again [headerLength]byte
	inline := h.at == headerLength && h.at+h.length <= Page
	if !bytes.Equal(h.append(again[:0]), line) || !inline && h.at < Page || h.length > largestTable {
		return header{}, ErrCorrupt
	}
	return h, nil
}

// hexAt reads hexadecimal digits. Other bytes count as some digit; parseHeader notices.
func hexAt(b []byte, at, digits int) uint64 {
	var v uint64
	for _, c := range b[at : at+digits] {
		if c -= '0'; c > 9 {
			c -= 'a' - '0' - 10
		}
		v = v<<4 | uint64(c&15)
	}
	return v
}

// appendBody appends the table's lines.
func (t *Table) appendBody(b []byte) []byte {
	b = append(b, "name "...)
	b = strconv.AppendQuote(b, t.Name)
	b = append(b, '\n')
	b = append(b, t.Kind.String()...)
	b = append(b, " capacity "...)
	b = strconv.AppendInt(b, t.Capacity, 10)
	b = append(b, "\ntoken "...)
	b = strconv.AppendUint(b, t.Token, 10)
	b = append(b, '\n')
	for i := range t.Holders {
		word := "holder "
		if t.Holders[i].Broken {
			word = "broken "
		}
		b = append(b, word...)
		b = append(b, t.Holders[i].line...)
		b = append(b, '\n')
	}
	for i := range t.Waiters {
		b = append(b, "waiter "...)
		b = append(b, t.Waiters[i].line...)
		b = append(b, '\n')
	}
	return b
}

// Write makes the entry's line. It is made once and then copied, by every process. File says which lock file the grant rests
// on; 0: none.
func (e *Entry) Write(since time.Time, ownerWords string, wants bool, file uint64) {
	var room [256]byte
	b := appendHex(room[:0], e.ID.Client, 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, e.ID.Seq, 16)
	b = append(b, " weight "...)
	b = strconv.AppendInt(b, e.Weight, 10)
	b = append(b, " token "...)
	b = strconv.AppendUint(b, e.Token, 10)
	if e.Keep != nil {
		b = e.Keep.append(b, e.Kept)
	}
	b = append(b, sinceWord...)
	b = since.UTC().AppendFormat(b, aboutTime)
	b = append(b, ownerWords...)
	if wants {
		b = append(b, Tries...)
	}
	if file != 0 {
		b = append(b, fileWord...)
		b = strconv.AppendUint(b, file, 10)
	}
	e.line = string(b)
}

const (
	fileWord  = " file "
	sinceWord = " since " // the first such word of a line: only numbers come before it
)

// setKeep writes another Keep into the line.
func (e *Entry) setKeep(k *Keep, kept bool) {
	from, to := strings.Index(e.line, keepWord(e.Kept)), strings.Index(e.line, sinceWord)
	e.Keep, e.Kept = k, kept
	e.line = e.line[:from] + string(k.append(nil, kept)) + e.line[to:]
}

// The line of a holder that wants to hear of tries ends, before the file, in one of these words.
const (
	Tries = " tries"
	Tried = " tried" // another client has tried, and the holder does not know yet
)

// markAt returns where in the line the word tries or tried ends; 0: there is none. A label would end
// with a quote.
func (e *Entry) markAt() int {
	end := len(e.line)
	if e.File() != 0 {
		end = strings.LastIndex(e.line, fileWord)
	}
	if s := e.line[:end]; strings.HasSuffix(s, Tries) || strings.HasSuffix(s, Tried) {
		return end
	}
	return 0
}

// Wants reports whether the entry has a holder that wants to hear of tries.
func (e *Entry) Wants() bool { return !e.Kept && e.markAt() > 0 }

// Mark puts one of the words in place of the other, and reports whether that changes the line.
func (e *Entry) Mark(word string) bool {
	end := e.markAt()
	if end == 0 || strings.HasSuffix(e.line[:end], word) {
		return false
	}
	e.line = e.line[:end-len(word)] + word + e.line[end:]
	return true
}

// File returns which lock file the line says that the grant rests on; 0: it does not say.
func (e *Entry) File() uint64 {
	i := strings.LastIndex(e.line, fileWord) // in a label it would end with a quote
	if i < 0 {
		return 0
	}
	n, _ := strconv.ParseUint(e.line[i+len(fileWord):], 10, 64) // 0 if it is none
	return n
}

// parseBody reads what appendBody wrote. Whatever else it is given, it returns an error and no table.
func parseBody(body string) (*Table, error) {
	t := &Table{}
	p := parser{rest: body}
	p.word("name ")
	t.Name = p.quoted()
	p.word("\n")
	t.Kind = p.kind()
	p.word("capacity ")
	t.Capacity = int64(p.number(10, '\n'))
	p.word("token ")
	t.Token = p.number(10, '\n')
	for p.rest != "" && !p.bad {
		switch word := p.until(' '); word {
		case "holder", "broken":
			e := p.entry()
			e.Broken = word == "broken"
			t.Holders = append(t.Holders, e)
		case "waiter":
			t.Waiters = append(t.Waiters, p.entry())
		default:
			p.bad = true
		}
	}
	r := backends.Resource{Name: t.Name, Kind: t.Kind, Capacity: t.Capacity}
	if p.bad || r.Check() != nil || t.Token > HighestToken {
		return nil, ErrCorrupt
	}
	for _, es := range [...][]Entry{t.Holders, t.Waiters} {
		for i := range es {
			if es[i].Weight > t.Capacity || es[i].Token > t.Token {
				return nil, ErrCorrupt
			}
		}
	}
	return t, nil
}

// HighestToken leaves more room above than could ever be used up, so that no sum overflows.
const HighestToken = 1 << 62

// parser cuts a body into pieces. The first piece that is not as expected makes it bad for good.
type parser struct {
	rest string
	bad  bool
}

func (p *parser) word(w string) {
	rest, ok := strings.CutPrefix(p.rest, w)
	p.rest = rest
	p.bad = p.bad || !ok
}

func (p *parser) until(end byte) string {
	i := strings.IndexByte(p.rest, end)
	if i < 0 || p.bad {
		p.bad = true
		return ""
	}
	s := p.rest[:i]
	p.rest = p.rest[i+1:]
	return s
}

func (p *parser) number(base int, end byte) uint64 {
	v, err := strconv.ParseUint(p.until(end), base, 63)
	p.bad = p.bad || err != nil
	return v
}

func (p *parser) quoted() string {
	q, err := strconv.QuotedPrefix(p.rest)
	if err != nil || p.bad {
		p.bad = true
		return ""
	}
	p.rest = p.rest[len(q):]
	s, err := strconv.Unquote(q)
	p.bad = p.bad || err != nil
	return s
}

func (p *parser) kind() backends.Kind {
	word := p.until(' ')
	for _, k := range [...]backends.Kind{backends.Mutex, backends.ReadWrite, backends.Semaphore} {
		if k.String() == word {
			return k
		}
	}
	p.bad = true
	return 0
}

func (p *parser) entry() Entry {
	e := Entry{line: p.until('\n')}
	q := parser{rest: e.line, bad: p.bad}
	q.fields(&e)
	p.bad = q.bad
	return e
}

// fields reads what every line of a holder or waiter begins with. The rest is for people.
func (p *parser) fields(e *Entry) {
	var err error
	if e.ID.Client, err = strconv.ParseUint(p.until('-'), 16, 64); err != nil {
		p.bad = true
	}
	e.ID.Seq = p.number(16, ' ')
	p.word("weight ")
	e.Weight = int64(p.number(10, ' '))
	p.word("token ")
	e.Token = p.number(10, ' ')
	p.bad = p.bad || e.Weight < 1
	if strings.HasPrefix(p.rest, "keeps ") || strings.HasPrefix(p.rest, "kept ") {
		e.Kept = p.until(' ') == "kept"
		e.Keep = p.keep()
		p.bad = p.bad || !strings.HasPrefix(p.rest, sinceWord[1:]) // where setKeep ends
	}
}

// Salvage returns the last token that a damaged table seems to tell of, or 0. A number beyond ceiling is
// taken for damage: believed once, it would be this name's tokens for ever.
func salvage(raw []byte, ceiling uint64) uint64 {
	var last uint64
	for line := range strings.Lines(string(raw)) {
		for s := line; ; {
			_, after, ok := strings.Cut(s, "token ")
			if !ok {
				break
			}
			s = after
			digits := strings.TrimRight(after, "\n")
			digits, _, _ = strings.Cut(digits, " ")
			if v, err := strconv.ParseUint(digits, 10, 64); err == nil && v <= ceiling {
				last = max(last, v)
			}
		}
	}
	return last
}
