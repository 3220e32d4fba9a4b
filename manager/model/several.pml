/* How a manager acquires several names at once (Manager.All), beside single claims: two processes
 * with LOCALS requesters each, K names of CAP permits. Why it cannot deadlock is argued in
 * docs/internals/several-names.md.
 *
 * A step is the turn of one actor, or one operation at the store. Between two steps anything else
 * can happen. Inlines have the names of the functions that they stand for:
 *
 *     place, cancelParts (and partHeld, in seat)                    several.go
 *     pin, partAnswered, cancelPart                                 part.go
 *     left (cancelWait), reconsider, refuse                         keeper.go
 *     acquire, serve (with request), replied (with give and
 *     disappoint), seat                                             serve.go
 *     releaseUnused                                                 least.go
 *     endHold (end), releaseWhole (releaseGrant)                    release.go
 *     lose, endStray                                                loss.go
 *     handOn                                                        handoff.go
 *     start, group, failParts                                       the store: backends.Op
 *
 * The manager's actor sends parts to the mailboxes of their keepers. To send all of a request is one
 * step, since nothing else uses those mailboxes here. What callers send is not delayed: the call
 * comes later instead. Answers and news of the store wait until the keeper takes them, in any order.
 * Where another process is known to wait, it is drawn whether a grant is handed on, so any budget is
 * covered. An idle grant stays until something makes it go: there is no time.
 *
 * WANT0 … WANT5 say what each requester wants: a digit for each name, the last one for name 0. Without
 * them it is drawn. CANCELLERS and TRIERS are masks of the requesters that may give up, or only try.
 * IDLE: grants are kept idle. SLOTS: each name has a slot of a cluster to itself. LOSS: the store
 * forgets a grant of a part, and the last requester of its process stands for the one that begins
 * anew. REQUEUE: a part loses its place. CRASH: process 1 may die. AWAITED: requester 2 holds until
 * requester 1 has had its own, so nobody may wait because of a request that is cancelled.
 *
 * Checked: holders exclude each other; in a process, each name is granted in the order of arrival;
 * when nothing can happen any more, everybody has ended, those who may not give up with a grant, and
 * nothing is left. The mutants are in run.sh.
 */
#define PROCS 2
#ifndef LOCALS
#define LOCALS 2
#endif
#ifndef K
#define K 2
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef CANCELLERS
#define CANCELLERS 0
#endif
#ifndef TRIERS
#define TRIERS 0
#endif
#ifdef SLOTS
#define GROUP(n) (n)
#else
#define GROUP(n) 0
#endif
#ifdef WANT0
#ifndef WANT4
#define WANT4 0
#define WANT5 0
#endif
#define WANT(i) (i < 3 -> (i == 0 -> WANT0 : (i == 1 -> WANT1 : WANT2)) : \
	(i == 3 -> WANT3 : (i == 4 -> WANT4 : WANT5)))
#endif

#define R (PROCS * LOCALS)
#define P(i) ((i) / LOCALS)
#define AT(i, n) ((i) * K + (n))                /* a part */
#define KEEPER(i, n) (P(i) * K + (n))
#define B(n) (1 << (n))
#define HAS(mask, n) (((mask) >> (n)) & 1)
#define NONE 255
#define NEVER 100   /* parts are missing for ever */

#define ACQUIRE 1       /* messages from the manager's actor */
#define LEAVE 2

#define NEW 0           /* the state of a request; it leaves PENDING once */
#define PENDING 1
#define ACCEPTED 2
#define REFUSED 3
#define CANCELLED 4

#define NOWHERE 0       /* where a part is, at its keeper */
#define QUEUED 1
#define HOLDING 2
#define STRAYING 3

#define UNKNOWN 0       /* what the store knows of a part */
#define WAITING 1
#define GRANTED 2
#define FAILED 3

#define GRANT 1         /* answers of the store */
#define CONTENDED 2     /* a grant that others wait for */
#define FAILURE 3

/* the requests */
byte want[R * K];       /* permits */
byte state[R];
byte place_[R * K];
byte missing[R];        /* parts that are not pinned */
bool beginning[R];      /* the last part is pinned */
bool begun[R], cancelled[R];
bool try[R];

