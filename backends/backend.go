package backends

import (
	"context"
	"iter"
	"time"
)

// A Backend is one client of a store of locks. All methods are safe for concurrent use.
//
// [Backend.Start] is the way to acquire and to release. [Acquire], [TryAcquire] and [Release] are
// its blocking forms, for tests and for tools.
//
// A method that takes a context answers within it: a context that has ended ends the call, with an
// error that [errors.Is] reports as the context's. A nil context is refused with ErrInvalid and
// changes nothing; Close accepts one. Errors wrap the sentinels of this package; [ErrUnavailable]
// is never mistaken for [ErrBusy].
type Backend interface {
	// Capabilities tells what the store can do. The answer never changes.
	Capabilities() Capabilities

	// Start begins an operation and never blocks: an actor may call it in its turn. If it returns
	// work, a goroutine that may block must run the work, once. The answers come through the
	// callbacks of op, see [Op].
	Start(op *Op) Work

	// Cancel takes back the requests of a started op that are neither granted nor refused yet:
	// Granted is told [context.Canceled] for each of them. It never keeps a grant from being
	// released. Like Start it never blocks, and may return work. After the last answer it does
	// nothing.
	Cancel(op *Op) Work

	// Renew prolongs grants and refills their tokens, in as few requests to the store as it can. It
	// returns one result for each renewal, in order. It never brings a lost grant back to life.
	Renew(ctx context.Context, rs []Renewal) []Renewed

	// Inspect returns who holds the resource and who waits for it, of every process. A resource out
	// of use has neither, and that is no error. The answer may be out of date at once.
	Inspect(ctx context.Context, name string) (State, error)

	// List yields the state of every resource in use (held or waited for), in no order. An error
	// ends the sequence.
	List(ctx context.Context) iter.Seq2[State, error]

	// Break ends every grant of the resource, of all clients; its holders learn of it through
	// Notify or at their next renewal, and its waiters move up. Only for repair: until they learn
	// of it, holders believe that they hold. Tokens go on increasing. Without the capability it
	// returns ErrUnsupported.
	Break(ctx context.Context, name string) error

	// Detach takes a grant from its client, in one step. The grant keeps its permits, the token of d
	// and its AtLeast, and belongs to no client until one adopts it. It ends when the TTL of d is
	// over. A release or renewal by its old client does not touch it, nor does the end of that client.
	//
	// An error that wraps ErrLost says that the grant had ended before. After any other error the
	// grant may be detached, and then ends with the TTL: the caller releases it. Without the
	// capability Detach returns ErrUnsupported.
	Detach(ctx context.Context, d Detachment) error

	// Adopt makes a detached grant the client's own, in one step. The grant gets a new ID and the TTL
	// of a, counted as for a new grant, and keeps its token. It is never free in between. One Adopt
	// succeeds.
	//
	// ErrTicket says that the grant was adopted before or has ended, or that the proof, the resource
	// or the weight is not that of the grant; nothing has changed. After any other error nothing is
	// held, but the grant may have ended. Without the capability Adopt returns ErrUnsupported.
	Adopt(ctx context.Context, a Adoption) (Grant, error)

	// Close ends the client: waiting requests fail with ErrClosed, grants still held are released,
	// and everything that the client started has ended when Close returns. Work that it has
	// returned must still be run. When ctx ends first, Close returns its error and goes on closing.
	// Later calls of any method but Close fail with ErrClosed.
	Close(ctx context.Context) error
}

// Capabilities tells what a store can do.
type Capabilities struct {
	Name         string // of the kind of store: "memory", "file", "redis"
	Expiry       bool   // grants expire unless renewed; Grant.ValidUntil is set
	CrossProcess bool   // clients in several processes exclude each other
	DurableToken bool   // tokens increase over the end of every process that used them
	Break        bool   // Break works
	NamesHolder  bool   // a busy try for a name with a holder fails with a *BusyError
	Detach       bool   // Detach and Adopt work
	AtLeast      bool   // Request.AtLeast works
}

// Kind says how a resource is used. A name has one kind and one capacity for as long as it is in
// use.
type Kind uint8

// The kinds of resources. The zero Kind is none: the state of a resource out of use.
const (
	Mutex     Kind = iota + 1 // capacity 1
	ReadWrite                 // capacity ReadWriteCapacity; a reader weighs 1, a writer all of it
	Semaphore                 // capacity chosen by its users
)

// ReadWriteCapacity is the capacity of every reader-writer lock: more readers than could ever hold
// it at once.
const ReadWriteCapacity int64 = 1 << 30

// MaxCapacity is the largest capacity of a semaphore. Sums of weights stay exact in every store's
// arithmetic.
const MaxCapacity int64 = 1 << 40

// MaxName is the length of the longest name, in bytes.
const MaxName = 1024

// MinTTL and MaxTTL bound the time to live of a grant.
const (
	MinTTL = 100 * time.Millisecond
	MaxTTL = 24 * time.Hour
)

