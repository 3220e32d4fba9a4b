package nils

import (
	"bytes"
	"io"
	"testing"
)

func TestANilPointerInAnInterfaceIsNil(t *testing.T) {
	var none io.Reader
	var buffer *bytes.Buffer
	for v, want := range map[io.Reader]bool{none: true, buffer: true, new(bytes.Buffer): false} {
		if Is(v) != want {
			t.Errorf("%T: %v", v, !want)
		}
	}
}
