package backendtest

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var detach = []Clause{
	{
		Name:  "Detach/GoesOn",
		Text:  "a detached grant is adopted by another client with the same token and weight; from the grant to the adopter's release no other is granted, and then the queue moves up",
		needs: needsDetach,
		check: goesOn,
	},
	{
		Name:  "Detach/EveryKind",
		Text:  "readers, writers and permits are detached and adopted alone: others that share the resource stay as they are",
		needs: needsDetach,
		check: detachesEveryKind,
	},
	{
		Name:  "Detach/OldClientIsOut",
		Text:  "the old client can neither renew nor release a grant that it has detached, before and after the adoption, and its end does not end the grant",
		needs: needsDetach,
		check: oldClientIsOut,
	},
	{
		Name:  "Detach/UsedOnce",
		Text:  "a ticket is used once: a second adoption says ErrTicket, of any client, while the grant is held and after, and changes nothing",
		needs: needsDetach,
		check: usedOnce,
	},
	{
		Name:  "Detach/Forged",
		Text:  "an adoption with another proof, grant, name, resource or weight says ErrTicket and changes nothing; the true ticket is still good",
		needs: needsDetach,
		check: refusesForged,
	},
	{
		Name:  "Detach/Racing",
		Text:  "of many clients that adopt a grant at the same time one gets it",
		needs: needsDetach,
		check: adoptsRacing,
	},
	{
		Name:  "Detach/EndsByItself",
		Text:  "a detached grant that is not adopted ends when its time is over, and not before; then the queue moves up, and its ticket is refused",
		needs: needsDetach,
		check: detachedEnds,
	},
	{
		Name:  "Detach/Tokens",
		Text:  "the token that stays is the one that the detachment names; tokens that the adopter's renewals bring, and those of the next grants, are larger than all before",
		needs: needsDetach,
		check: detachKeepsToken,
	},
	{
		Name:  "Detach/Shown",
		Text:  "Inspect shows a detached grant as such, with its token and the owner that has detached it, and then the adopter's",
		needs: needsDetach,
		check: showsDetached,
	},
	{
		Name:  "Detach/Again",
		Text:  "an adopter detaches the grant in its turn: the new ticket is good, and the old one is not",
		needs: needsDetach,
		check: detachesAgain,
	},
	{
		Name:  "Detach/Ended",
		Text:  "to detach a grant that has ended says ErrLost and does not touch its successor",
		needs: needsDetach,
		check: detachEnded,
	},
	{
		Name:  "Detach/AdopterIsToldOfOthers",
		Text:  "the adopter is told whether others wait, and of those that come",
		needs: needsDetach,
		check: adopterIsTold,
	},
	{
		Name:  "Detach/AtLeast",
		Text:  "what was to stay taken for a time stays taken: for that long after the grant, though it was adopted and released; a ticket is no longer good for that",
		needs: needsDetach,
		check: detachedAtLeast,
	},
	{
		Name:  "Detach/Break",
		Text:  "Break ends a detached grant: the queue moves up, and its ticket is refused",
		needs: func(s *session) string { return needsDetach(s) + needsBreak(s) },
		check: breaksDetached,
	},
	{
		Name:  "Detach/Input",
		Text:  "a detachment or an adoption that makes no sense, a nil context and a closed client are refused, and nothing changes",
		needs: needsDetach,
		check: detachInput,
	},
	{
		Name: "Detach/Unsupported",
		Text: "a store that cannot detach says ErrUnsupported, and the grant stays",
		needs: func(s *session) string {
			if s.caps.Detach {
				return "the store can detach"
			}
			return ""
		},
		check: detachUnsupported,
	},
	{
		Name:  "Expiry/AdoptedFromBeforeTheRequest",
		Text:  "what an adopter relies on counts from before its request, for its own time to live; it ends like any other grant, and renewals prolong it",
		needs: func(s *session) string { return needsExpiry(s) + needsDetach(s) },
		check: adoptedExpires,
	},
	{
		Name:  "Crash/SparesDetached",
		Text:  "a detached grant outlives the client that has detached it, and one that is adopted the death of that client",
		needs: func(s *session) string { return needsCrash(s) + needsDetach(s) },
		check: crashSparesDetached,
	},
}

func needsDetach(s *session) string {
	if !s.caps.Detach {
		return "the store cannot detach"
	}
	return ""
}

// ticket is what an adopter needs of a detached grant.
type ticket struct {
	grant backends.Grant // with the token that stays
	proof backends.Proof
}

// detachFor expects that the grant is detached, for a time.
func (s *session) detachFor(b backends.Backend, g backends.Grant, d time.Duration) ticket {
	s.Helper()
	t := ticket{grant: g}
	_, _ = rand.Read(t.proof[:])
	if err := b.Detach(s.ctx, backends.Detachment{Grant: g, Token: g.Token, TTL: d, Proof: t.proof}); err != nil {
		s.Fatalf("Detach of a grant that is held: %v", err)
	}
	return t
}

func (s *session) detach(b backends.Backend, g backends.Grant) ticket {
	s.Helper()
	return s.detachFor(b, g, long)
}

// adoption is what t is adopted with.
func (t ticket) adoption() backends.Adoption {
	return backends.Adoption{ID: t.grant.ID, Proof: t.proof, Request: backends.Request{
		Resource: t.grant.Resource, Weight: t.grant.Weight, Tokens: 1, TTL: long, AtLeast: t.grant.AtLeast,
		Owner: backends.Owner{Host: "host", PID: 2, Label: "adopter"},
	}}
}

// adopt expects that the grant is adopted.
func (s *session) adopt(b backends.Backend, t ticket) backends.Grant {
	s.Helper()
	return s.adoptWith(b, t, t.adoption())
}

func (s *session) adoptWith(b backends.Backend, t ticket, a backends.Adoption) backends.Grant {
	s.Helper()
	g, err := b.Adopt(s.ctx, a)
	if err != nil {
		s.Fatalf("Adopt of a detached grant: %v; state: %s", err, s.describe())
	}
	s.complete(g, a.Request)
	if g.Token != t.grant.Token || g.ID == t.grant.ID {
		s.Fatalf("adopted %+v; want an ID of its own, and the token of %+v", g, t.grant)
	}
	return g
}

// refuses expects that the adoption is refused and changes nothing.
func (s *session) refuses(b backends.Backend, a backends.Adoption, what string) {
	s.Helper()
	before := s.inspect(s.name).Holders
	if g, err := b.Adopt(s.ctx, a); !errors.Is(err, backends.ErrTicket) {
		s.Fatalf("Adopt with %s = %+v, %v; want ErrTicket", what, g, err)
	}
	after := s.inspect(s.name).Holders
	if len(before) != len(after) {
		s.Fatalf("holders before an adoption was refused: %+v; after: %+v", before, after)
	}
	for i := range before {
		if before[i].ID != after[i].ID || before[i].Detached != after[i].Detached {
			s.Fatalf("holders before an adoption was refused: %+v; after: %+v", before, after)
		}
	}
}
