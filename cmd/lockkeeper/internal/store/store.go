package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Errors of Parse and Default.
var (
	ErrUnknown = errors.New("unknown store")    // an unknown scheme, or a URL that makes no sense
	ErrRefused = errors.New("store not usable") // valid, but it would not do what the user wants
)

// Kind of a store.
type Kind int

// The kinds of stores that processes can share.
const (
	File Kind = iota + 1
	Redis
)

// A Store is where locks are kept; it is not opened yet.
type Store struct {
	kind   Kind
	dir    string // of File
	own    bool   // the directory is Default's: the user has named none
	url    string // of Redis, with its password
	public string // for people, without it
}

// Kind tells what kind of store it is.
func (s Store) Kind() Kind { return s.kind }

// String returns the store for people: a server without user and password.
func (s Store) String() string { return s.public }

// Exists tells whether there is anything to look at: nobody holds locks in a directory that nobody has made yet.
func (s Store) Exists() bool {
	if s.kind != File {
		return true
	}
	_, err := os.Stat(s.dir)
	return !errors.Is(err, fs.ErrNotExist)
}

// Parse parses a store as users write it. An empty text means the default store, see [Default]. The
// error wraps ErrUnknown or ErrRefused, or [backends.ErrPermission] or [backends.ErrUnavailable] if
// the home directory cannot be looked at. Nothing is opened or made.
func Parse(text string) (Store, error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case text == "":
		dir, err := Default()
		if err != nil {
			return Store{}, noDefault(err)
		}
		return Store{kind: File, dir: dir, own: true, public: "file:" + dir}, nil
	case !found:
		return Store{}, fmt.Errorf("%w %q: want file:DIR, redis://HOST:PORT or rediss://HOST:PORT", ErrUnknown, text)
	}
	switch scheme {
	case "file":
		return parseFile(rest)
	case "redis", "rediss":
		return parseRedis(text, scheme)
	case "memory":
		return Store{}, fmt.Errorf("%w: memory: ends with this process, so it would lock out nobody", ErrRefused)
	default:
		return Store{}, fmt.Errorf("%w %q: want file:DIR, redis://HOST:PORT or rediss://HOST:PORT", ErrUnknown, scheme+":")
	}
}

// noDefault adds to an error of the default store what the user can do.
func noDefault(err error) error {
	return fmt.Errorf("default store: %w; name another with --store or LOCKKEEPER_STORE, such as file:DIR", err)
}

// unusable gives an error of the operating system its sentinel.
func unusable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", backends.ErrPermission, err)
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}

// parseFile takes DIR, and what a URL makes of an absolute one: ///DIR.
func parseFile(rest string) (Store, error) {
	dir := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return Store{}, fmt.Errorf("%w %q: no host goes with file: (write file:DIR)", ErrUnknown, "file:"+rest)
		}
		dir = after
	}
	if dir == "" {
		return Store{}, fmt.Errorf("%w: file: names no directory", ErrUnknown)
	}
	return fileStore(dir)
}

func fileStore(dir string) (Store, error) {
	full, err := filepath.Abs(dir) // a command may change the working directory
	if err != nil {
		return Store{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return Store{kind: File, dir: full, public: "file:" + full}, nil
}

func parseRedis(text, scheme string) (Store, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The error would repeat the text, password and all.
		return Store{}, fmt.Errorf("%w: %s:// is followed by something that is no URL (percent-encode the password)", ErrUnknown, scheme)
	}
	if u.Host == "" {
		return Store{}, fmt.Errorf("%w: %s:// names no host", ErrUnknown, scheme)
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return Store{}, fmt.Errorf("%w: %s: the port must be a number from 1 to 65535", ErrUnknown, public(u))
	}
	return Store{kind: Redis, url: text, public: public(u)}, nil
}

// public shows a Redis server: scheme, host and the number of the database. Anything else may hold a password, by
// design (user, query) or by mistake (a path that should have been the user).
func public(u *url.URL) string {
	shown := u.Scheme + "://" + u.Host
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		if n, err := strconv.ParseUint(db, 10, 16); err == nil {
			shown += "/" + strconv.FormatUint(n, 10)
		}
	}
	return shown
}