/* the keepers */
chan box[PROCS * K] = [2 * LOCALS] of { byte, byte };
byte queue[PROCS * K * LOCALS], waiting[PROCS * K];
bool live[PROCS * K], idle[PROCS * K], contended[PROCS * K];    /* own */
bool back[PROCS * K];   /* ownBack */
byte asking[PROCS * K], pinned[PROCS * K];
bool dropped[PROCS * K];
bool stray[PROCS * K];

/* what is on its way */
bool started[R];        /* an operation to the store */
byte release[R];        /* what it releases */
bool cancels[R];        /* a cancel of it */
bool releases[PROCS * K];       /* of the whole, by itself */
byte sharedReleases[PROCS * K]; /* of one permit each */
byte answer[PROCS * K]; /* to what is asked or pinned */
bool returned[PROCS * K];
bool news[PROCS * K];   /* others wait, or have tried */
bool lossTold[PROCS * K];

/* the store */
byte squeue[K * R], swaiting[K], used[K];
byte part[R * K];
bool known[R];          /* the operation has come */
bool forbidden[R];      /* its cancel came first */
byte heldBy[PROCS * K];
bool lostGrant[PROCS * K];      /* the keeper's whole grant is not known any more */
byte losses;
bool crashed;

byte done;
hidden byte x, y, z, g, h, w, q, ok;

#define W(i, n) want[AT(i, n)]
#define Q(k, j) queue[(k) * LOCALS + (j)]
#define SQ(n, j) squeue[(n) * R + (j)]
#define NAMES(i) ((W(i, 0) > 0) + (W(i, 1) > 0) + (K > 2 && W(i, K - 1) > 0))
#define SINGLE(i) (NAMES(i) == 1)
#define HEAD(k) Q(k, 0)
#define NEXT(k) (waiting[k] > 0 && SINGLE(HEAD(k)))     /* the head is a single claim */
#define UP(p) (!crashed || (p) != 1)

/* If no request can be cancelled, the start needs no step of its own. */
#if defined(M_TWICE) || CANCELLERS || TRIERS || defined(LOSS) || defined(REQUEUE)
#define BEGIN(i)
#else
#define BEGIN(i) beginning[i] = false; begun[i] = true; started[i] = true;
#endif

/* ---- the store ---- */

inline scut(i, n) {
	x = 0;
	do
	:: x < swaiting[n] && SQ(n, x) != i -> x++
	:: else -> break
	od;
	if
	:: x < swaiting[n] ->
		do
		:: x + 1 < swaiting[n] -> SQ(n, x) = SQ(n, x + 1); x++
		:: else -> break
		od;
		SQ(n, x) = 0;
		swaiting[n]--
	:: else
	fi
}

/* grantPart: says as well whether another process waits */
inline grantPart(i, n) {
	part[AT(i, n)] = GRANTED;
	used[n] = used[n] + W(i, n);
	heldBy[KEEPER(i, n)] = heldBy[KEEPER(i, n)] + W(i, n);
	x = 0;
	do
	:: x < swaiting[n] && P(SQ(n, x)) == P(i) -> x++
	:: else -> break
	od;
	assert(answer[KEEPER(i, n)] == 0 || !UP(P(i)));
	answer[KEEPER(i, n)] = (x < swaiting[n] -> CONTENDED : GRANT)
}

inline moveUp(n) {
	do
	:: swaiting[n] > 0 && used[n] + W(SQ(n, 0), n) <= CAP -> g = SQ(n, 0); scut(g, n); grantPart(g, n)
	:: else -> break
	od;
	q = 0
}

inline tellOthers(i, n) {
	x = 0;
	do
	:: x < PROCS -> if :: x != P(i) && heldBy[x * K + n] == CAP -> news[x * K + n] = true :: else fi; x++
	:: else -> break
	od;
	q = 0
}

inline enqueue(i, n) {
	assert(part[AT(i, n)] == UNKNOWN);
	if
	:: swaiting[n] == 0 && used[n] + W(i, n) <= CAP -> grantPart(i, n)
	:: else -> SQ(n, swaiting[n]) = i; swaiting[n]++; part[AT(i, n)] = WAITING; tellOthers(i, n)
	fi
}

