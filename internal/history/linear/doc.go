// Package linear checks that the calls of a lock's users, with their answers, could have happened one after the other, each
// at some instant between its call and its return: that the lock is linearizable (M. Herlihy, J. Wing:
// Linearizability: a correctness condition for concurrent objects. TOPLAS 12(3), 1990). The search is porcupine's.
//
// It sees more than [history.Check], which knows grants only: a try that was refused although the resource was free, a
// release that found nothing although the grant was held, a renewal that brought a grant back. It needs more, too: every
// call has to be recorded, which [Watch] does for a backend, so all clients must be in one process.
//
// # The model
//
// One name's state is its holders, each a token with a weight, and the last token given out.
//
//	acquire → token    the weight fits; the token is larger than the last
//	acquire → error    changes nothing
//	try → busy         the weight does not fit, or some other request of this name may have stood in the queue
//	release → nil      the token is held, and then not
//	release → lost     the token is not held
//	renew → tokens     the token is held; the new tokens are larger than the last
//	renew → lost       the token is not held
//	→ unknown          either of what the call may have done, at any time from then on
//
// Order of arrival is not in the model: a call's place in the queue cannot be seen from outside.
package linear
