package manager

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A Ticket stands for a lease that was detached, see [Lease.Detach]. It is text of letters, digits,
// "-", "_" and ".", so it fits into a URL, an argument or an environment variable. It contains the
// name of the resource, and a secret: whoever has it can adopt the lease.
type Ticket string

const ticketPrefix = "lk1."

// stub is what a ticket says.
type stub struct {
	Name     []byte        `json:"n"` // any bytes
	Kind     backends.Kind `json:"k"`
	Capacity int64         `json:"c"`
	Weight   int64         `json:"w"`
	Token    uint64        `json:"t"`
	Client   uint64        `json:"i"`
	Seq      uint64        `json:"q"`
	AtLeast  time.Duration `json:"l,omitempty"`
	Secret   string        `json:"s"`
}

// newTicket makes the ticket to a grant, of which the token stays. It has 130 random bits.
func newTicket(g *backends.Grant, token uint64) Ticket {
	text, _ := json.Marshal(&stub{ // numbers and text: cannot fail
		Name: []byte(g.Resource.Name), Kind: g.Resource.Kind, Capacity: g.Resource.Capacity,
		Weight: g.Weight, Token: token, Client: g.ID.Client, Seq: g.ID.Seq, AtLeast: g.AtLeast,
		Secret: rand.Text(),
	})
	return Ticket(ticketPrefix + base64.RawURLEncoding.EncodeToString(text))
}

// proof is what the store is shown. It depends on all of the text: to change anything in a ticket
// is to forge it.
func (t Ticket) proof() backends.Proof { return sha256.Sum256([]byte(t)) }

// claim returns what the ticket is for. A text that no Detach has made is refused as the store
// would.
func (t Ticket) claim(m *Manager) (c Claim, s stub, err error) {
	text, ok := strings.CutPrefix(string(t), ticketPrefix)
	if !ok {
		return c, s, errNoTicket
	}
	said, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil {
		err = json.Unmarshal(said, &s)
	}
	if err != nil {
		return c, s, fmt.Errorf("%w: %w", errNoTicket, err)
	}
	c = Claim{m: m, name: string(s.Name), kind: s.Kind, cap: s.Capacity, weight: s.Weight}
	if err = c.check(); err == nil && (s.AtLeast < 0 || s.AtLeast > backends.MaxAtLeast) {
		err = ErrInvalid
	}
	if err != nil {
		return c, s, fmt.Errorf("%w: %w", errNoTicket, err)
	}
	return c, s, nil
}

var errNoTicket = fmt.Errorf("%w: not a text that Detach has returned", ErrTicket)
