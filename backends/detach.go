package backends

import "time"

// Proof is what an adopter must show, see [Detachment]. It has at least 128 bits that nothing but
// the client that detaches can know. A store keeps a hash of it.
type Proof [32]byte

// Detachment takes a grant from its client, for another client to adopt.
type Detachment struct {
	Grant Grant
	Token uint64        // that stays: one of the grant's; the others are never used
	TTL   time.Duration // MinTTL to MaxTTL: how long the grant waits for an adopter, from now on
	Proof Proof
}

// Adoption asks for a grant that was detached.
type Adoption struct {
	ID    GrantID // of the grant, before it was detached
	Proof Proof   // of its Detachment

	// Request is what the adopter wants: the resource and weight of the grant, one token, and its
	// own TTL, Owner and Notify. MinValid means nothing here. AtLeast is that of the grant.
	Request
}

// Check returns an error unless the detachment makes sense.
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
