// Package apitest checks that a table of tests has a row for everything that a package exports.
//
//	func TestMisuse(t *testing.T) {
//		rows := []apitest.Row{
//			{Name: "Mutex.Unlock", Case: "unlocked", Call: unlock, Want: "panic: primitives: Unlock"},
//		}
//		apitest.Run(t, rows, nil)
//	}
//
// A function is called by its name, a method "Type.Method". The sources of the package in the
// working directory say which there are.
package apitest
