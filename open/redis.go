package open

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// parseRedis takes what stands behind the scheme, which says what kind of servers they are.
func parseRedis(scheme, rest string) (Address, error) {
	plain, kind, _ := strings.Cut(scheme, "+")
	text := plain + ":" + rest // as the client library wants it
	u, err := url.Parse(text)
	if err != nil { // which would repeat the text, password and all
		return Address{}, invalid(scheme+"://", "a URL (percent-encode the password)")
	}
	if u.Host == "" {
		return Address{}, invalid(scheme+"://", scheme+"://HOST:PORT, with a host")
	}
	shown := publicRedis(scheme, u)
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return Address{}, invalid(shown, "a port from 1 to 65535")
	}
	if kind == "sentinel" && u.Query().Get("master_name") == "" {
		return Address{}, invalid(shown, "the name of the master: ?master_name=NAME")
	}
	connect, err := redisClient(kind, text)
	if err != nil { // which may repeat a part of the text
		return Address{}, invalid(shown, "a database's number as the path, the client's options as the query")
	}
	return Address{scheme: scheme, public: shown, open: func(_ context.Context, c config) (backends.Backend, error) {
		c.setClientLog()
		client := connect()
		b, err := redis.New(client)
		if err != nil {
			client.Close()
			return nil, err
		}
		return &owner{b, client}, nil
	}}, nil
}

// publicRedis is public for a Redis server, whose path is the number of a database and nothing else.
func publicRedis(scheme string, u *url.URL) string {
	shown := scheme + "://" + publicHost(u)
	if n, err := strconv.ParseUint(strings.TrimPrefix(u.Path, "/"), 10, 16); err == nil {
		shown += "/" + strconv.FormatUint(n, 10)
	}
	return shown
}

// redisClient returns what makes a client of the servers. A call that is over by its context is
// over, whatever the network does.
func redisClient(kind, text string) (func() goredis.UniversalClient, error) {
	switch kind {
	case "sentinel":
		o, err := goredis.ParseFailoverURL(text)
		if err != nil || o.DB < 0 {
			return nil, errOptions
		}
		o.ContextTimeoutEnabled = true
		return func() goredis.UniversalClient {
			own := *o // the client changes it
			return goredis.NewFailoverClient(&own)
		}, nil
	case "cluster":
		o, err := goredis.ParseClusterURL(text)
		if err != nil {
			return nil, errOptions
		}
		o.ContextTimeoutEnabled = true
		return func() goredis.UniversalClient {
			own := *o
			return goredis.NewClusterClient(&own)
		}, nil
	}
	o, err := goredis.ParseURL(text)
	if err != nil || o.DB < 0 {
		return nil, errOptions
	}
	o.ContextTimeoutEnabled = true
	return func() goredis.UniversalClient {
		own := *o
		return goredis.NewClient(&own)
	}, nil
}

// owner is a backend with the client that was made for it. A Sentinel client finds the primary for
// the backend's connections, so it must last as long.
type owner struct {
	*redis.Backend
	client goredis.UniversalClient
}

// Close closes the backend, and then the client.
func (o *owner) Close(ctx context.Context) error {
	err := o.Backend.Close(ctx)
	o.client.Close() // again, perhaps: it has nothing to say
	return err
}
