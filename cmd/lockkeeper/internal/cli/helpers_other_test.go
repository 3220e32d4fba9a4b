//go:build !unix

package cli

func registerHelpers() {}