/* group: the next group of names gets its places */
inline group(i) {
	h = NONE; y = 0;
	do
	:: y < K ->
#ifdef M_DESCENDING
		if :: W(i, y) > 0 && part[AT(i, y)] == UNKNOWN && (h == NONE || P(i) == 1) -> h = GROUP(y) :: else fi;
#else
		if :: W(i, y) > 0 && part[AT(i, y)] == UNKNOWN && h == NONE -> h = GROUP(y) :: else fi;
#endif
		y++
	:: else -> break
	od;
	y = 0;
	do
	:: y < K -> if :: W(i, y) > 0 && GROUP(y) == h && part[AT(i, y)] == UNKNOWN -> enqueue(i, y) :: else fi; y++
	:: else -> break
	od;
	q = 0
}

/* failParts: those that are not granted */
inline failParts(i) {
	y = 0;
	do
	:: y < K ->
		if
		:: W(i, y) > 0 && (part[AT(i, y)] == UNKNOWN || part[AT(i, y)] == WAITING) ->
			scut(i, y);
			part[AT(i, y)] = FAILED;
			answer[KEEPER(i, y)] = FAILURE;
			moveUp(y)
		:: else
		fi;
		y++
	:: else -> break
	od;
	q = 0
}

inline releaseAtStore(p, n) {
	if
	:: lostGrant[p * K + n] -> lostGrant[p * K + n] = false; lossTold[p * K + n] = false
	:: else -> used[n] = used[n] - CAP; heldBy[p * K + n] = heldBy[p * K + n] - CAP; news[p * K + n] = false
	fi;
	returned[p * K + n] = true;
	moveUp(n)
}

inline start(i) {
	assert(!known[i]);      /* an operation is started once */
	started[i] = false;
	z = 0;
	do
	:: z < K -> if :: HAS(release[i], z) -> releaseAtStore(P(i), z) :: else fi; z++
	:: else -> break
	od;
	release[i] = 0;
	known[i] = true;
	if
	:: forbidden[i] -> failParts(i)
	:: else ->
		if
		:: try[i] ->
			ok = 1; y = 0;
			do
			:: y < K ->
				if :: W(i, y) > 0 && (swaiting[y] > 0 || used[y] + W(i, y) > CAP) -> ok = 0; tellOthers(i, y) :: else fi;
				y++
			:: else -> break
			od;
			if
			:: ok -> group(i)
#ifdef SLOTS            /* a try takes all slots, or releases them */
				; group(i)
#endif
			:: else ->
#ifdef M_TRYPLACE       /* a try that is in vain leaves a place */
				y = 0;
				do
				:: y < K ->
					if
					:: W(i, y) > 0 && used[y] + W(i, y) > CAP -> SQ(y, swaiting[y]) = i; swaiting[y]++
					:: else
					fi;
					y++
				:: else -> break
				od;
				y = 0;
				do
				:: y < K -> if :: W(i, y) > 0 -> part[AT(i, y)] = FAILED; answer[KEEPER(i, y)] = FAILURE :: else fi; y++
				:: else -> break
				od
#else
				failParts(i)
#endif
			fi
		:: else -> group(i)
		fi
	fi
}

/* ---- a keeper ---- */

inline cut(i, n) {
	x = 0;
	do
	:: Q(KEEPER(i, n), x) != i -> x++
	:: else -> break
	od;
	do
	:: x + 1 < waiting[KEEPER(i, n)] -> Q(KEEPER(i, n), x) = Q(KEEPER(i, n), x + 1); x++
	:: else -> break
	od;
	Q(KEEPER(i, n), x) = 0;
	waiting[KEEPER(i, n)]--;
	place_[AT(i, n)] = NOWHERE
}

inline refuse(i) {
	if :: state[i] == PENDING -> state[i] = REFUSED :: else fi
}

/* seat the request: ok says whether it is still there */
inline seat(i, n) {
	assert(HEAD(KEEPER(i, n)) == i);        /* in the order of arrival */
	cut(i, n);
	ok = !SINGLE(i) || state[i] == PENDING;
	if
	:: ok ->
		place_[AT(i, n)] = HOLDING;
		x = 0; w = 0;
		do
		:: x < R ->
			if :: place_[AT(x, n)] == HOLDING && !lostGrant[KEEPER(x, n)] && UP(P(x)) -> w = w + W(x, n) :: else fi;
			x++
		:: else -> break
		od;
		assert(w <= CAP);
		x = 0; w = 0;
		do
		:: x < K -> w = w + (place_[AT(i, x)] == HOLDING); x++
		:: else -> break
		od;
		if :: w == NAMES(i) && state[i] == PENDING -> state[i] = ACCEPTED :: else fi
	:: else
	fi
}

