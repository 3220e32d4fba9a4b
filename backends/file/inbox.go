package file

// newInbox gives the client an inbox again: that has lost its name, for it or the directory of inboxes was removed, moved or replaced.
//
// Several resources may do so at once, each in a turn of its own: they find the same new file, or, if that was removed in between,
// find out at their next look. A file that is on its way to the watcher is open, so others know that we live.
func (b *Backend) newInbox() error {
	if err := b.dir.intact(); err != nil {
		return err
	}
	inbox, id, err := b.dir.createInbox(b.id)
	if err != nil {
		return err
	}
	b.inbox.Store(&id)
	b.watcher.actor.Tell(notice{verb: newInbox, inbox: inbox})
	return nil
}
