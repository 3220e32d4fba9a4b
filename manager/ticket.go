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

// A Ticket lets its bearer continue a detached lease, once: see [Lease.Detach] and [Manager.Adopt].
// It is text of letters, digits, "-", "_" and ".", so it fits into a URL, an argument or an
// environment variable. Keep it secret: anyone who has it can adopt the lease, and read the name of
// the resource in it.
type Ticket string

const ticketPrefix = "lk1."

// maxTicket is more than the ticket to the longest name takes.
const maxTicket = 4 << 10

// ticketFields is what a ticket says.
type ticketFields struct {
	Name     []byte        `json:"n"` // any bytes
	Kind     backends.Kind `json:"k"`
	Capacity int64         `json:"c"`
	Weight   int64         `json:"w"`
	Client   uint64        `json:"i"`
	Seq      uint64        `json:"q"`
	AtLeast  time.Duration `json:"l,omitempty"`
	Secret   string        `json:"s"`
}

// newTicket returns a ticket to the grant. It has 130 random bits.
func newTicket(g *backends.Grant) Ticket {
	text, _ := json.Marshal(&ticketFields{ // numbers and text: cannot fail
		Name: []byte(g.Resource.Name), Kind: g.Resource.Kind, Capacity: g.Resource.Capacity,
		Weight: g.Weight, Client: g.ID.Client, Seq: g.ID.Seq, AtLeast: g.AtLeast,
		Secret: rand.Text(),
	})
	return Ticket(ticketPrefix + base64.RawURLEncoding.EncodeToString(text))
}

// proof returns the proof for the store. It depends on the whole text, so the store refuses a ticket
// that was changed anywhere.
func (t Ticket) proof() backends.Proof { return sha256.Sum256([]byte(t)) }

// claim returns the claim of the ticket. It refuses a text that no Detach has made with ErrTicket,
// as the store would.
func (t Ticket) claim(m *Manager) (c Claim, f ticketFields, err error) {
	if len(t) > maxTicket {
		return c, f, fmt.Errorf("%w: longer than any", errNoTicket)
	}
	text, ok := strings.CutPrefix(string(t), ticketPrefix)
	if !ok {
		return c, f, errNoTicket
	}
	said, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil {
		err = json.Unmarshal(said, &f)
	}
	if err != nil {
		return c, f, fmt.Errorf("%w: %w", errNoTicket, err)
	}
	c = Claim{m: m, name: string(f.Name), kind: f.Kind, cap: f.Capacity, weight: f.Weight}
	if err = c.check(); err == nil && (f.AtLeast < 0 || f.AtLeast > backends.MaxAtLeast) {
		err = ErrInvalid
	}
	if err != nil {
		return c, f, fmt.Errorf("%w: %w", errNoTicket, err)
	}
	return c, f, nil
}

var errNoTicket = fmt.Errorf("%w: not a text that Detach has returned", ErrTicket)