/* releaseWhole sends the whole grant back. A single claim that is next is asked for in the same operation. */
inline releaseWhole(k, n) {
	assert(live[k]);
	live[k] = false; idle[k] = false; back[k] = true;
	if
	:: NEXT(k) && !try[HEAD(k)] && asking[k] == NONE && pinned[k] == NONE && !stray[k] ->
		asking[k] = HEAD(k);
		release[HEAD(k)] = B(n);
		started[HEAD(k)] = true
	:: else -> releases[k] = true
	fi
}

/* handOn the whole grant, that nobody holds now: ok says whether it was */
inline handOn(k, n) {
	ok = 0;
	do
	:: !ok && NEXT(k) && W(HEAD(k), n) == CAP -> g = HEAD(k); seat(g, n)
	:: else -> break
	od;
#ifdef M_RIDE   /* a part takes the grant, and the operation is for the others */
	if
	:: !ok && waiting[k] > 0 && W(HEAD(k), n) == CAP && pinned[k] == NONE ->
		g = HEAD(k); seat(g, n); part[AT(g, n)] = GRANTED; missing[g]--;
		if :: missing[g] == 0 -> beginning[g] = true; BEGIN(g) :: else fi;
		ok = 1
	:: else
	fi;
#endif
#ifdef M_PAST   /* past a part that waits */
	if
	:: !ok && waiting[k] > 1 && SINGLE(Q(k, 1)) && state[Q(k, 1)] == PENDING && W(Q(k, 1), n) == CAP ->
		g = Q(k, 1); seat(g, n)
	:: else
	fi;
#endif
	if :: ok -> idle[k] = false :: else fi
}

inline pin(k, n) {
	g = HEAD(k);
	pinned[k] = g;
	missing[g]--;
#ifdef M_IDLEKEPT       /* what is kept idle is left to the operation, whenever that starts */
	if :: live[k] -> release[g] = release[g] | B(n); live[k] = false; idle[k] = false; back[k] = true :: else fi;
#endif
	if :: missing[g] == 0 -> beginning[g] = true; BEGIN(g) :: else fi
}

#if defined(M_IDLEKEPT) || defined(M_IDLEHELD)
#define IDLEGOES(k) NEXT(k)
#define PINS(k) (!live[k] || idle[k])   /* M_IDLEHELD: it stays */
#else
#define IDLEGOES(k) (waiting[k] > 0)
#define PINS(k) (!live[k])
#endif

/* serve is the end of each turn */
inline serve(k, n) {
	if
	:: idle[k] && IDLEGOES(k) -> handOn(k, n); if :: !ok -> releaseWhole(k, n) :: else fi
	:: else
	fi;
	if
	:: waiting[k] > 0 && asking[k] == NONE && pinned[k] == NONE && !back[k] && !stray[k] ->
		if
		:: SINGLE(HEAD(k)) && !live[k] -> asking[k] = HEAD(k); started[HEAD(k)] = true
		:: !SINGLE(HEAD(k)) && PINS(k) -> pin(k, n)
		:: else
		fi
	:: else
	fi;
	do
	:: live[k] && waiting[k] > 0 && try[HEAD(k)] -> g = HEAD(k); cut(g, n); refuse(g)
	:: else -> break
	od;
	q = 0
}

inline acquire(i, n, k) {
	if
	:: try[i] && (live[k] && !idle[k] || stray[k] || waiting[k] > 0 && !try[Q(k, waiting[k] - 1)]) -> refuse(i)
	:: else -> Q(k, waiting[k]) = i; waiting[k]++; place_[AT(i, n)] = QUEUED; serve(k, n)
	fi
}

/* suits: what is asked for suits the head. A shared grant is only for the one who asked. */
#define SUITS(k, n) (NEXT(k) && W(HEAD(k), n) == W(asking[k], n) && \
	(W(HEAD(k), n) == CAP || HEAD(k) == asking[k]))

inline reconsider(k, n) {
	if
	:: asking[k] != NONE && !dropped[k] && (!SUITS(k, n) || try[HEAD(k)] != try[asking[k]]) ->
		dropped[k] = true;
		cancels[asking[k]] = true
	:: else
	fi
}

