package cli

import "io"

// stickyWriter keeps the first error of a writer for a caller that cannot return it.
type stickyWriter struct {
	to  io.Writer
	err error
}

// Write writes nothing after an error: what follows a gap would mislead.
func (w *stickyWriter) Write(text []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.to.Write(text)
	w.err = err
	return n, err
}
