package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// replied reports whether an error is a reply of the server.
func replied(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

const (
	mendTLS      = "give the client a certificate that the server accepts, and the authority that signed the server's"
	nothingWorks = "nothing can be locked"
	mendOne      = "use a client of one server: redis.NewClient, or redis://HOST:PORT"
)

// refusal explains the error with which a server answers everything.
func (x *exam) refusal(err error) {
	text, _, _ := strings.Cut(err.Error(), ", with args beginning") // of an unknown command
	if said, ok := strings.CutPrefix(text, noSentinel); ok {
		x.refusedBySentinels(said)
		return
	}
	f := backends.Finding{Level: backends.Failure, Topic: "server", What: "it refuses: " + text, Means: nothingWorks,
		Mend: "see the server's message; if the cause may pass, check again"}
	switch {
	case strings.HasPrefix(text, "NOAUTH"):
		f.Topic, f.What, f.Mend = "rights", "the server wants a password", "give user and password: redis://USER:PASSWORD@HOST:PORT"
	case strings.HasPrefix(text, "WRONGPASS"), strings.Contains(text, "without any password configured"):
		f.Topic, f.What, f.Mend = "rights", "the server refuses user or password: "+text, "give the right user and password: redis://USER:PASSWORD@HOST:PORT"
	case errors.Is(x.Classify(err), backends.ErrPermission):
		missing := []string{"eval", "evalsha"}
		if name := between(text, "run the '", "' command"); name != "" && !slices.Contains(missing, name) {
			missing = []string{name} // that the client sends before any script
		}
		x.lacks(backends.Failure, missing, nothingWorks)
		return
	case strings.Contains(text, "DB index"), strings.Contains(text, "command 'select'"), strings.Contains(text, "SELECT is not allowed"):
		f.Topic, f.What, f.Mend = "database", "the database cannot be chosen: "+text, "use a database that the server has; number 0 is always there"
	case strings.Contains(text, "unknown command 'cluster'"):
		f.Topic, f.What = "role", "it is no node of a cluster, or does not know CLUSTER"
		f.Mend = mendOne + "; or remove rename-command CLUSTER from its configuration"
	case strings.Contains(text, "unknown command"):
		f.Topic, f.What = "commands", "the server runs no scripts: "+text
		f.Mend = "remove rename-command EVAL and EVALSHA from its configuration, or use a server that has them"
	case strings.Contains(text, "cluster support disabled"):
		f.Topic, f.What, f.Mend = "role", "it is no node of a cluster", mendOne
	case strings.HasPrefix(text, "LOADING"):
		f.What, f.Mend = "it is loading its data", "wait until it has loaded them"
	}
	x.add(f)
}

// between returns what stands in a text between two others, or "".
func between(text, begin, end string) string {
	_, rest, _ := strings.Cut(text, begin)
	part, _, found := strings.Cut(rest, end)
	if !found {
		return ""
	}
	return part
}

// noSentinel is what the client library says before the answers of Sentinels that name no primary.
const noSentinel = "redis: all sentinels specified in configuration are unreachable: "

// refusedBySentinels explains the answers of Sentinels, where they come before that of any server.
func (x *exam) refusedBySentinels(said string) {
	f := backends.Finding{Level: backends.Failure, Topic: "role", What: "the Sentinels refuse: " + said, Means: nothingWorks,
		Mend: "see the message; if the cause may pass, check again"}
	switch {
	case strings.Contains(said, redis.Nil.Error()):
		f.What = "the Sentinels know no primary of this name"
		f.Mend = "give the name that stands in their configuration after sentinel monitor: redis+sentinel://HOST:PORT?master_name=NAME"
	case strings.Contains(said, "NOAUTH"), strings.Contains(said, "WRONGPASS"):
		f.Topic, f.What = "rights", "the Sentinels refuse user or password: "+said
		f.Mend = "give those of the Sentinels: redis+sentinel://USER:PASSWORD@HOST:PORT, with ?username=…&password=… for the primary"
	case strings.Contains(said, "unknown command"):
		f.What, f.Mend = "it is no Sentinel", "give the address of a Sentinel, or "+mendOne
	}
	x.add(f)
}

// unanswered finds out why a server that can be reached does not answer. It returns an error if it
// cannot.
func (x *exam) unanswered(err error) error {
	f := backends.Finding{Level: backends.Failure, Topic: "connection", Means: nothingWorks}
	var refused *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case x.ctx.Err() != nil:
		return backends.Ended(x.ctx)
	case replied(err):
		x.refusal(err)
		return nil
	case errors.As(err, &untrusted), errors.As(err, &refused) && refused.Op == "remote error":
		f.What, f.Mend = "TLS fails: "+err.Error(), mendTLS
	default:
		f.What, f.Mend = x.probe(err)
	}
	if f.What == "" {
		return x.Classify(err)
	}
	x.add(f)
	return nil
}

