// Package listing lists a store: it reads the states of all names, and gives them the JSON form
// that `lockkeeper ls --json`, `lockkeeper show --json` and the page of a store share. The form is
// stable: fields may be added, none is renamed. Times are of the store's wall clock, spans are in
// seconds.
package listing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A Lister yields the states of the names in use.
type Lister interface {
	List(ctx context.Context) iter.Seq2[backends.State, error]
}

// mostErrors is how many errors of names Read tells one by one. A directory that may not be read has
// one for each of its names.
const mostErrors = 3

// Read returns the states that could be read, by name, and the joined errors of the others: the
// first few, and how many more there are.
func Read(ctx context.Context, l Lister) ([]backends.State, error) {
	var states []backends.State
	var failed []error
	more := 0
	for state, err := range l.List(ctx) {
		if err != nil {
			if len(failed) < mostErrors {
				failed = append(failed, err)
			} else {
				more++
			}
			continue
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b backends.State) int { return cmp.Compare(a.Resource.Name, b.Resource.Name) })
	if more > 0 {
		failed = append(failed, fmt.Errorf("and %d more", more)) //nolint:err113 // for people
	}
	return states, errors.Join(failed...)
}

// The JSON form.
type (
	// Listing is a store.
	Listing struct {
		Store string    `json:"store"`
		At    time.Time `json:"at"`
		Error string    `json:"error,omitempty"` // of names that could not be read
		Names []Row     `json:"names"`
	}

	// One is one name of a store.
	One struct {
		Store string    `json:"store"`
		At    time.Time `json:"at"`
		Error string    `json:"error,omitempty"` // if it could not be read
		Row
	}

	// Row is the state of a name.
	Row struct {
		Name     string   `json:"name"`
		Bytes    []byte   `json:"name_base64,omitempty"` // of a name that is no UTF-8
		Kind     string   `json:"kind,omitempty"`        // empty: not in use
		Capacity int64    `json:"capacity,omitempty"`
		Token    uint64   `json:"token"` // the last one given out; 0: none is known
		Holders  []Holder `json:"holders"`
		Waiters  []Owner  `json:"waiters"` // in the order of the queue
	}

	// Holder is a grant.
	Holder struct {
		Owner
		Token    uint64  `json:"token"`
		Expires  float64 `json:"expires_in,omitempty"` // 0: grants do not expire
		Kept     float64 `json:"kept_for,omitempty"`   // released, and taken for so long; 0: it is held
		Detached bool    `json:"detached,omitempty"`   // it waits for an adopter, until it expires
		Foreign  bool    `json:"foreign,omitempty"`    // another program's lock
	}

	// Owner is a process that holds or waits.
	Owner struct {
		Label   string    `json:"label,omitempty"`
		PID     int       `json:"pid,omitempty"`
		Host    string    `json:"host,omitempty"`
		Permits int64     `json:"permits"`
		Since   time.Time `json:"since,omitzero"`
	}
)

// Of returns the form of a store: of the states that could be read, and of the error of the others.
func Of(store string, at time.Time, states []backends.State, failed error) Listing {
	all := Listing{Store: store, At: at.UTC(), Names: make([]Row, len(states))}
	if failed != nil {
		all.Error = failed.Error()
	}
	for i := range states {
		all.Names[i] = rowOf(&states[i])
	}
	return all
}

// OneOf returns the form of one name.
func OneOf(store string, at time.Time, state *backends.State) One {
	return One{Store: store, At: at.UTC(), Row: rowOf(state)}
}

func rowOf(s *backends.State) Row {
	n := Row{
		Name: s.Resource.Name, Capacity: s.Resource.Capacity, Token: s.Token,
		Holders: make([]Holder, len(s.Holders)), Waiters: make([]Owner, len(s.Waiters)),
	}
	if !utf8.ValidString(n.Name) {
		n.Bytes = []byte(n.Name)
	}
	if s.Resource.Kind != 0 {
		n.Kind = s.Resource.Kind.String()
	}
	for i, h := range s.Holders {
		foreign := h.ID == (backends.GrantID{})
		n.Holders[i] = Holder{
			ownerOf(h.Owner, h.Weight, h.Since), h.Token, h.Expires.Seconds(), h.Kept.Seconds(), h.Detached, foreign,
		}
	}
	for i, w := range s.Waiters {
		n.Waiters[i] = ownerOf(w.Owner, w.Weight, w.Since)
	}
	return n
}

func ownerOf(o backends.Owner, weight int64, since time.Time) Owner {
	return Owner{o.Label, o.PID, o.Host, weight, since}
}
