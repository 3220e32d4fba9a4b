//go:build !linux && !windows

package file

func remote(int) string { return "" } // not known here; the user is trusted
