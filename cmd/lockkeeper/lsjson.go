package main

import (
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// What ls and show write for programs. Times are of the store's wall clock, spans are in seconds.
type (
	listing struct {
		Store string    `json:"store"`
		At    time.Time `json:"at"`
		Names []nameRow `json:"names"`
	}
	shown struct {
		Store string    `json:"store"`
		At    time.Time `json:"at"`
		nameRow
	}
	nameRow struct {
		Name     string      `json:"name"`
		Bytes    []byte      `json:"name_base64,omitempty"` // of a name that is no UTF-8
		Kind     string      `json:"kind,omitempty"`        // empty: not in use
		Capacity int64       `json:"capacity,omitempty"`
		Token    uint64      `json:"token"` // the last one given out; 0: none is known
		Holders  []holderRow `json:"holders"`
		Waiters  []ownerRow  `json:"waiters"` // in the order of the queue
	}
	holderRow struct {
		ownerRow
		Token   uint64  `json:"token"`
		Expires float64 `json:"expires_in,omitempty"` // 0: grants do not expire
		Foreign bool    `json:"foreign,omitempty"`    // another program's lock
	}
	ownerRow struct {
		Label   string    `json:"label,omitempty"`
		PID     int       `json:"pid,omitempty"`
		Host    string    `json:"host,omitempty"`
		Permits int64     `json:"permits"`
		Since   time.Time `json:"since,omitzero"`
	}
)

// writeJSON writes the states as one object.
func writeJSON(out io.Writer, where store.Store, states []backends.State, now time.Time) error {
	all := listing{Store: where.String(), At: now.UTC(), Names: make([]nameRow, len(states))}
	for i, s := range states {
		all.Names[i] = rowOf(s)
	}
	return encode(out, all)
}

// writeName writes the state of one name as one object.
func writeName(out io.Writer, where store.Store, state backends.State, now time.Time) error {
	return encode(out, shown{where.String(), now.UTC(), rowOf(state)})
}

func encode(out io.Writer, object any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return printed(enc.Encode(object))
}

func rowOf(s backends.State) nameRow {
	row := nameRow{
		Name: s.Resource.Name, Capacity: s.Resource.Capacity, Token: s.Token,
		Holders: make([]holderRow, len(s.Holders)), Waiters: make([]ownerRow, len(s.Waiters)),
	}
	if !utf8.ValidString(row.Name) {
		row.Bytes = []byte(row.Name)
	}
	if s.Resource.Kind != 0 {
		row.Kind = s.Resource.Kind.String()
	}
	for i, h := range s.Holders {
		row.Holders[i] = holderRow{ownerOf(h.Owner, h.Weight, h.Since), h.Token, h.Expires.Seconds(), h.ID == (backends.GrantID{})}
	}
	for i, w := range s.Waiters {
		row.Waiters[i] = ownerOf(w.Owner, w.Weight, w.Since)
	}
	return row
}

func ownerOf(o backends.Owner, weight int64, since time.Time) ownerRow {
	return ownerRow{o.Label, o.PID, o.Host, weight, since}
}