// probe finds out which protocol is spoken at an address where the client gets no answer. A server
// without TLS takes the first bytes of TLS for an unfinished command, and a server with TLS closes
// a connection without it.
func (x *exam) probe(err error) (what, mend string) {
	c, ok := x.node.client.(*redis.Client)
	if !ok {
		return "", ""
	}
	opt := c.Options()
	said := x.ping(opt)
	var slow net.Error
	switch plain := strings.HasPrefix(said, "+") || strings.HasPrefix(said, "-"); {
	case plain && opt.TLSConfig != nil:
		return "the server does not speak TLS at this port: it answers " + said, "write redis:// in place of rediss://, or the number of its tls-port"
	case opt.TLSConfig != nil && (!errors.As(err, &slow) || !slow.Timeout()) && x.speaksTLS(opt): // it closes after the handshake
		return "TLS fails: " + err.Error(), mendTLS
	case opt.TLSConfig == nil && !plain && x.speaksTLS(opt):
		return "the server speaks TLS at this port", "write rediss:// in place of redis://"
	case strings.HasPrefix(said, "-"):
		return "it refuses: " + said[1:], "see the server's message; if the cause may pass, check again"
	case said != "" && !plain:
		return fmt.Sprintf("it is no Redis server: it answers %q", said), "give the address of a Redis server"
	}
	return "", ""
}

// ping returns the first line of the answer to PING without TLS.
func (x *exam) ping(opt *redis.Options) string {
	conn, err := (&net.Dialer{Timeout: x.Timeout}).DialContext(x.ctx, opt.Network, opt.Addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	stop := context.AfterFunc(x.ctx, func() { conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(x.Timeout)); err != nil {
		return ""
	}
	_, _ = conn.Write([]byte("PING\r\n")) // a full server answers before it reads
	line := make([]byte, 200)
	n, _ := conn.Read(line)
	said, _, _ := strings.Cut(string(line[:n]), "\r\n")
	return said
}

// speaksTLS reports whether a TLS handshake succeeds. Nothing is sent over the connection, so its
// certificate is not verified.
func (x *exam) speaksTLS(opt *redis.Options) bool {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: x.Timeout}, Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	ctx, cancel := context.WithTimeout(x.ctx, x.Timeout)
	defer cancel()
	conn, err := d.DialContext(ctx, opt.Network, opt.Addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// sentinel reports that the server is a Sentinel, with the primaries that it knows.
func (x *exam) sentinel() {
	f := backends.Finding{Level: backends.Failure, Topic: "role", What: "it is a Sentinel, which keeps no locks", Means: nothingWorks,
		Mend: "have the Sentinels asked for the primary: redis.NewFailoverClient, or redis+sentinel://HOST:PORT?master_name=NAME"}
	for i := 0; ; i++ {
		primary, ok := x.info[fmt.Sprintf("master%d", i)] // name=…,status=…,address=…,…
		if !ok {
			break
		}
		words := strings.Split(primary, ",")
		if len(words) > 2 {
			f.Mend += fmt.Sprintf("; the primary of %s is %s", strings.TrimPrefix(words[0], "name="), strings.TrimPrefix(words[2], "address="))
		}
	}
	x.add(f)
}

// withoutInfo reports on a server that refuses INFO.
func (x *exam) withoutInfo(err error) {
	x.add(backends.Finding{Level: backends.Note, Topic: "server",
		What:  "the server does not tell about itself: " + err.Error(),
		Means: "version, eviction, persistence and replicas are not checked",
		Mend:  "check as a user with the right +info and +config|get"})
	role, err := x.node.client.Do(x.ctx, "ROLE").Slice()
	if err != nil || len(role) == 0 {
		return // it does not tell its role either
	}
	switch role[0] {
	case "sentinel":
		x.sentinel()
	case "slave":
		x.info["role"], x.info["master_host"] = "slave", "another server"
		x.role()
	}
}

// cluster checks for a node of a cluster whether the client fits and all slots are served.
func (x *exam) cluster() {
	if x.info["cluster_enabled"] != "1" {
		return
	}
	if _, ok := x.Client.(*redis.ClusterClient); !ok {
		x.add(backends.Finding{Level: backends.Failure, Topic: "role", What: "it is a node of a cluster, and the client is for one server",
			Means: "the names that other nodes keep cannot be used",
			Mend:  "use a client of the cluster: redis.NewClusterClient, or redis+cluster://HOST:PORT"})
	}
	text, err := x.node.client.ClusterInfo(x.ctx).Result()
	state := parseInfo(text)
	f := backends.Finding{Topic: "cluster", What: "all slots are served"}
	switch {
	case err != nil:
		f = backends.Finding{Level: backends.Note, Topic: "cluster", What: "the node does not tell about its cluster: " + err.Error(),
			Means: "some names may be unusable: the slots are not checked", Mend: "check as a user with the right +cluster|info"}
	case state["cluster_state"] != "ok" || state["cluster_slots_ok"] != "16384":
		f.Level, f.What = backends.Failure, fmt.Sprintf("its state is %s: %s of 16384 slots are assigned, %s are served",
			state["cluster_state"], state["cluster_slots_assigned"], state["cluster_slots_ok"])
		f.Means, f.Mend = "names in the other slots cannot be used, or none at all", "start the nodes that are down, or assign their slots to others: redis-cli --cluster fix"
	}
	x.add(f)
}
