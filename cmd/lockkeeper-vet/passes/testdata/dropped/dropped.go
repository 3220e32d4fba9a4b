package dropped

import (
	"context"
	"sync"

	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/primitives"
)

func claims(locks *manager.Manager, c manager.Claim, rw manager.RWLock, s manager.Semaphore) {
	locks.Lock("x")                          // want `^locks.Lock\("x"\) only describes a claim and locks nothing: call Acquire or Do on it$`
	(locks.Lock("x"))                        // want `only describes a claim`
	defer locks.Lock("x")                    // want `only describes a claim`
	go locks.Lock("x")                       // want `only describes a claim`
	_ = locks.Lock("x")                      // want `only describes a claim`
	var _ = locks.Lock("x")                  // want `only describes a claim`
	_, _ = locks.Lock("x"), locks.Lock("y")  // want `locks.Lock\("x"\) only` `locks.Lock\("y"\) only`
	func() { locks.Lock("x") }()             // want `only describes a claim`
	rw.Read()                                // want `rw.Read\(\) only describes a claim`
	rw.Write()                               // want `rw.Write\(\) only describes a claim`
	s.Permits(2)                             // want `s.Permits\(2\) only describes a claim`
	locks.All(c, locks.Lock("y"))            // want `locks.All\(c, locks.Lock\("y"\)\) only describes a claim`
	c.Reentrant()                            // want `c.Reentrant\(\) only describes a claim`
	manager.RWLock.Read(rw)                  // want `only describes a claim`
	locks.RWLock("x")                        // want `only describes a lock and locks nothing: call Acquire or Do on its Read\(\) or Write\(\)`
	locks.Semaphore("x", 3)                  // want `only describes a semaphore and locks nothing: call Acquire or Do on its Permits\(n\)`
	locks.Election("x")                      // want `^locks.Election\("x"\) only describes an election and leads nothing: call Lead on it$`
	user(locks)                              // want `user\(locks\) only describes a claim`
	service{Manager: locks}.Lock("embedded") // want `only describes a claim`
}

type service struct{ *manager.Manager }

func user(locks *manager.Manager) manager.Claim { return locks.Lock("user") }

func locks(mu *primitives.Mutex, rw *primitives.RWMutex) {
	primitives.NewSemaphore(3) // want `^primitives.NewSemaphore\(3\) is dropped and guards nothing: keep it where all who use it find it$`
	primitives.NewWeighted(3)  // want `is dropped and guards nothing`
	primitives.NewCond(mu)     // want `is dropped and guards nothing`
	primitives.NewLatch(1)     // want `is dropped and guards nothing`
	primitives.NewBarrier(1)   // want `is dropped and guards nothing`
	mu.Locker()                // want `^mu.Locker\(\) only returns a sync.Locker and locks nothing: call Lock\(ctx\) on the mutex$`
	rw.Locker()                // want `only returns a sync.Locker`
	defer rw.RLocker()         // want `only returns a sync.Locker`
}

var _ = primitives.NewSemaphore(3) // want `is dropped and guards nothing`

// Nothing of the following is reported.

func kept(ctx context.Context, locks *manager.Manager, mu *primitives.Mutex) (manager.Claim, error) {
	c := locks.Lock("x")
	_ = c
	all := []manager.Claim{locks.Lock("y"), locks.RWLock("z").Read()}
	use(locks.Lock("x"))
	if err := locks.All(all...).Do(ctx, func(context.Context) error { return nil }); err != nil {
		return c, err
	}
	sem := primitives.NewSemaphore(1)
	cond := sync.NewCond(mu.Locker())
	cond.Broadcast()
	mu.Locker().Lock()
	defer mu.Locker().Unlock()
	return locks.Lock("w").Reentrant(), sem.Acquire(ctx, 1)
}

func use(manager.Claim) {}

func panics(f func()) {}

func expectPanics() {
	panics(func() { primitives.NewSemaphore(-1) })
	_ = manager.Claim(manager.Claim{})
}

// mutex has the names of the library, and is another type.
type mutex struct{}

func (mutex) Lock(string) mutex { return mutex{} }
func (mutex) Locker() mutex     { return mutex{} }
func NewSemaphore(int) mutex    { return mutex{} }
func others(m mutex)            { m.Lock("x"); m.Locker(); NewSemaphore(1); m.Lock("y") }
