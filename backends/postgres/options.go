package postgres

import (
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends"
)

// DefaultSchema is where the locks are unless [WithSchema] says otherwise.
const DefaultSchema = "lockkeeper"

// Option changes how a [Backend] uses its database, or where [Migrate] installs the locks. All
// clients of the same locks should have the same options.
type Option struct{ apply func(*options) }

type options struct {
	schema    string
	heartbeat time.Duration
	listen    *pgx.ConnConfig
	deaf      bool
}

// WithSchema sets the schema that has the locks. Applications with different schemas do not see
// each other's locks. Default [DefaultSchema]; 1 to 40 lower-case letters, digits and underscores,
// of which the first is no digit.
func WithSchema(name string) Option { return Option{func(o *options) { o.schema = name }} }

// WithHeartbeat sets how often a client that waits asks the server how its requests stand, in one
// statement for all of them. It is also how late a grant is noticed whose message was lost. A
// waiter counts as dead when four heartbeats are missing. Default 950 ms; 50 ms to 1 min.
func WithHeartbeat(d time.Duration) Option { return Option{func(o *options) { o.heartbeat = d }} }

// WithListener sets how the connection is made on which a client hears of its grants. Behind a
// pooler that is the way around it: LISTEN needs a connection to the server itself. Default: as the
// connections of the pool are made.
func WithListener(c *pgx.ConnConfig) Option {
	return Option{func(o *options) { o.listen, o.deaf = c, c == nil }}
}

// WithoutListener does without that connection. A client then hears of a grant at its next
// heartbeat only, so a grant from the queue stands for two heartbeats at least. A client that finds
// out by itself that it hears nothing cannot ask for that: with times to live below two heartbeats,
// say so.
func WithoutListener() Option { return Option{func(o *options) { o.deaf = true }} }

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

func newOptions(opts []Option) (options, error) {
	o := options{schema: DefaultSchema, heartbeat: 950 * time.Millisecond}
	for _, opt := range opts {
		if opt.apply == nil {
			return o, &backends.InvalidError{Field: "option", Value: opt, Want: "one made by a With function"}
		}
		opt.apply(&o)
	}
	switch {
	case !schemaName.MatchString(o.schema):
		return o, &backends.InvalidError{Field: "schema", Value: o.schema,
			Want: "1 to 40 lower-case letters, digits and underscores, the first no digit"}
	case o.heartbeat < 50*time.Millisecond || o.heartbeat > time.Minute:
		return o, &backends.InvalidError{Field: "heartbeat", Value: o.heartbeat, Want: "50ms to 1m"}
	}
	return o, nil
}
