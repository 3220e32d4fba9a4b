//go:build !unix

package main

func registerHelpers() {}
