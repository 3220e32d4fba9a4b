// Package primitives is to be documented.
package primitives
