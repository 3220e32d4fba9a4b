// Package databases measures the PostgreSQL backend beside the session's advisory lock of
// PostgreSQL, cirello.io/pglock and the row that makes a client of riverqueue/river the leader, all
// against one real server that the suite starts, with its data flushed: alone and contended, in one
// process and several, and how soon the next holder comes by a message and by a heartbeat.
//
// Statements are counted by the server (pg_stat_statements): those that clients send, not those that
// functions make.
package databases
