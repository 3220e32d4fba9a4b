package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// replied reports whether an error is an answer of the server.
func replied(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// trust is what mends a TLS connection that one of the two sides does not want.
const trust = "give the client what the certificates of both sides ask for"

// none is what it means when nothing works.
const none = "nothing can be locked"

// refusal says what a server means that answers with an error and does nothing else.
func (x *exam) refusal(err error) {
	text, _, _ := strings.Cut(err.Error(), ", with args beginning") // of an unknown command
	f := backends.Finding{Level: backends.Failure, Topic: "server", What: "it refuses: " + text, Means: none,
		Mend: "what the server says tells; if it passes, look again"}
	switch {
	case strings.HasPrefix(text, "NOAUTH"):
		f.Topic, f.What, f.Mend = "rights", "the server wants a password", "give user and password: redis://USER:PASSWORD@HOST:PORT"
	case strings.HasPrefix(text, "WRONGPASS"), strings.Contains(text, "without any password configured"):
		f.Topic, f.What, f.Mend = "rights", "the server refuses user or password: "+text, "give the right ones: redis://USER:PASSWORD@HOST:PORT"
	case errors.Is(x.b.classify(err), backends.ErrPermission):
		x.lacks(backends.Failure, []string{"eval", "evalsha"}, none)
		return
	case strings.Contains(text, "DB index"), strings.Contains(text, "command 'select'"):
		f.Topic, f.What, f.Mend = "database", "the database cannot be chosen: "+text, "use one that the server has; number 0 is always there"
	case strings.Contains(text, "unknown command"):
		f.Topic, f.What = "commands", "the server runs no scripts: "+text
		f.Mend = "remove rename-command EVAL and EVALSHA from its configuration, or use a server that has them"
	case strings.Contains(text, "cluster support disabled"):
		f.Topic, f.What, f.Mend = "role", "it is no node of a cluster", "use a client of one server: redis.NewClient"
	case strings.HasPrefix(text, "LOADING"):
		f.What, f.Mend = "it is loading its data", "wait until it has"
	}
	x.add(f)
}

// unanswered says why a server that can be reached has not answered, if that can be found out. Else it returns an error.
func (x *exam) unanswered(err error) error {
	f := backends.Finding{Level: backends.Failure, Topic: "connection", Means: none}
	var refused *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case x.ctx.Err() != nil:
		return ended(x.ctx)
	case replied(err):
		x.refusal(err)
		return nil
	case errors.As(err, &untrusted), errors.As(err, &refused) && refused.Op == "remote error":
		f.What, f.Mend = "TLS fails: "+err.Error(), trust
	default:
		f.What, f.Mend = x.ask(err)
	}
	if f.What == "" {
		return x.b.classify(err)
	}
	x.add(f)
	return nil
}

// ask finds out what is spoken at an address where the client gets no answer: a server takes the first bytes of TLS for a command that
// has not ended yet, and one that speaks TLS closes the connection.
func (x *exam) ask(err error) (what, mend string) {
	c, ok := x.node.client.(*redis.Client)
	if !ok {
		return "", ""
	}
	opt := c.Options()
	said := x.ping(opt)
	var slow net.Error
	switch plain := strings.HasPrefix(said, "+") || strings.HasPrefix(said, "-"); {
	case plain && opt.TLSConfig != nil:
		return "the server does not speak TLS at this port: it answers " + said, "write redis:// in place of rediss://, or the port that is its tls-port"
	case opt.TLSConfig != nil && (!errors.As(err, &slow) || !slow.Timeout()) && x.speaksTLS(opt): // it ends what it has agreed to
		return "TLS fails: " + err.Error(), trust
	case opt.TLSConfig == nil && !plain && x.speaksTLS(opt):
		return "the server speaks TLS at this port", "write rediss:// in place of redis://"
	case strings.HasPrefix(said, "-"):
		return "it refuses: " + said[1:], "what the server says tells; if it passes, look again"
	case said != "" && !plain:
		return fmt.Sprintf("it is no Redis server: it answers %q", said), "give the address of one"
	}
	return "", ""
}

