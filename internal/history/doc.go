// Package history records who held which lock when, in any number of processes of one host, and checks afterwards that
// the locks kept their promises.
//
// Each process has a [Recorder] and writes to a file of its own, one line for each grant and one for each end, each in
// one write: what a process wrote before it was killed is in its file. [Read] puts the files together, [Check]
// gives the verdict.
//
//	rec := history.NewRecorder(file, "worker 1")
//	asked := history.Now()
//	lease, err := lock.Acquire(ctx)
//	…
//	hold := rec.Granted(history.Grant{Name: "db", Capacity: 1, Weight: 1, Token: lease.Token(), Holder: "3", Asked: asked})
//	…
//	hold.Ended() // before the release
//	lease.Release()
//
// # What is checked
//
// The recorded interval of a holder lies within the true one: it begins when Acquire has returned and ends before Release
// is called, or before the process is killed ([Recorder.Died]). So whatever is found is a fault of the lock, and never
// of the recording.
//
//   - Exclusion: at no instant do the weights of a name's holders add up to more than its capacity.
//   - Tokens: no token of a name is given out twice. If one grant was certainly before another, its token is smaller.
//     It was, if its Acquire had returned when the other was called; or if its holder had begun to release when
//     the other's Acquire returned and the two could not have held together.
//   - Capacity: holders of a name that overlap agree on its capacity.
//
// The second of the token's conditions matters: two shared grants may be seen in the other order than
// they were made, since a reply can be overtaken.
//
// Package history/linear checks histories of single calls, failed tries included, against a model.
package history
