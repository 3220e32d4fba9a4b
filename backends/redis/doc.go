// Package redis keeps locks on a Redis server.
package redis
