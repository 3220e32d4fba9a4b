//go:build !unix

package file

func registerMore() {}
