// Package nils tells whether an argument of an interface type is nil.
package nils

import "reflect"

// Is reports whether v is nil or holds a nil pointer, whose methods would panic later, far from the
// caller that passed it.
func Is(v any) bool {
	r := reflect.ValueOf(v)
	return v == nil || r.Kind() == reflect.Pointer && r.IsNil()
}
