//go:build linux

package torture

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// register is a resource that is protected by fencing tokens: one word for each name, in memory that
// all processes share. A write with a smaller token than the word is refused.
type register struct {
	mem   []byte
	words []atomic.Uint64
	index map[string]int
}

func openRegister(path string, names []string) (*register, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := len(names) * int(unsafe.Sizeof(atomic.Uint64{}))
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	r := &register{
		mem:   mem,
		words: unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&mem[0])), len(names)),
		index: make(map[string]int),
	}
	for i, n := range names {
		r.index[n] = i
	}
	return r, nil
}

// write reports whether the register has taken the write.
func (r *register) write(name string, token uint64) bool {
	word := &r.words[r.index[name]]
	for {
		last := word.Load()
		if token < last {
			return false
		}
		if word.CompareAndSwap(last, token) {
			return true
		}
	}
}

func (r *register) close() error { return unix.Munmap(r.mem) }
