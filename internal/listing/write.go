package listing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Write writes a form.
func Write(out io.Writer, form any) error {
	if all, ok := form.(Listing); ok {
		names := all.Names
		all.Names = []Row{}
		return writeList(out, all, "names", names, func(r *Row) ([]byte, error) { return json.MarshalIndent(r, "    ", "  ") })
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(form)
}

// WriteLines writes a form as Write does, with the items in the place of its list of that key, which
// is empty, and each of them in one line: where an item has long lists of numbers, that takes a third of
// the bytes.
func WriteLines[T any](out io.Writer, form any, key string, items []T) error {
	return writeList(out, form, key, items, func(item *T) ([]byte, error) { return json.Marshal(item) })
}

// writeList has one item in memory at a time: a store of ten thousand names is megabytes.
func writeList[T any](out io.Writer, form any, key string, items []T, marshal func(*T) ([]byte, error)) error {
	text, err := json.MarshalIndent(form, "", "  ")
	if err != nil {
		return err
	}
	// A string in the form cannot be taken for the list: its quotes are escaped.
	before, after, found := bytes.Cut(text, []byte("\n  \""+key+"\": []"))
	if !found {
		return errors.New("bug: no empty list " + key)
	}
	w := bufio.NewWriter(out) // remembers the first error
	_, _ = w.Write(before)
	_, _ = w.WriteString("\n  \"" + key + "\": [")
	for i := range items {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		item, err := marshal(&items[i])
		if err != nil {
			return err
		}
		_, _ = w.WriteString("\n    ")
		_, _ = w.Write(item)
	}
	if len(items) > 0 {
		_, _ = w.WriteString("\n  ")
	}
	_ = w.WriteByte(']')
	_, _ = w.Write(append(after, '\n'))
	return w.Flush()
}
