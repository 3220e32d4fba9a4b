package lockdir

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// FloorName is the file that remembers for names that were removed how far their tokens had come: a new table begins
// above it. It is one for the whole directory, the largest token of all that were removed. No stem begins with a dot.
//
// Nobody finds less there than he must. The floor is raised before a table is removed, and a table is made only
// after the one before it was removed; and a file that was renamed into its place is always a whole one.
const (
	FloorName   = ".floor"
	FloorDraft  = ".floor.new"
	floorPrefix = "lockkeeper floor "
)

// ceiling bounds what is believed of a token that comes from a damaged file: believed once, it would be this name's tokens
// for ever.
func ceiling() uint64 {
	const century = 100 * 365 * 24 * time.Hour
	return uint64(time.Now().Add(century).UnixMicro())
}

// Floor returns what new tables begin above; 0 if no name was ever removed. A floor that cannot be read is an error: a
// grant without it could repeat a token.
func (d *Dir) Floor() (uint64, error) {
	fd, _, err := d.Open(FloorName, false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer CloseFile(fd)
	var buf [64]byte
	n, err := readAt(fd, buf[:], 0)
	if err != nil {
		return 0, err
	}
	text, ok := strings.CutPrefix(string(buf[:n]), floorPrefix)
	token, err := strconv.ParseUint(strings.TrimSuffix(text, "\n"), 10, 63)
	if !ok || err != nil || token > ceiling() {
		return 0, nil // not what we write: tokens go on from the clock, as after any other damage
	}
	return token, nil
}

// RaiseFloor makes the floor at least token, on the disk. The caller has the directory's lock.
func (d *Dir) RaiseFloor(token uint64) error {
	now, err := d.Floor()
	if err != nil || token <= now {
		return err
	}
	fd, _, err := OpenRegular(d.FD, FloorDraft, true)
	if err != nil {
		return err
	}
	defer CloseFile(fd)
	text := floorPrefix + strconv.FormatUint(token, 10) + "\n"
	if err := Truncate(fd, 0); err != nil {
		return err
	}
	if err := writeAt(fd, []byte(text), 0); err != nil {
		return err
	}
	if err := flush(fd); err != nil {
		return err
	}
	if err := renameAt(d.FD, FloorDraft, FloorName); err != nil {
		return err
	}
	return flushEntries(d.FD)
}
