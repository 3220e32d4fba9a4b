package cli

import (
	"slices"
	"strings"
	"unicode"
)

// wide are the letters that take two columns of a terminal, but for those of the scripts in
// wideScripts.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // the first parts of Korean syllables
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, // radicals, punctuation
		{Lo: 0x3041, Hi: 0x33ff, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Korean syllables
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, // Latin as wide as Chinese
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, // pictures
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1faff, Stride: 1},
	},
}

var wideScripts = []*unicode.RangeTable{unicode.Han, unicode.Yi, unicode.Tangut, wide}

// columnsOf is how many columns of a terminal a letter takes.
func columnsOf(r rune) int {
	switch {
	case r < 0x300: // nearly all
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf): // it stands on the letter before, or is not seen
		return 0
	case unicode.In(r, wideScripts...):
		return 2
	}
	return 1
}

// widthOf is how many columns of a terminal a text takes.
func widthOf(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

// head returns the beginning of a text: what takes so many columns.
func head(text string, columns int) string {
	for i, r := range text {
		if columns -= columnsOf(r); columns < 0 {
			return text[:i]
		}
	}
	return text
}

// tail returns the end of a text, in the same way. It does not begin with what stands on a letter.
func tail(text string, columns int) string {
	letters := []rune(text)
	from := len(letters)
	for i, r := range slices.Backward(letters) {
		n := columnsOf(r)
		if columns -= n; columns < 0 {
			break
		}
		if n > 0 {
			from = i
		}
	}
	return string(letters[from:])
}

// gap is the space between two columns of a table.
const gap = 2

// aligned gives the cells of each row, which are divided by tabs, the widths of their columns.
func aligned(rows []styled) []styled {
	var widths []int
	for _, r := range rows {
		for i, cell := range strings.Split(r.text, "\t") {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], widthOf(cell))
		}
	}
	for i := range rows {
		var b strings.Builder
		cells := strings.Split(rows[i].text, "\t")
		for k, cell := range cells {
			b.WriteString(cell)
			if k < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[k]+gap-widthOf(cell)))
			}
		}
		rows[i].text = b.String()
	}
	return rows
}

// without returns the rows without the columns that have these heads in the first row.
func without(rows []styled, heads []string) []styled {
	if len(rows) == 0 || len(heads) == 0 {
		return slices.Clone(rows)
	}
	names := strings.Split(rows[0].text, "\t")
	kept := make([]styled, len(rows))
	for i, r := range rows {
		var cells []string
		for k, cell := range strings.Split(r.text, "\t") {
			if !slices.Contains(heads, names[k]) {
				cells = append(cells, cell)
			}
		}
		kept[i] = styled{strings.Join(cells, "\t"), r.style}
	}
	return kept
}