/* end of a hold; may: a hand-off is fair */
inline endHold(i, n, k, may) {
	place_[AT(i, n)] = NOWHERE;
	if
	:: W(i, n) < CAP -> sharedReleases[k]++
	:: else ->
		ok = 0;
		if :: may -> handOn(k, n) :: else fi;
		if
		:: ok
#ifdef IDLE
		:: !ok && waiting[k] == 0 && !contended[k] -> idle[k] = true
		:: !ok && !(waiting[k] == 0 && !contended[k]) -> releaseWhole(k, n)
#else
		:: else -> releaseWhole(k, n)
#endif
		fi
	fi
}

inline endStray(i, n, k) {
	place_[AT(i, n)] = NOWHERE; stray[k] = false; releaseWhole(k, n)
}

/* left: the caller of a single claim has gone */
inline left(i, n, k) {
	if :: place_[AT(i, n)] == QUEUED -> cut(i, n); reconsider(k, n) :: else fi;
	serve(k, n)
}

inline cancelPart(i, n, k, may) {
#ifndef M_PINNED        /* the name stays pinned */
	if :: pinned[k] == i && missing[i] != 0 -> pinned[k] = NONE :: else fi;
#endif
	if
	:: place_[AT(i, n)] == QUEUED -> cut(i, n); reconsider(k, n)
#ifndef M_HOLDS         /* parts that are held are forgotten */
	:: place_[AT(i, n)] == HOLDING -> endHold(i, n, k, may)
#endif
	:: place_[AT(i, n)] == STRAYING -> endStray(i, n, k)
	:: else
	fi;
#ifndef M_NOSERVE       /* the next is not served */
	serve(k, n)
#endif
}

inline newGrant(i, n, k, a) {
	if :: W(i, n) == CAP -> assert(!live[k]); live[k] = true; contended[k] = (a == CONTENDED) :: else fi
}

inline releaseUnused(i, n, k) {
	if :: W(i, n) == CAP -> releaseWhole(k, n) :: else -> sharedReleases[k]++ fi
}

/* replied to a single claim */
inline replied(k, n, a) {
	h = asking[k];
	ok = 0;
	if
	:: a == FAILURE ->
		if :: !dropped[k] && NEXT(k) && try[HEAD(k)] -> g = HEAD(k); cut(g, n); refuse(g) :: else fi;
		asking[k] = NONE
	:: else ->
		newGrant(h, n, k, a);
		do
		:: !ok && SUITS(k, n) -> g = HEAD(k); seat(g, n)
		:: else -> break
		od;
		asking[k] = NONE;
		if :: !ok -> releaseUnused(h, n, k) :: else fi
	fi;
	dropped[k] = false
}

inline partAnswered(k, n, a) {
	h = pinned[k];
	pinned[k] = NONE;
	if
	:: a == FAILURE ->
		if :: place_[AT(h, n)] == QUEUED -> cut(h, n);
#ifndef M_PARTIAL       /* the failure of a part does not fail the whole */
			refuse(h)
#endif
		:: else
		fi
	:: else ->
		newGrant(h, n, k, a);
		if
		:: place_[AT(h, n)] == QUEUED -> seat(h, n)
#ifndef M_LATE          /* the grant of a cancelled part is kept */
		:: else -> releaseUnused(h, n, k)
#else
		:: else
#endif
		fi
	fi
}

inline lose(i, n, k) {
	place_[AT(i, n)] = STRAYING; stray[k] = true;
#ifndef M_LOSS          /* the loss of a part does not fail the whole */
	refuse(i)
#endif
}

#ifdef M_AGAIN
inline again(i, n, k) {
	live[k] = false; lostGrant[k] = false;
	x = waiting[k]; waiting[k]++;
	do
	:: x > 0 -> Q(k, x) = Q(k, x - 1); x--
	:: else -> break
	od;
	HEAD(k) = i; place_[AT(i, n)] = QUEUED;
	pinned[k] = i;
	part[AT(i, n)] = UNKNOWN;
	enqueue(i, n)
}
#endif

