package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
)

// machineConfig is the configuration of the machine.
const machineConfig = "/etc/lockkeeper/config.json"

// config is a configuration file.
type config struct {
	Stores map[string]string `json:"stores"` // a name of a store, and what --store would say
}

// isName reports whether a text can only be the name of a store in a configuration file: paths have
// a slash or begin with a dot, all else has a colon.
func isName(text string) bool {
	return !strings.ContainsAny(text, `:/\`) && !strings.HasPrefix(text, ".")
}

// lookUp returns what a name stands for: in the configuration of the user, or else of the machine.
//
// There is no default store in it, on purpose: the place of the user's file depends on the
// environment, so a terminal and cron could have two default stores. A name that is not found is an
// error.
func lookUp(name string) (string, error) {
	files := configs()
	for _, file := range files {
		c, err := readConfig(file)
		if err != nil {
			return "", fmt.Errorf("store %q: %w", name, err)
		}
		if text, ok := c.Stores[name]; ok {
			return text, check(name, text, file)
		}
	}
	return "", fmt.Errorf("%w: no store is named %q in %s; a directory is written file:DIR", ErrRefused, name, strings.Join(files, " or "))
}

// check returns an error if what a name stands for is no store, or one that depends on the working
// directory: two processes would then use two stores under one name.
func check(name, text, file string) error {
	if isName(text) {
		return fmt.Errorf("%w: store %q in %s stands for no store: want file:DIR or a URL", backends.ErrInvalid, name, file)
	}
	dir := text
	if scheme, rest, ok := strings.Cut(text, ":"); ok && strings.EqualFold(scheme, "file") {
		dir = rest
	}
	if relative := dir != text || strings.HasPrefix(text, "."); relative && !filepath.IsAbs(dir) && !strings.HasPrefix(dir, "/") {
		return fmt.Errorf("%w: store %q in %s is a directory below the working directory: write the whole path", ErrRefused, name, file)
	}
	return nil
}

// configs are the files that may exist, the user's first.
func configs() []string {
	dir, err := userConfig()
	if err != nil || !filepath.IsAbs(dir) {
		return []string{machineConfig}
	}
	return []string{filepath.Join(dir, "lockkeeper", "config.json"), machineConfig}
}

// readConfig reads a file; one that does not exist is empty. What another user may write is refused:
// it could lead the locks of this user elsewhere.
func readConfig(path string) (c config, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, unusable(err)
	}
	if !info.Mode().IsRegular() { // a named pipe would have the open wait for ever
		return c, fmt.Errorf("%w: %s is no file", ErrRefused, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return c, unusable(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return c, unusable(err)
	}
	if !trusted(info) {
		return c, fmt.Errorf("%w: %s could be written by another user: give it to yourself or to root, with mode 0600 or 0644", backends.ErrPermission, path)
	}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err = d.Decode(&c); err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more after the first value")
		}
	}
	if err != nil {
		return c, fmt.Errorf("%w: %s: %w: want {\"stores\": {\"NAME\": \"STORE\"}}", ErrRefused, path, err)
	}
	return c, nil
}
