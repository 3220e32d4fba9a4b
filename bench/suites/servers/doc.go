// Package servers measures the Redis backend beside bsm/redislock, redsync and rueidislock, all against one real
// redis-server that the suite starts: alone and contended, in one process and several; what it costs the server in
// commands and processor time; and how soon the next holder comes when one has died or was cut off.
//
// Commands are counted by the server. The peers retry for as long as their caller waits.
package servers
