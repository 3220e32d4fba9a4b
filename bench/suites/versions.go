package suites

import (
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

// measured are the modules that the suites measure, or measure with.
var measured = []string{
	"golang.org/x/sync", "github.com/viney-shih/go-lock", "github.com/marusama/semaphore/v2", "github.com/asynkron/protoactor-go",
	"github.com/gofrs/flock", "github.com/redis/go-redis/v9", "github.com/bsm/redislock", "github.com/go-redsync/redsync/v4",
	"github.com/redis/rueidis", "go.etcd.io/etcd/client/v3", "github.com/jackc/pgx/v5", "cirello.io/pglock",
}

// Versions returns lines that say which servers and libraries are measured here.
func Versions() []string {
	var servers, libraries []string
	for _, s := range []struct{ name, program string }{{"Redis", "redis-server"}, {"PostgreSQL", postgres()}, {"etcd", "etcd"}} {
		if v := version(s.program); v != "" {
			servers = append(servers, s.name+" "+v)
		}
	}
	info, _ := debug.ReadBuildInfo() // nil in a program that is not built of modules
	for _, path := range measured {
		for i := 0; info != nil && i < len(info.Deps); i++ {
			if d := info.Deps[i]; d.Path == path {
				libraries = append(libraries, path+" "+d.Version)
			}
		}
	}
	var lines []string
	for _, all := range [][]string{servers, libraries} {
		if len(all) > 0 {
			lines = append(lines, strings.Join(all, ", "))
		}
	}
	return lines
}

func postgres() string {
	program, _ := pgtest.Program() // without it, nothing is said of it
	return program
}

var number = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// version asks a program for its version; "" if it is not here.
func version(program string) string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return ""
	}
	return number.FindString(string(out))
}
