package linear

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/anishathalye/porcupine"
)

// state is never changed, only replaced.
type state struct {
	last    uint64
	used    int64
	holders []holder // by token
}

type holder struct {
	token  uint64
	weight int64
}

func model() porcupine.Model {
	seed := maphash.MakeSeed()
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, input, _ any) []any { return s.(state).step(input.(Op)) },
		Equal: func(a, b any) bool {
			x, y := a.(state), b.(state)
			return x.last == y.last && slices.Equal(x.holders, y.holders)
		},
		Hash: func(s any) uint64 {
			h := maphash.Comparable(seed, s.(state).last)
			for _, of := range s.(state).holders {
				h = h*31 + maphash.Comparable(seed, of)
			}
			return h
		},
	}
	return m.ToModel()
}

// step returns the states that the call may have led to: none if it cannot have happened here.
func (s state) step(op Op) []any {
	i, held := s.find(op.Grant)
	switch op.Verb {
	case Acquire, Try:
		fits := op.Weight <= op.Capacity-s.used
		if op.Outcome == Busy {
			return only(s, !fits)
		}
		next, increases := s.mint(op)
		return only(next.grant(op.Token, op.Weight), fits && increases)
	case Release:
		switch op.Outcome {
		case OK:
			return only(s.free(i), held)
		case Lost:
			return only(s, !held)
		}
		if held { // unknown
			return []any{s, s.free(i)}
		}
	case Renew:
		switch op.Outcome {
		case OK:
			if op.Tokens == 0 {
				return only(s, held)
			}
			next, increases := s.mint(op)
			return only(next, held && increases)
		case Lost:
			return only(s, !held)
		}
	}
	return []any{s}
}

func only(s state, legal bool) []any {
	if !legal {
		return nil
	}
	return []any{s}
}

func (s state) find(token uint64) (int, bool) {
	return slices.BinarySearchFunc(s.holders, token, func(h holder, token uint64) int { return cmp.Compare(h.token, token) })
}

func (s state) mint(op Op) (next state, increases bool) {
	increases = op.Token > s.last && op.after == s.last
	s.last = op.Token + uint64(op.count()) - 1
	return s, increases
}

func (s state) grant(token uint64, weight int64) state {
	s.used += weight
	s.holders = append(slices.Clip(s.holders), holder{token, weight}) // at the end: tokens increase
	return s
}

func (s state) free(i int) state {
	if i < len(s.holders) {
		s.used -= s.holders[i].weight
		s.holders = slices.Delete(slices.Clone(s.holders), i, i+1)
	}
	return s
}
