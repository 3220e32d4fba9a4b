package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// defaultPath is where execvp of the C libraries looks when there is no PATH.
const defaultPath = "/bin:/usr/bin"

// StartError says that the command was not started.
type StartError struct {
	Code    int // NotFound or NotExecutable
	Program string
	Err     error
}

func (e *StartError) Error() string { return fmt.Sprintf("%q: %v", e.Program, e.Err) }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

func startError(program string, err error) *StartError {
	code := NotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		code = NotFound
	}
	return &StartError{Code: code, Program: program, Err: err}
}

// Find returns the path of the program that a command names, as execvp finds it, or a *StartError. It
// lets a caller refuse a misspelt command, or a script whose interpreter is missing, before it waits
// for a lock.
func Find(program string) (string, error) {
	path, err := lookUp(program)
	if err == nil {
		err = interpreter(path)
	}
	if err != nil {
		return "", startError(program, err)
	}
	return path, nil
}

// lookUp searches PATH. An empty entry is the current directory, which is the user's own choice. A
// file that may not be executed counts only if there is no other.
func lookUp(program string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) || runtime.GOOS == "windows" {
		path, err := exec.LookPath(program)
		return path, number(err)
	}
	list, set := os.LookupEnv("PATH")
	if !set {
		list = defaultPath
	}
	forbidden := exec.ErrNotFound
	for dir := range strings.SplitSeq(list, string(filepath.ListSeparator)) {
		if dir == "" {
			dir = "."
		}
		_, err := exec.LookPath(dir + "/" + program)
		if err == nil || errors.Is(err, exec.ErrDot) {
			return dir + "/" + program, nil
		}
		if errors.Is(err, fs.ErrPermission) && regular(dir+"/"+program) {
			forbidden = number(err)
		}
	}
	return "", forbidden
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// interpreter returns an error if the program is a script that names a missing interpreter.
func interpreter(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // a program need not be readable; its start will tell
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, longestLine)).ReadString('\n')
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		return nil
	}
	if _, err := exec.LookPath(words[0]); err != nil && strings.ContainsRune(words[0], filepath.Separator) {
		return fmt.Errorf("interpreter %q: %w", words[0], number(err))
	}
	return nil
}

// longestLine is as much of a script's first line as any kernel reads.
const longestLine = 4096

// number takes the names off an error: what is left is the system's own.
func number(err error) error {
	var n syscall.Errno
	var named *exec.Error
	switch {
	case errors.As(err, &n):
		return n
	case errors.As(err, &named):
		return named.Err
	}
	return err
}
