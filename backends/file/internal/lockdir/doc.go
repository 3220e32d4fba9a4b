// Package lockdir is the lock directory on disk: its files, what stands in them, and the calls of
// the operating system on them. It knows no request and no actor; what locks mean is up to package
// file.
//
//   - directory.go, inbox_*.go, floor.go, name.go: what lies in the directory;
//   - table.go, codec.go, tablefile.go, about.go: a table, its text, and its file;
//   - view.go: a look at a table without a lock; housekeeping.go: the removal of a name;
//   - sys_*.go, system_*.go: the operating systems.
package lockdir
