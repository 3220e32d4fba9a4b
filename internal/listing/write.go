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
		return WriteList(out, all, "names", names)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(form)
}

// WriteList writes a form as Write does, with the items in the place of its list of that key, which
// is empty. It has one item in memory at a time: a store of ten thousand names is megabytes.
func WriteList[T any](out io.Writer, form any, key string, items []T) error {
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
		item, err := json.MarshalIndent(&items[i], "    ", "  ")
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
