// Package completion writes the scripts by which a shell completes a command line of lockkeeper.
//
// A script is made from the model that package kong has of the command line, and is static: to
// complete a word starts no process of lockkeeper. What follows the -- of run is completed as the
// command that it is.
package completion
