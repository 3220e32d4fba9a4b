package backends

import "time"

// Proof is the secret of a [Detachment], which an [Adoption] must show. It has at least 128 bits that
// only the detaching client knows. A store keeps a hash of it.
type Proof [32]byte

// Detachment takes a grant from its client, for another client to adopt.
type Detachment struct {
	Grant Grant
	Token uint64        // the grant keeps it: one of its tokens; the others are never used
	TTL   time.Duration // how long the grant waits for an adopter, from the call; MinTTL to MaxTTL
	Proof Proof
}

// Adoption asks for a grant that was detached.
type Adoption struct {
	ID    GrantID // of the grant, before it was detached
	Proof Proof   // of its Detachment

	// Request has the Resource, Weight and AtLeast of the grant, Tokens of 1, and the TTL, Owner and
	// Notify of the adopter. MinValid is ignored.
	Request
}

// Check returns an *InvalidError unless the detachment makes sense.
func (d *Detachment) Check() error {
	g := &d.Grant
	if err := g.Resource.Check(); err != nil {
		return err
	}
	if d.Token < g.Token || d.Token > g.Token && g.Weight != g.Resource.Capacity {
		return &InvalidError{Field: "token", Value: d.Token, Want: "one of the grant"}
	}
	return CheckTTL(d.TTL)
}

// Check returns an error unless the adoption makes sense for a store with these capabilities.
func (a *Adoption) Check(c Capabilities) error {
	if a.Tokens != 1 {
		return &InvalidError{Field: "tokens", Value: a.Tokens, Want: "1"}
	}
	return a.Request.Check(c)
}