proctype keeper(byte p, n) {
	byte k = p * K + n, i, m;
	bool may;
end:
	do
	:: atomic { UP(p) && !(lossTold[k] && live[k]) && len(box[k]) > 0 ->
		box[k]?m,i;
		may = true;
		if :: contended[k] && m == LEAVE && place_[AT(i, n)] == HOLDING -> if :: may = false :: true fi :: else fi;
		d_step {
			if
			:: m == ACQUIRE -> acquire(i, n, k)
			:: else -> cancelPart(i, n, k, may)
			fi;
			i = 0; m = 0; may = false
		} }
	:: d_step { UP(p) && answer[k] != 0 ->
		m = answer[k]; answer[k] = 0;
		assert(asking[k] != NONE || pinned[k] != NONE);
		if
		:: asking[k] != NONE -> replied(k, n, m)
		:: else -> partAnswered(k, n, m)
		fi;
		serve(k, n); m = 0 }
	:: d_step { UP(p) && returned[k] -> returned[k] = false; back[k] = false; serve(k, n) }
	:: d_step { UP(p) && news[k] && live[k] ->
		news[k] = false; contended[k] = true;
#ifndef M_DEAF          /* an idle grant stays although others wait */
		if :: idle[k] -> releaseWhole(k, n); serve(k, n) :: else fi
#endif
	}
#ifdef LOSS
	:: d_step { UP(p) && lossTold[k] && live[k] ->
		lossTold[k] = false; x = 0;
		do
		:: place_[AT(p * LOCALS + x, n)] != HOLDING -> x++
		:: else -> break
		od;
		h = p * LOCALS + x;
#ifdef M_AGAIN          /* a part that is lost is requested again, by itself */
		if
		:: state[h] == PENDING -> again(h, n, k)
		:: else -> lose(h, n, k)
		fi
#else
		lose(h, n, k)
#endif
	}
#endif
	/* what is on its way to the store */
	:: d_step { releases[k] -> releases[k] = false; releaseAtStore(p, n) }
	:: d_step { sharedReleases[k] > 0 -> sharedReleases[k]--; used[n]--; heldBy[k]--; moveUp(n) }
#ifdef CRASH
	:: d_step { !UP(p) && (releases[k] || sharedReleases[k] > 0) -> releases[k] = false; sharedReleases[k] = 0 }
#endif
	od
}

/* the operation of a request */
proctype operation(byte i) {
	byte n;
end:
	do
	:: d_step { UP(P(i)) && beginning[i] ->
#ifdef M_TWICE          /* two keepers find that they have pinned the last part */
		beginning[i] = !begun[i];
#else
		beginning[i] = false;
#endif
		started[i] = true; begun[i] = true;
#ifndef M_UNSEEN        /* a cancel between the decision and the start is not seen */
		if :: cancelled[i] -> cancels[i] = true :: else fi
#endif
	}
#ifdef M_STEPS  /* the store gives the places one by one */
	:: atomic { started[i] && !try[i] && !SINGLE(i) && !forbidden[i] ->
		started[i] = false; known[i] = true;
		d_step { enqueue(i, 0) } };
		d_step { if :: part[AT(i, 1)] == UNKNOWN -> enqueue(i, 1) :: else fi }
	:: d_step { started[i] && (try[i] || SINGLE(i) || forbidden[i]) -> start(i) }
#else
	:: d_step { started[i] -> start(i) }
#endif
	:: d_step { cancels[i] -> cancels[i] = false;
		if
		:: known[i] -> failParts(i)
#ifdef M_FORBID         /* a cancel that comes first has no effect */
		:: else
#else
		:: else -> forbidden[i] = true
#endif
		fi }
#ifdef SLOTS
#define LACKS(i, n) (W(i, n) > 0 && part[AT(i, n)] == UNKNOWN)
#define WAITS(i, n) (part[AT(i, n)] == WAITING)
	:: d_step { UP(P(i)) && known[i] && NAMES(i) > 1 && !try[i] &&
		(LACKS(i, 0) || LACKS(i, 1) || LACKS(i, K - 1)) &&
		!WAITS(i, 0) && !WAITS(i, 1) && !WAITS(i, K - 1) -> group(i) }
#endif
#ifdef REQUEUE
	:: atomic { losses > 0 && !SINGLE(i) && (part[AT(i, 0)] == WAITING || part[AT(i, 1)] == WAITING) ->
		if
		:: part[AT(i, 0)] == WAITING -> n = 0
		:: part[AT(i, 1)] == WAITING -> n = 1
		fi;
		d_step { losses--;
#ifdef M_REQUEUE        /* it waits on at the end */
			scut(i, n); SQ(n, swaiting[n]) = i; swaiting[n]++; moveUp(n);
#else
			failParts(i);
#endif
			n = 0 } }
#endif
#ifdef LOSS
#define LOSES(i, n) (part[AT(i, n)] == GRANTED && W(i, n) == CAP)
	:: atomic { losses > 0 && !SINGLE(i) && state[i] == PENDING && (LOSES(i, 0) || LOSES(i, 1)) ->
		if
		:: LOSES(i, 0) -> n = 0
		:: LOSES(i, 1) -> n = 1
		fi;
		d_step {
			losses--;
			used[n] = used[n] - CAP; heldBy[KEEPER(i, n)] = 0; news[KEEPER(i, n)] = false;
			lostGrant[KEEPER(i, n)] = true;
			lossTold[KEEPER(i, n)] = true;
			moveUp(n);
			n = 0 } }
#endif
#ifdef CRASH
	:: d_step { !UP(P(i)) && started[i] -> started[i] = false; release[i] = 0 }
	:: d_step { !UP(P(i)) && cancels[i] -> cancels[i] = false }
#endif
	od
}

