package main

import (
	"os"

	"golang.org/x/term"
)

// The size of a terminal that does not tell its own, and the width of what is none.
const (
	usualWidth  = 80
	usualHeight = 24
)

// page is what a stream can show.
type page struct {
	width, height int  // of a terminal; the height is 0 if the stream is none
	escapes       bool // it is a terminal that understands escape sequences
}

// pageOf asks for the page of a stream, which changes with the window.
func pageOf(out *os.File) page {
	fd := int(out.Fd())
	if !term.IsTerminal(fd) {
		return page{width: usualWidth}
	}
	p := page{width: usualWidth, height: usualHeight}
	if width, height, err := term.GetSize(fd); err == nil && width > 0 && height > 0 {
		p.width, p.height = width, height
	}
	kind := os.Getenv("TERM")
	p.escapes = kind != "dumb" && kind != ""
	return p
}
