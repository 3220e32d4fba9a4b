package open

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/nils"
)

// Store opens the store that text names: see the package comment. Its user closes it, perhaps
// through a manager.
//
// A directory is made if it does not exist. A server need not be there: nothing connects before the
// first call, which fails with ErrUnavailable if the server is out of reach, and with ErrPermission
// if it does not let the client in.
//
// The error is a *SchemeError if nothing is known by the scheme, and an *InvalidError if the text
// makes no sense otherwise; errors.Is reports both as [backends.ErrInvalid]. A directory that cannot
// be used is an error of [file.New]. A ctx that has ended is an error, and so is a nil one. After an
// error nothing is open.
func Store(ctx context.Context, text string, opts ...Option) (backends.Backend, error) {
	a, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return a.Open(ctx, opts...)
}

// An Address names a store; nothing is opened yet. Make it with [Parse]. It may be copied, kept and
// opened any number of times. The zero Address names nothing.
type Address struct {
	scheme string
	dir    string // of file
	public string // for people: without a password
	open   func(context.Context, config) (backends.Backend, error)
}

// Parse takes a text apart. It opens and makes nothing. Its errors are those of [Store] about the
// text.
func Parse(text string) (Address, error) {
	if isPath(text) {
		return fileAddress(text)
	}
	scheme, rest, found := strings.Cut(text, ":")
	if !found {
		return Address{}, &SchemeError{Known: schemes()}
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "file":
		return parseFile(rest)
	case "memory":
		return parseMemory(rest)
	case "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
		return parseRedis(scheme, rest)
	}
	if o, ok := registered.Load(scheme); ok {
		return Address{
			scheme: scheme, public: public(text, scheme),
			open: func(ctx context.Context, _ config) (backends.Backend, error) { return o.(Opener)(ctx, text) },
		}, nil
	}
	return Address{}, &SchemeError{Scheme: scheme, Known: schemes()}
}

// Scheme returns the scheme in lower case: "file" for a directory, however it was named.
func (a Address) Scheme() string { return a.scheme }

// Dir returns the absolute path of a directory, and "" for any other store.
func (a Address) Dir() string { return a.dir }

// String returns the store for people: a server without user, password and options.
func (a Address) String() string { return a.public }

// Open opens the store as [Store] does.
func (a Address) Open(ctx context.Context, opts ...Option) (backends.Backend, error) {
	if a.open == nil {
		return nil, &backends.InvalidError{Field: "address", Value: "zero", Want: "one made by Parse"}
	}
	if err := backends.Ended(ctx); err != nil {
		return nil, err
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	b, err := a.open(ctx, c)
	if err == nil && nils.Is(b) {
		return nil, &backends.InvalidError{Field: "store", Value: nil, Want: "not nil from the Opener of " + a.scheme}
	}
	return b, err
}

// isPath reports whether text can only be a path, and not begin with a scheme.
func isPath(text string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(text), "/")
	return filepath.IsAbs(text) || first == "." || first == ".."
}

// parseFile takes DIR, and what a URL makes of an absolute one: ///DIR.
func parseFile(rest string) (Address, error) {
	dir := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return Address{}, invalid("file:"+rest, "file:DIR or file:///DIR, without a host")
		}
		dir = after
	}
	if dir == "" {
		return Address{}, invalid("file:", "file:DIR, with a directory")
	}
	return fileAddress(dir)
}

func fileAddress(dir string) (Address, error) {
	full, err := filepath.Abs(dir) // the program may change its working directory
	if err != nil {
		return Address{}, fmt.Errorf("store %q: %w", dir, err)
	}
	return Address{
		scheme: "file", dir: full, public: "file:" + full,
		open: func(context.Context, config) (backends.Backend, error) {
			b, err := file.New(full)
			if err != nil {
				return nil, err // not b, which is a nil pointer
			}
			return b, nil
		},
	}, nil
}

func parseMemory(rest string) (Address, error) {
	if strings.Trim(rest, "/") != "" {
		return Address{}, invalid("memory:"+rest, "memory: and no more")
	}
	return Address{
		scheme: "memory", public: "memory:",
		open: func(context.Context, config) (backends.Backend, error) { return memory.New(), nil },
	}, nil
}

// plainPath is a path in which nobody hides a password by a mistake in what stands before it.
var plainPath = regexp.MustCompile(`^/[\w.-]*$`)

// plainHosts are hosts, each with a port or without.
var plainHosts = regexp.MustCompile(`^((\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(:\d*)?(,|$))*$`)

// publicHost is the host of a URL, unless it looks like more: an @ that was forgotten makes a password
// a part of it.
func publicHost(u *url.URL) string {
	if plainHosts.MatchString(u.Host) {
		return u.Host
	}
	return "…"
}

// public shows scheme, host and a plain path of a URL. All else may hold a password: by design (the
// user, the query) or by mistake (a path that should have been the user).
func public(text, scheme string) string {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return scheme + ":"
	}
	shown := scheme + "://" + publicHost(u)
	if plainPath.MatchString(u.Path) {
		shown += u.Path
	}
	return shown
}
