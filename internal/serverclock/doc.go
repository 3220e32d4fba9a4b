// Package serverclock ties the clock of a server to that of this process, so that a client knows until
// when it may rely on a grant that the server made by itself, and that a message tells of.
package serverclock