inline place(i) {
	missing[i] = NAMES(i);
	y = 0;
	do
	:: y < K -> if :: W(i, y) > 0 -> box[KEEPER(i, y)]!ACQUIRE,i :: else fi; y++
	:: else -> break
	od;
	q = 0
}

inline cancelParts(i) {
	if
	:: missing[i] == 0 -> cancelled[i] = true; if :: begun[i] -> cancels[i] = true :: else fi
#ifndef M_STARTS        /* the last pin still starts the operation */
	:: else -> missing[i] = NEVER
#else
	:: else
#endif
	fi;
	y = 0;
	do
	:: y < K -> if :: W(i, y) > 0 -> box[KEEPER(i, y)]!LEAVE,i :: else fi; y++
	:: else -> break
	od;
	q = 0
}

/* finish: who does not give up has held */
inline finish(i) {
#if !defined(LOSS) && !defined(REQUEUE)
	assert(HAS(CANCELLERS, i) || try[i] || state[i] == ACCEPTED);
#endif
	done++
}

#ifdef AWAITED
#define MAYRELEASE(i) (i != 2 || state[1] == ACCEPTED)
#else
#define MAYRELEASE(i) true
#endif
#define HOLDS(i, n) (place_[AT(i, n)] >= HOLDING)
#define TELLS(i, n) (MAYRELEASE(i) && HOLDS(i, n) && !(lossTold[KEEPER(i, n)] && live[KEEPER(i, n)]))

proctype requester(byte i) {
	byte n, c;
	bool may;

	atomic {
#ifdef CRASH
		if :: !UP(P(i)) -> done++; goto end :: else fi;
#endif
#ifdef WANT
		c = WANT(i);
		do
		:: n < K -> W(i, n) = c % 10; c = c / 10; n++
		:: else -> n = 0; c = 0; break
		od;
#else
		(i == P(i) * LOCALS || state[i - 1] != NEW);    /* they are alike: in this order, without loss of generality */
		do
		:: n < K -> c = 0;
			do
			:: c < CAP -> c++
			:: break
			od;
			W(i, n) = c; n++
		:: else -> n = 0; c = 0; break
		od;
#endif
#ifdef LOSS     /* the last of a process tries again for the one before, or does nothing */
		(i % LOCALS != LOCALS - 1 || state[i - 1] == REFUSED || state[i - 1] == ACCEPTED);
		if :: i % LOCALS == LOCALS - 1 && state[i - 1] == ACCEPTED -> W(i, 0) = 0; W(i, 1) = 0; W(i, K - 1) = 0 :: else fi;
#endif
		if :: NAMES(i) == 0 -> state[i] = ACCEPTED; done++; goto end :: else fi;
		if :: HAS(TRIERS, i) -> if :: try[i] = true :: true fi :: else fi;
#ifdef M_ONEBYONE       /* one part after the other, in any order */
		if
		:: SINGLE(i) -> n = (W(i, 0) > 0 -> 0 : (W(i, 1) > 0 -> 1 : 2));
			d_step { state[i] = PENDING; acquire(i, n, KEEPER(i, n)); n = 0 }; goto wait
		:: else -> state[i] = PENDING; missing[i] = NAMES(i); if :: n = 0 :: n = 1 fi; box[KEEPER(i, n)]!ACQUIRE,i
		fi
	};
	atomic { box[KEEPER(i, 1 - n)]!ACQUIRE,i; n = 0 };
#else
		d_step {
			state[i] = PENDING;
			if
			:: SINGLE(i) -> n = (W(i, 0) > 0 -> 0 : (W(i, 1) > 0 -> 1 : 2)); acquire(i, n, KEEPER(i, n))
			:: else -> place(i)
#ifdef M_EAGER          /* the operation does not wait for the local queues */
				; missing[i] = 0; beginning[i] = true; BEGIN(i)
				y = 0;
				do
				:: y < K ->
					g = KEEPER(i, y);
					if :: pinned[g] == NONE && asking[g] == NONE -> pinned[g] = i :: else fi;
					y++
				:: else -> break
				od
#endif
			fi;
			n = 0
		}
	};
