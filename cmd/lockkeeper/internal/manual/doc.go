// Package manual writes the manual page of lockkeeper. Its text is the package comment of the
// command, which go doc shows too, and its lists of flags are the model that package kong has of
// the command line. So what the page says is said in one place.
package manual
