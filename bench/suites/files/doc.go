// Package files measures the file backend beside gofrs/flock, the library that a Go program would otherwise use between
// processes of one machine. It locks the same way (flock(2)) and writes nothing; whoever waits for it polls, each
// millisecond here.
package files
