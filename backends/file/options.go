package file

// An Option changes what [New] makes.
type Option interface{ apply(*options) }

type options struct {
	sync          bool
	anyFileSystem bool
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithSync flushes each table, and the name of a new one, to the disk before a grant is given out, so that tokens go on increasing over a crash of
// the machine even if its clock is set back at the same time. It costs a disk write for each grant. Default:
// off; tokens then survive every end of processes, and a crash of the machine as far as its clock is right.
func WithSync() Option { return optionFunc(func(o *options) { o.sync = true }) }

// WithAnyFileSystem accepts file systems on which kernel locks or FIFOs may reach no further than this machine while the
// files do: NFS, SMB, 9p, FUSE, cluster file systems. With it, processes on different machines may NOT exclude each
// other; those of one machine do if the file system implements flock and FIFOs locally. Default: refused.
func WithAnyFileSystem() Option { return optionFunc(func(o *options) { o.anyFileSystem = true }) }