// MaxAtLeast is the longest time for which a request can have its permits stay taken: a year.
const MaxAtLeast = 366 * 24 * time.Hour

// MaxTokens bounds the block of tokens that one request can reserve.
const MaxTokens = 1 << 16

// Resource is what is locked: a name, used in one way.
type Resource struct {
	Name     string // 1 to MaxName bytes, any bytes; different bytes are different names
	Kind     Kind
	Capacity int64 // permits in all, 1 to MaxCapacity
}

// Owner names a holder or a waiter for people. It plays no part in exclusion.
type Owner struct {
	Host  string
	PID   int
	Label string // chosen by the user; at most MaxName bytes
}

// Request asks for permits of a resource.
type Request struct {
	Resource
	Weight int64         // permits, 1 to Capacity
	Tokens int           // to reserve, 1 to MaxTokens; 1 unless Weight is the Capacity
	TTL    time.Duration // MinTTL to MaxTTL, where grants expire; ignored elsewhere
	Owner  Owner

	// MinValid allows a store whose grants expire to make a grant that is valid for less than the
	// TTL at first, but for no less than this when it is handed out: a holder that renews soon lets
	// the store save itself a round trip. Zero: only for the whole TTL.
	MinValid time.Duration // 0 to half of the TTL

	// Notify, unless nil, is told what happens to the request and its grant. It is called from any
	// goroutine, must not block, and must not call a method of the backend that may. An event may
	// arrive before Granted has been told of the grant, and a late one after its release; none
	// arrives after Close.
	Notify func(Event)

	// Quiet says that the holder need not hear of other clients that come to wait: the store may
	// save itself the Contended event. What grants and renewals say of others is as ever.
	Quiet bool

	// Tries says that the holder wants to hear of a try by another client that finds the resource
	// busy because of its grant: the store sends the Tried event.
	Tries bool

	// AtLeast keeps the permits taken until this long after the grant, by the store's clock, whatever
	// ends the grant: its release, the end of its client, or its time to live. A grant that ends
	// sooner is kept: it belongs to no client, is not renewed, and gives its permits back when AtLeast
	// is over. Break frees them sooner, and so does a release whose Grant has an AtLeast of zero, for
	// a grant that was not used. See [Capabilities.AtLeast].
	AtLeast time.Duration // 0 to MaxAtLeast
}

// GrantID names a grant: the client that asked, and the number of its request.
type GrantID struct {
	Client uint64 // random, one for each Backend
	Seq    uint64
}

// Grant is what a successful request gets.
type Grant struct {
	ID         GrantID
	Resource   Resource
	Weight     int64
	Token      uint64        // the first token
	Tokens     int           // how many were reserved: Token, Token+1, … Token+Tokens-1
	ValidUntil time.Time     // on the monotonic clock; zero where grants do not expire
	Contended  bool          // another client waits for the resource
	Waited     bool          // the request was queued before the grant, because others held or waited
	AtLeast    time.Duration // as requested; zero in a release: the permits come back at once
}

// Renewal asks to prolong a grant.
type Renewal struct {
	Grant  Grant
	TTL    time.Duration // counted anew, where grants expire
	Tokens int           // more tokens to reserve; 0 unless of the whole capacity
}

// Renewed is the answer to a renewal.
type Renewed struct {
	ValidUntil time.Time // never earlier than the grant's before; zero where grants do not expire
	Token      uint64    // the first of the new tokens, larger than all of the grant's before
	Tokens     int       // how many
	Contended  bool      // another client waits for the resource
	Err        error     // wraps ErrLost: the grant has ended; else: unknown, try again
}

// EventType says what happened to a grant.
type EventType uint8

// The types of events.
const (
	Contended EventType = iota + 1 // another client waits for the resource that the grant holds
	Lost                           // the grant has ended without a release; Err is a *LostError
	Requeued                       // a waiting request lost its place and stands at the end
	Tried                          // another client has tried, and found the resource busy
)

// Event tells what happened to a grant, or to a request that waits to become one.
type Event struct {
	Grant GrantID
	Type  EventType
	Err   error // of Lost
}

// State is a resource as its store sees it.
type State struct {
	Resource Resource // Kind is zero if it is out of use
	Token    uint64   // the last token given out; 0 if none is known
	Holders  []Holder // by token
	Waiters  []Waiter // in the order of the queue
}

// Holder is a grant as others see it.
type Holder struct {
	ID      GrantID // zero for a program that is no client of the store
	Owner   Owner
	Weight  int64
	Token   uint64        // the first token of the grant
	Since   time.Time     // by the store's wall clock
	Expires time.Duration // from now; 0 where grants do not expire, and for one that is kept
	Kept    time.Duration // from now: the grant has ended, its permits stay taken; 0: it is held

	// Detached says that the grant belongs to no client until one adopts it. Owner has detached it.
	// Expires is set on every store.
	Detached bool
}

// Waiter is a place in a queue.
type Waiter struct {
	ID     GrantID
	Owner  Owner
	Weight int64
	Since  time.Time // by the store's wall clock
}
