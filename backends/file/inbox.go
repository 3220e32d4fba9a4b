package file

// replaceInbox makes a new inbox when the old one has lost its name: it, or the directory of
// inboxes, was removed, moved or replaced.
//
// Several resources may do so at once, each in its own turn. They find the same new file; if that
// was removed in between, they notice at their next look. The file is open while it is on its way
// to the watcher, so other processes find this client alive.
func (b *Backend) replaceInbox() error {
	if err := b.dir.Intact(); err != nil {
		return err
	}
	inbox, id, err := b.dir.CreateInbox(b.id)
	if err != nil {
		return err
	}
	b.inbox.Store(&id)
	b.watcher.actor.Tell(news{verb: newInbox, inbox: inbox})
	return nil
}