// ping returns the first line of what the address answers to PING without TLS.
func (x *exam) ping(opt *redis.Options) string {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(x.ctx, opt.Network, opt.Addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	stop := context.AfterFunc(x.ctx, func() { conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(readTimeout)); err != nil {
		return ""
	}
	_, _ = conn.Write([]byte("PING\r\n")) // a server that refuses everybody has answered before it reads
	line := make([]byte, 200)
	n, _ := conn.Read(line)
	said, _, _ := strings.Cut(string(line[:n]), "\r\n")
	return said
}

// speaksTLS reports whether the address takes part in a handshake. Nothing is said to it, so it need not be trusted.
func (x *exam) speaksTLS(opt *redis.Options) bool {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	ctx, cancel := context.WithTimeout(x.ctx, readTimeout)
	defer cancel()
	conn, err := d.DialContext(ctx, opt.Network, opt.Addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// sentinel says what a Sentinel is good for.
func (x *exam) sentinel() {
	f := backends.Finding{Level: backends.Failure, Topic: "role", What: "it is a Sentinel, which keeps no locks", Means: none,
		Mend: "use the address of a primary; in a program redis.NewFailoverClient asks the Sentinels for it"}
	for i := 0; ; i++ {
		primary, ok := x.info[fmt.Sprintf("master%d", i)] // name=…,status=…,address=…,…
		if !ok {
			break
		}
		words := strings.Split(primary, ",")
		if len(words) > 2 {
			f.Mend += fmt.Sprintf("; that of %s is %s", strings.TrimPrefix(words[0], "name="), strings.TrimPrefix(words[2], "address="))
		}
	}
	x.add(f)
}

// withoutInfo says what can be said of a server that does not answer INFO.
func (x *exam) withoutInfo(err error) {
	x.add(backends.Finding{Level: backends.Note, Topic: "server",
		What:  "the server does not tell about itself: " + err.Error(),
		Means: "version, eviction, persistence and replicas could not be looked at",
		Mend:  "check as a user with the right +info and +config|get"})
	role, err := x.node.client.Do(x.ctx, "ROLE").Slice()
	if err != nil || len(role) == 0 {
		return // neither does it tell its role
	}
	switch role[0] {
	case "sentinel":
		x.sentinel()
	case "slave":
		x.info["role"], x.info["master_host"] = "slave", "another server"
		x.role()
	}
}

// cluster looks at a node of a cluster: whether the client fits, and the cluster is whole.
func (x *exam) cluster() {
	if x.info["cluster_enabled"] != "1" {
		return
	}
	if _, ok := x.b.clients.calls.(*redis.ClusterClient); !ok {
		x.add(backends.Finding{Level: backends.Failure, Topic: "role", What: "it is a node of a cluster, and the client is for one server",
			Means: "the names that other nodes keep cannot be used",
			Mend:  "use redis.NewClusterClient in a program; the command takes servers that are in no cluster"})
	}
	text, err := x.node.client.ClusterInfo(x.ctx).Result()
	state := parseInfo(text)
	f := backends.Finding{Topic: "cluster", What: "all slots are served"}
	switch {
	case err != nil:
		f = backends.Finding{Level: backends.Note, Topic: "cluster", What: "the node does not tell about its cluster: " + err.Error(),
			Means: "whether all names can be used could not be looked at", Mend: "check as a user with the right +cluster|info"}
	case state["cluster_state"] != "ok" || state["cluster_slots_ok"] != "16384":
		f.Level, f.What = backends.Failure, fmt.Sprintf("its state is %s: %s of 16384 slots are assigned, %s are served",
			state["cluster_state"], state["cluster_slots_assigned"], state["cluster_slots_ok"])
		f.Means, f.Mend = "names in the other slots cannot be used, or none at all", "start the nodes that are down, or assign their slots to others: redis-cli --cluster fix"
	}
	x.add(f)
}