#endif

wait:
	do
	:: atomic { UP(P(i)) && state[i] == ACCEPTED && (TELLS(i, 0) || TELLS(i, 1) || TELLS(i, K - 1)) ->
		if
		:: TELLS(i, 0) -> n = 0
		:: TELLS(i, 1) -> n = 1
#if K > 2
		:: TELLS(i, 2) -> n = 2
#endif
		fi;
		may = true;
		if :: contended[KEEPER(i, n)] -> if :: may = false :: true fi :: else fi;
		d_step {
			if
			:: place_[AT(i, n)] == HOLDING -> endHold(i, n, KEEPER(i, n), may)
			:: else -> endStray(i, n, KEEPER(i, n))
			fi;
			serve(KEEPER(i, n), n);
			n = 0; may = false
		};
		if
		:: !HOLDS(i, 0) && !HOLDS(i, 1) && !HOLDS(i, K - 1) -> finish(i); goto end
		:: else
		fi }
	:: atomic { UP(P(i)) && state[i] == REFUSED ->
		if :: SINGLE(i) :: else -> cancelParts(i) fi;
		finish(i); goto end }
#ifdef CRASH
	:: atomic { !UP(P(i)) -> done++; goto end }
#endif
#if CANCELLERS
	:: d_step { UP(P(i)) && HAS(CANCELLERS, i) && state[i] == PENDING -> state[i] = CANCELLED }
	:: atomic { UP(P(i)) && state[i] == CANCELLED ->
		n = (W(i, 0) > 0 -> 0 : (W(i, 1) > 0 -> 1 : 2));
		d_step {
			if :: SINGLE(i) -> left(i, n, KEEPER(i, n)) :: else -> cancelParts(i) fi;
			n = 0; finish(i)
		};
		goto end }
#endif
	od;
end:
	false
}

#ifdef CRASH
/* what the store does with a process that died: each name by itself, in any order, when nothing is on its way */
proctype crash() {
	byte n, gone;
	if
	:: crashed = true
	:: goto over
	fi;
	(!started[2] && !started[3] && !cancels[2] && !cancels[3]);
	(!releases[K] && !releases[K + 1] && !sharedReleases[K] && !sharedReleases[K + 1]);
	do
	:: gone < B(K) - 1 ->
		if
		:: !HAS(gone, 0) -> n = 0
		:: !HAS(gone, 1) -> n = 1
		fi;
		d_step {
			scut(2, n); scut(3, n);
			used[n] = used[n] - heldBy[K + n]; heldBy[K + n] = 0; news[K + n] = false;
			gone = gone | B(n);
			moveUp(n)
		}
	:: else -> break
	od;
over:
	done++;
end:
	false
}
#define ALL (R + 1)
#else
#define ALL R
#endif

init {
	byte i;
	atomic {
		losses = 1;
		do
		:: i < PROCS * K -> asking[i] = NONE; pinned[i] = NONE; run keeper(i / K, i % K); i++
		:: else -> i = 0; break
		od;
		do
		:: i < R -> run operation(i); run requester(i); i++
		:: else -> i = 0; break
		od;
#ifdef CRASH
		run crash()
#endif
	}
	/* when nothing can happen any more, everybody has ended, and nothing is left but what is kept idle */
	timeout;
	d_step {
		assert(done == ALL);
		do
		:: i < PROCS * K ->
			if
			:: UP(i / K) ->
				assert(waiting[i] == 0 && asking[i] == NONE && pinned[i] == NONE && !stray[i] && !back[i]);
				assert(live[i] == idle[i] && heldBy[i] == live[i] * CAP)
			:: else
			fi;
			i++
		:: else -> i = 0; break
		od;
		do
		:: i < K -> assert(swaiting[i] == 0 && used[i] == heldBy[i] + heldBy[K + i]); i++
		:: else -> i = 0; break
		od;
		q = 0
	}
}
