// Package apitest checks that a table of tests has a row for everything that a package exports.
//
//	func TestMisuse(t *testing.T) {
//		rows := []apitest.Row{
//			{Name: "Mutex.Unlock", Case: "unlocked", Call: unlock, Want: "panic: primitives: Unlock"},
//		}
//		apitest.Run(t, rows, nil)
//	}
//
// A row names a function by its name, and a method as "Type.Method". The exported ones are read
// from the sources of the package in the working directory.
package apitest
