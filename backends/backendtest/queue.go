package backendtest

import "github.com/lockkeeper/lockkeeper/backends"

var queue = []Clause{
	{
		Name:  "Queue/FIFO",
		Text:  "requests are granted in the order in which they were queued, whichever clients they are of",
		check: fifo,
	},
	{
		Name:  "Queue/TryNeverOvertakes",
		Text:  "nobody overtakes a waiter, TryAcquire included, even if there is room",
		check: tryNeverOvertakes,
	},
	{
		Name:  "Queue/HeavyHeadIsNotStarved",
		Text:  "a heavy request at the head holds back the light ones behind it",
		check: heavyHead,
	},
	{
		Name:  "Queue/ReadersEnterTogether",
		Text:  "consecutive readers at the head of the queue are granted together",
		check: readersTogether,
	},
	{
		Name:  "Queue/WriterIsNotStarved",
		Text:  "a writer that waits is not overtaken by readers, although they could join those who hold",
		check: writerNotStarved,
	},
	{
		Name:  "Queue/MovesUpAsFarAsItFits",
		Text:  "when permits come back every request at the head that fits is granted, in order",
		check: movesUp,
	},
	{
		Name:  "Queue/GrantSaysWhetherItWaited",
		Text:  "Waited of a grant tells whether its request was queued first",
		check: saysWhetherItWaited,
	},
}

func saysWhetherItWaited(s *session) {
	a, b := s.b, s.open()
	want := func(what string, g backends.Grant, waited bool) {
		s.Helper()
		if g.Waited != waited {
			s.Errorf("%s: Waited is %v", what, g.Waited)
		}
	}
	g := s.acquire(a, s.mutex())
	want("a free name", g, false)
	w := s.queue(b, s.mutex())
	s.release(a, g)
	g = w.granted()
	want("a name that another client held", g, true)
	w = s.queue(b, s.mutex())
	s.release(b, g)
	g = w.granted()
	want("a name that the same client held", g, true)
	s.release(b, g)
	g = s.try(a, s.mutex())
	want("a try", g, false)
	s.release(a, g)

	r1, r2 := s.acquire(a, s.reader()), s.acquire(b, s.reader())
	want("a reader beside another", r2, false)
	writer := s.queue(a, s.writer())
	reader := s.queue(b, s.reader())
	s.release(a, r1)
	s.release(b, r2)
	g = writer.granted()
	want("a writer behind readers", g, true)
	s.release(a, g)
	g = reader.granted()
	want("a reader behind a writer", g, true)
	s.release(b, g)
}

func fifo(s *session) {
	clients := []backends.Backend{s.b, s.open(), s.open()}
	g := s.acquire(s.b, s.mutex())
	var line []*waiting
	order := []int{1, 0, 2, 2, 1, 0, 0, 2, 1}
	for _, c := range order {
		line = append(line, s.queue(clients[c], s.mutex()))
	}
	holder, last := s.b, g.Token
	for i, w := range line {
		s.release(holder, g)
		g = w.granted()
		holder = clients[order[i]]
		if g.Token <= last {
			s.Fatalf("the waiter at %d got token %d after %d", i, g.Token, last)
		}
		last = g.Token
		s.waits(len(line) - i - 1)
	}
	s.release(holder, g)
}

func tryNeverOvertakes(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.permits(2, 3))
	w := s.queue(b, s.permits(2, 3))
	s.busy(a, s.permits(1, 3))
	s.busy(b, s.permits(1, 3))
	s.release(a, g)
	h := w.granted()
	s.release(a, s.try(a, s.permits(1, 3)))
	s.release(b, h)
}

func heavyHead(s *session) {
	a, b := s.b, s.open()
	g1, g2 := s.acquire(a, s.permits(2, 4)), s.acquire(a, s.permits(1, 4))
	heavy := s.queue(b, s.permits(4, 4))
	light := s.queue(a, s.permits(1, 4))
	s.waits(2)
	s.release(a, g1) // room for the light one, not for the heavy one
	s.waits(2)
	s.release(a, g2)
	h := heavy.granted()
	s.waits(1)
	s.release(b, h)
	s.release(a, light.granted())
}

func readersTogether(s *session) {
	a, b := s.b, s.open()
	w := s.acquire(a, s.writer())
	r1, r2, r3 := s.queue(b, s.reader()), s.queue(a, s.reader()), s.queue(b, s.reader())
	w2 := s.queue(a, s.writer())
	r4 := s.queue(b, s.reader())
	s.release(a, w)
	g1, g2, g3 := r1.granted(), r2.granted(), r3.granted() // all three hold now: none has been released
	s.waits(2)
	s.release(b, g1)
	s.release(a, g2)
	s.waits(2)
	s.release(b, g3)
	h := w2.granted()
	s.waits(1)
	s.release(a, h)
	s.release(b, r4.granted())
}

func writerNotStarved(s *session) {
	a, b := s.b, s.open()
	r1 := s.acquire(a, s.reader())
	w := s.queue(b, s.writer())
	late := s.queue(a, s.reader())
	s.busy(a, s.reader())
	s.waits(2)
	s.release(a, r1)
	g := w.granted()
	s.waits(1)
	s.release(b, g)
	s.release(a, late.granted())
}

func movesUp(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.permits(6, 6))
	line := []*waiting{
		s.queue(b, s.permits(1, 6)), s.queue(a, s.permits(2, 6)), s.queue(b, s.permits(3, 6)), s.queue(a, s.permits(1, 6)),
	}
	s.release(a, g)
	g1, g2, g3 := line[0].granted(), line[1].granted(), line[2].granted()
	s.waits(1)
	if !(g1.Token < g2.Token && g2.Token < g3.Token) {
		s.Errorf("tokens %d, %d, %d; want them in the order of the queue", g1.Token, g2.Token, g3.Token)
	}
	s.release(a, g2)
	g4 := line[3].granted()
	s.release(b, g1)
	s.release(b, g3)
	s.release(a, g4)
}
