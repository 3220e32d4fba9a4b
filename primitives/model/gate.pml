/* The protocol of the gate: fast path, queue, batches, lent turns, direct hand-over, cancel, going home.
 *
 * Every step that gate.go and turn.go mark with "model: NAME" is one step here, marked with the
 * same name; what only the turn touches is folded into its neighbours. Functions:
 *
 *     acquire, tryAcquire, release, handOver (here front)     gate.go
 *     post, announce, cancelWaiter (a post of LEAVING)        gate.go
 *     enlist, join, callNominee, call, come, nominate         batch.go
 *     cancelMember (here quit)                                batch.go
 *     close (here shutBack)                                   batch.go
 *     push, take (of the inbox)                               waiter.go
 *     wakeKeeper, runTurn, run (here knock, lend, turn)       turn.go
 *     collect, grant, withhold, goHome, settle                turn.go
 *     Enter, Again, Leave, Wake                               actor.Activity
 *
 *     RLock, RUnlock, Upgrade, TryUpgrade                     rwmutex.go, upgrade.go
 *
 * Who takes part: the clients C0 … , each with its weight and its habits (below), and the
 * keeper's own goroutine, which runs only when it is woken. A client acquires and releases
 * ROUNDS times. So the model ends; whoever waits for ever is an invalid end state.
 *
 * Who wants all permits waits in a batch: clients of a mutex, and writers. Each push of a batch is one
 * of its own here, which is not used again: that no swap takes a batch for an earlier one in the same
 * place, batch.go argues with its lifetime. What is checked is that one that is freed is in no place any
 * more. Members take the tokens of their batch in any order; the runtime has them do it in the order in
 * which they fell asleep.
 *
 * With READERS, who wants one permit is a reader: it enters and leaves by one addition each. One
 * that finds only by its addition that it must not enter takes it back: until then it is a
 * phantom, which the word counts and nobody sees. With AWAITED, client 0 keeps what it has until that
 * client has had its own: so nobody may need a release to get in who fits without one. With UPGRADE, client 0 is an upgradeable
 * reader that then wants to write, which it may do before everybody in the line.
 *
 * Checked: never more permits held than there are; permits are granted in the order of the
 * pushes, where the members of a batch have the place of its push; nobody enters past somebody whose
 * post was complete before it came (overtaking), but for members of its own batch, not even one who
 * joins a batch in the line; of a batch at most one is called and has not come, so its channel has
 * room; at the end all is at rest, and no permit, member or token is missing. And, with fairness,
 * everybody ends.
 *
 * Mutants, each of which must be caught: see run.sh. The Go code has the same ones, caught by a
 * stress test: mutant_test.go.
 */
#ifndef N
#define N 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
/* MUTEX: one permit. UPGRADE: three; client 0 wants two and then the third, client 1 wants all. Else
 * two, and client 1 wants both; with WRITERS, client 2 as well. */
#ifdef MUTEX
#define LIMIT 1
#define WEIGHT(i) 1
#elif defined(UPGRADE)
#define LIMIT 3
#define UPGRADER 2
#define WEIGHT(i) (i == 0 -> UPGRADER : (i == 1 -> LIMIT : 1))
#elif defined(WRITERS)
#define LIMIT 2
#define WEIGHT(i) (i == 1 || i == 2 -> LIMIT : 1)
#else
#define LIMIT 2
#define WEIGHT(i) (i == 1 -> LIMIT : 1)
#endif
/* with TWICE, only that client comes ROUNDS times, and the others once */
#ifdef TWICE
#define TIMES(i) (i == TWICE -> ROUNDS : 1)
#else
#define TIMES(i) ROUNDS
#endif
/* who may give up waiting, and who only tries (9: nobody) */
#ifndef CANCELLER
#define CANCELLER 1
#endif
#ifndef TRIER
#define TRIER 9
#endif
#define CANCELS(i) (i == CANCELLER)
#define TRIES(i) (i == TRIER)
#ifdef READERS
#define READS(i) (WEIGHT(i) == 1)
#else
#define READS(i) false
#endif
#ifdef RESIZE
#define ALL (N + 1)
#define RESIZER N
#else
#define ALL N
#endif

/* Who wants all permits waits in a batch, but at a semaphore, which has no batches. A batch is a number
 * from ALL on, a new one for each push, so that whatever is a number below is a single waiter. */
#if defined(MUTEX) || defined(READERS) || defined(UPGRADE) || defined(WRITERS)
#define BATCHES
#define LOCKS(i) (WEIGHT(i) == LIMIT)
#define IDS (ALL + ALL * ROUNDS)                   /* those of the second round after those of the first */
#else
#define LOCKS(i) false
#define IDS ALL
#endif
#define ISBATCH(y) (y >= ALL)
#define SIZE(y) (ISBATCH(y) -> LIMIT : size[y])
#define NONE 0                                     /* no batch */
#define OTHER 255                                  /* the newest of the inbox, if it is no batch */
#define MAIL (2 * ALL * ROUNDS)

mtype = { ACQUIRING, LOCKING, TRYING, LEAVING, RESIZING, UPGRADING, TRYINGUP, GRANTED, REFUSED, GONE, REST, RUNNING, WOKEN };

/* the word; flags beside the permits in use */
byte used = 0; bit queued = 0; bit mail = 0;
byte reserve = 0; byte withheld = 0;

chan inbox = [MAIL] of { mtype, byte };            /* pushed by all, taken whole by the turn */
byte newest = NONE;                                /* of the inbox: a batch or OTHER; NONE: it is empty */
byte line[ALL * ROUNDS]; byte lined = 0;           /* the turn's own, as are the next */
byte size[ALL];                                    /* what i waits for */
byte ticket[IDS]; byte pushes = 0; byte last = 0;  /* order of the pushes, and of the grants */

mtype activity = REST; bit goroutine = 0;          /* the keeper */
chan ready[ALL] = [1] of { mtype };                /* the answers */

byte nominee = NONE;                               /* a batch; written by the turn */
#ifdef BATCHES
bit open[IDS]; bit spoiled[IDS]; byte called[IDS]; byte waiting[IDS];  /* the word of a batch */
byte tokens[IDS];                                  /* its channel */
byte members[IDS];                                 /* bit i: i is in it. Nobody asks but the assertions */
#endif

byte held = 0; byte ended = 0;
#ifdef AWAITED
bit awaited = 0;
#endif
byte parked = 0;                                   /* bit i: i's post is complete, and it is queued */
byte seen[ALL];                                    /* who of them was parked when this one came */

/* ---- what the turn does ---- */

inline tell(x, what) { /* within a d_step */
  out[outs] = x; outWhat[outs] = what; outs++;
  unpark(x)
}

inline unpark(y) { /* within a d_step: y waits no more */
  parked = parked & ~(1 << y);
  j = 0; do :: j < ALL -> seen[j] = seen[j] & ~(1 << y); j++ :: else -> break od; j = 0
}

inline freeNow() { /* free = what can be given out; a phantom may have taken the word past LIMIT */
  d_step { if :: used > LIMIT + pot -> free = 0 :: else -> free = LIMIT + pot - used fi }
}

inline take(n) { /* within a d_step */
  if :: pot >= n -> pot = pot - n :: else -> used = used + (n - pot); pot = 0 fi
}

inline pop() { /* within a d_step: x = the front */
  x = line[0]; j = 0;
  do :: j + 1 < lined -> line[j] = line[j+1]; j++ :: else -> break od;
  lined--; line[lined] = 0; j = 0
}

inline inOrder(y) { /* within a d_step: of the pushes; an upgrade has no place in it */
  if
  :: ticket[y] != 0 ->
     assert(ticket[y] > last || (ISBATCH(y) && ticket[y] == last)); last = ticket[y];
     if :: !ISBATCH(y) -> assert(seen[y] == 0) :: else -> skip fi
  :: else -> skip
  fi
}

#ifdef BATCHES
inline callOne(y) { /* within a d_step */
  inOrder(y); waiting[y]--; called[y]++;
  assert(called[y] == 1 && waiting[y] < ALL)
}

/* call of the front, a batch, by the turn: heir is that batch if one was called */
inline call() { /* within a d_step */
  x = line[0];
  if
  :: waiting[x] == 0 -> pop()
  :: else ->
     callOne(x); assert(heir == NONE); heir = x;
     if :: waiting[x] == 0 -> open[x] = 0; pop() :: else -> skip fi
  fi; x = 0
}

inline send(y) { /* within a d_step */
  assert(tokens[y] == 0); tokens[y] = 1
}

#define BACK line[lined-1]
inline shutBack() { /* within a d_step: close */
  if :: lined > 0 && ISBATCH(BACK) -> open[BACK] = 0 :: else -> skip fi
}

#define FRONTBATCH (lined > 0 && ISBATCH(line[0]) -> line[0] : NONE)
inline nominate() {
  if
  :: nominee != FRONTBATCH -> nominee = FRONTBATCH /* model: nominate */
  :: else -> skip
  fi
}
#else
inline shutBack() { skip }
inline nominate() { skip }
#endif

inline drop(y, found) { /* within a d_step: y leaves the line */
  found = false; j = 0;
  do :: j < lined && line[j] != y -> j++ :: else -> break od;
  if
  :: j < lined -> found = true;
     do :: j + 1 < lined -> line[j] = line[j+1]; j++ :: else -> break od; lined--; line[lined] = 0
  :: else -> skip
  fi; j = 0
}

inline grant() {
#ifdef RESIZE
  /* withhold */
  if
  :: reserve != withheld ->
     freeNow();
     d_step {
       if :: reserve - withheld < free -> free = reserve - withheld :: else -> skip fi;
       take(free); withheld = withheld + free; free = 0
     }
  :: else -> skip
  fi;
#endif
  do
  :: lined == 0 -> break
  :: else ->
     freeNow();
     if
#ifdef BATCHES
     :: SIZE(line[0]) <= free && ISBATCH(line[0]) ->
        d_step { /* model: callLast */
          assert(queued);                          /* I3 */
          call();
          if :: heir != NONE -> take(LIMIT) :: else -> skip fi; free = 0
        }
#endif
     :: SIZE(line[0]) <= free && !ISBATCH(line[0]) ->
        d_step { /* model: grant */
          assert(queued);                          /* I3: nobody enters beside the turn */
          pop(); take(size[x]);
          inOrder(x);
          tell(x, GRANTED); x = 0; free = 0
        }
     :: else -> free = 0; break
     fi
  od
}

inline collect() {
  if
  :: empty(inbox) -> skip
  :: nempty(inbox) ->
#ifndef M_SHUT
     queued = 1;                                   /* model: shut */
#endif
#if defined(BATCHES) && !defined(M_CLOSE)
     if
     :: lined > 0 && ISBATCH(BACK) && open[BACK] -> open[BACK] = 0 /* model: close */
     :: else -> skip
     fi;
#endif
     d_step { /* model: collect */
       got = 0; newest = NONE;
       do :: inbox?kind[got],whom[got] -> got++ :: empty(inbox) -> break od
     };
     b = 0;
     do
     :: b < got ->
        if
        :: kind[b] == ACQUIRING ->
           d_step {
             if
             :: size[whom[b]] > LIMIT - reserve -> tell(whom[b], REFUSED)
             :: else -> shutBack(); line[lined] = whom[b]; lined++
             fi
           }
#ifdef BATCHES
        :: kind[b] == LOCKING ->
           if
           :: waiting[whom[b]] != 0 -> d_step { shutBack(); line[lined] = whom[b]; lined++ }
           :: else -> skip                         /* there is a message that it leaves, or will be */
           fi
#endif
        :: kind[b] == LEAVING ->
           d_step { drop(whom[b], ok); if :: ok && !ISBATCH(whom[b]) -> tell(whom[b], GONE) :: else -> skip fi; ok = false }
        :: kind[b] == UPGRADING ->
           d_step { /* model: front */
#ifdef M_FRONT
             line[lined] = whom[b]; lined++
#else
             j = lined; do :: j > 0 -> line[j] = line[j-1]; j-- :: else -> break od;
             line[0] = whom[b]; lined++
#endif
           }
        :: kind[b] == TRYING || kind[b] == TRYINGUP ->
           grant();
           freeNow();
           d_step {
             if
             :: (lined == 0 || kind[b] == TRYINGUP) && size[whom[b]] <= free -> take(size[whom[b]]); tell(whom[b], GRANTED)
             :: else -> tell(whom[b], REFUSED)
             fi; free = 0
           }
        :: kind[b] == RESIZING ->
           d_step {
             reserve = size[whom[b]];
             if :: reserve < withheld -> pot = pot + (withheld - reserve); withheld = reserve :: else -> skip fi;
             i = 0;
             do
             :: i < lined && SIZE(line[i]) > LIMIT - reserve -> x = line[i]; drop(x, ok); tell(x, REFUSED); ok = false; x = 0
             :: i < lined && SIZE(line[i]) <= LIMIT - reserve -> i++
             :: else -> break
             od; i = 0;
             tell(whom[b], GRANTED)
           }
        fi;
        skip;
        d_step { kind[b] = 0; whom[b] = 0; b++ }
     :: else -> break
     od;
     skip;
     d_step { b = 0; got = 0 }
  fi
}

inline goHome(home) {
  home = false;
  do
  :: true ->
#ifndef M_HOME
     mail = 0;                                     /* model: unflag */
#endif
     d_step { s = used; sq = queued };
     if
     :: nempty(inbox) -> break                     /* model: look */
     :: empty(inbox) ->
        d_step { /* model: home */
          if
#ifdef M_HOME
          :: used == s && queued == sq -> used = used - pot; pot = 0; queued = 0; mail = 0; home = true
#else
          :: used == s && queued == sq && !mail -> used = used - pot; pot = 0; queued = 0; home = true
#endif
          :: else -> skip
          fi
        };
        if :: home -> break :: else -> skip fi
     fi
  od;
  skip;
  d_step { s = 0; sq = 0 }
}

inline turn(look) {
  if :: look -> collect() :: else -> skip fi;
  do
  :: true ->
     grant();
     if :: lined > 0 || withheld != reserve -> break :: else -> skip fi;
     if
     :: empty(inbox) -> goHome(ok); if :: ok -> break :: else -> skip fi
     :: nempty(inbox) -> skip                      /* the flags may stay as they are */
     fi;
     collect()
  od;
  ok = false;
  nominate();
  d_step { used = used - pot; pot = 0 }            /* model: settle */
}

inline wake() {
#ifdef BATCHES
  if
  :: heir != NONE -> d_step { send(heir); heir = NONE } /* model: wake */
  :: else -> skip
  fi;
#endif
  b = 0;
  do
  :: b < outs -> ready[out[b]]!outWhat[b]; b++     /* model: wake */
  :: else -> break
  od;
  skip;
  d_step { do :: outs > 0 -> outs--; out[outs] = 0; outWhat[outs] = 0 :: else -> break od; b = 0 }
}

/* ---- actor.Activity ---- */

inline Enter(entered) {
  d_step { entered = (activity == REST); if :: activity == REST -> activity = RUNNING :: else -> skip fi }
}

inline Wake() {
  d_step { if :: activity == REST -> goroutine = 1 :: else -> skip fi; activity = WOKEN }
}

inline Leave() {
  d_step {
    if
    :: activity == RUNNING -> activity = REST
#ifdef M_LEAVE
    :: else -> activity = REST
#else
    :: else -> goroutine = 1
#endif
    fi
  }
}

/* ---- what callers do ---- */

inline lend(look) {
  again = look;
  do
  :: turn(again);
     if
#ifndef ONETURN                                    /* with it, Again is left to the keeper: fewer states */
     :: activity == WOKEN -> activity = RUNNING; again = true   /* Again, as often as it likes: lentTurns is no matter */
#endif
     :: true -> break
     fi
  od;
  again = false;
  Leave();
  wake()
}

inline knock() {
  Enter(entered);
  if
  :: entered -> entered = false; lend(true)
  :: else -> Wake()
  fi
}

inline post(what, n) {
#ifdef M_FLAG
  d_step { queued = 1; mail = 1 };                 /* before the push instead of after */
#endif
  d_step { /* model: push */
    if
#ifdef BATCHES
    :: what == LOCKING -> inbox!what,w; newest = w; pushes++; ticket[w] = pushes;
       open[w] = 1; waiting[w] = 1; members[w] = 1 << me
    :: what == LEAVING && w != NONE -> inbox!what,w; newest = OTHER
#endif
    :: else -> inbox!what,me; newest = OTHER;
       if :: what == ACQUIRING -> pushes++; ticket[me] = pushes :: what == UPGRADING -> ticket[me] = 0 :: else -> skip fi
    fi
  };
  announce(what, n)
}

inline announce(what, n) {
  d_step { /* model: flag */
    s = used;
#ifndef M_FLAG
    queued = 1; mail = 1;
#endif
    if
    :: (what == ACQUIRING || what == UPGRADING) && !ready[me]?[GRANTED] -> parking()
    :: what == LOCKING -> parked = parked | (1 << me) /* until it has taken a token, or quits */
    :: else -> skip
    fi
  };
  if
#ifdef M_KNOCK
  :: what != ACQUIRING && what != LOCKING -> s = 0; knock()
#else
  :: (what != ACQUIRING && what != LOCKING) || s + n <= LIMIT -> s = 0; knock()
#endif
  :: else -> s = 0
  fi
}

#ifdef BATCHES
#ifdef M_OPEN
#define JOINABLE true
#else
#define JOINABLE open[w]
#endif
/* Whether the batch still is where it was found (the place), matters only for reuse: without it, all the more is possible. */
inline join(place) {
  if
  :: d_step { JOINABLE -> /* model: company */
       waiting[w]++; members[w] = members[w] | (1 << me);
       if :: !near -> parked = parked | (1 << me) :: else -> skip fi /* in the line, and that is all */
     }
  :: !JOINABLE || place != w -> w = NONE
  fi
}

inline enlist() {
  d_step { w = newest; near = (newest != NONE) };
  if
  :: near && w == OTHER -> w = NONE
  :: near && w != OTHER ->
     join(newest);
     if :: w != NONE -> announce(LOCKING, LIMIT) :: else -> skip fi
  :: !near ->
     w = nominee;
     if :: w != NONE -> join(nominee) :: else -> skip fi
  fi;
  near = false;
  if
  :: w == NONE -> w = ALL + me + ALL * (round - 1); post(LOCKING, LIMIT)
  :: else -> skip
  fi
}

inline come() { /* within a d_step: receive the token. */
  tokens[w]--; called[w]--;
  members[w] = members[w] & ~(1 << me); unpark(me);
  assert((seen[me] & ~members[w]) == 0);           /* overtaking; in a batch the runtime sees to it */
  if
  :: waiting[w] + called[w] + open[w] + spoiled[w] == 0 -> /* free: it becomes another */
     assert(nominee != w && newest != w && members[w] == 0);
     j = 0; do :: j < lined -> assert(line[j] != w); j++ :: else -> break od; j = 0;
     ticket[w] = 0
  :: else -> skip
  fi;
  w = NONE; have = true
}

inline quit() {
  d_step { /* model: quit */
    if
    :: waiting[w] == 0 -> late = true
    :: else ->
#ifndef M_LEFT
       waiting[w]--;
       if :: waiting[w] == 0 -> open[w] = 0; spoiled[w] = 1; told = true :: else -> skip fi;
#endif
       members[w] = members[w] & ~(1 << me); unpark(me)
    fi
  };
  if
  :: late -> late = false;
#ifdef M_CANCEL
     w = NONE
#else
     d_step { tokens[w] > 0 -> come() }
#endif
  :: told -> told = false;
#ifndef M_QUIT
     post(LEAVING, 0);                             /* model: cancel */
#endif
     w = NONE
  :: else -> w = NONE
  fi
}
#endif

/* the post of me is complete: whoever comes from now on must not enter before it. It may have
 * been answered already: then it is neither in the line nor in the inbox. */
inline parking() { /* within a d_step */
  ok = (inbox??[ACQUIRING,eval(me)] || inbox??[UPGRADING,eval(me)]);
  j = 0; do :: j < lined -> ok = ok || line[j] == me; j++ :: else -> break od; j = 0;
  if :: ok -> parked = parked | (1 << me) :: else -> skip fi; ok = false
}

inline entering() { /* within a d_step */
  assert(seen[me] == 0)                            /* of those parked when it came, nobody is left */
}

inline front() { /* within a d_step; model: handover */
  if
#ifdef BATCHES
  :: ISBATCH(line[0]) -> assert(heir == NONE);
     if :: waiting[line[0]] == 0 -> ok = false :: else -> call(); ok = true fi /* callLast */
#endif
  :: else -> pop(); inOrder(x); tell(x, GRANTED); x = 0; ok = true
  fi
}

#ifdef BATCHES
#ifdef M_LAST
#define OTHERS 1
#else
#define OTHERS 2
#endif
inline callNominee() {
  w = nominee;
  if
  :: w == NONE -> ok = false
  :: else ->
     if
     :: d_step { waiting[w] >= OTHERS -> callOne(w); ok = true } /* model: call */
     :: waiting[w] < OTHERS || nominee != w -> ok = false
     fi;
     if :: ok -> d_step { send(w); w = NONE } :: else -> w = NONE fi
  fi
}
#endif

inline release(n) {
  do
  :: true ->
     d_step { s = used; sq = queued; sm = mail };
     if
     :: !sq && !sm ->
#ifdef M_STORE
        d_step { used = s - n; queued = 0; mail = 0 }; break
#else
        d_step { ok = (used == s && !queued && !mail); if :: ok -> used = used - n :: else -> skip fi }; /* model: leave */
        if :: ok -> break :: else -> skip fi
#endif
     :: else ->
#ifdef BATCHES
        if :: n == LIMIT -> callNominee() :: else -> ok = false fi;
        if :: ok -> break :: else -> skip fi;
#endif
        Enter(entered);
        if
        :: entered -> entered = false;
           if
#ifdef M_FREE
           :: lined > 0 && SIZE(line[0]) == n ->
              d_step { used = used - n; queued = 0; mail = 0 };   /* free first, then hand over */
              d_step { front(); used = used + n; queued = 1; mail = 1 };
#else
           :: lined > 1 && SIZE(line[0]) == n && reserve == withheld && used + SIZE(line[1]) > LIMIT ->
              d_step { front() };
#endif
           :: else -> ok = false
           fi;
           if
           :: ok -> ok = false; nominate(); Leave(); wake()
           :: else -> pot = n; lend(false)
           fi;
           break
        :: else ->
           d_step { ok = (used == s && queued == sq && mail == sm); if :: ok -> used = used - n :: else -> skip fi }; /* model: put */
           if
           :: ok ->
#ifndef M_PUT
              Wake();
#endif
              break
           :: else -> skip
           fi
        fi
     fi
  od;
  skip;
  d_step { s = 0; sq = 0; sm = 0; ok = false }
}

#ifdef M_PART
#define SPEAKS_PART false
#else
#define SPEAKS_PART true
#endif
#ifdef M_TAKE
#define SPEAKS_TAKE false
#else
#define SPEAKS_TAKE true
#endif

/* RUnlock, and a reader that takes back what it added in vain: for those who wait it is a release */
inline subtract(n, speaks) {
  d_step { used = used - n; sq = queued; sm = mail };   /* model: part, takeBack */
  if
  :: speaks && (sq || sm) -> knock()
  :: else -> skip
  fi;
  skip;
  d_step { sq = 0; sm = 0 }
}

#define LOCALS \
  byte pot, free, x, j, i, b, got, outs, s, w, heir; bit sq, sm; bool ok, entered, again; \
  mtype kind[MAIL]; byte whom[MAIL]; byte out[ALL]; mtype outWhat[ALL]

#ifdef UPGRADE
/* Upgrade and TryUpgrade, by one who has UPGRADER permits. After it size[me] is what it has. */
inline upgrade() {
  d_step { have = false; done = false; size[me] = LIMIT - UPGRADER };
  d_step { /* model: enter */
    ok = (used == UPGRADER && !queued && !mail);
    if :: ok -> used = LIMIT :: else -> skip fi
  };
  if
  :: ok -> ok = false; have = true
  :: else ->
     if
     :: TRIES(me) ->
        post(TRYINGUP, size[me]);
        ready[me]?answer;
        have = (answer == GRANTED)
     :: !TRIES(me) ->
        post(UPGRADING, size[me]);
        if
        :: ready[me]?answer -> if :: CANCELS(me) -> done = true :: true -> skip fi
        :: CANCELS(me) -> done = true;
           post(LEAVING, 0);
           ready[me]?answer
        fi;
        have = (answer == GRANTED);
        if
        :: have && done -> have = false; release(size[me])
        :: else -> skip
        fi
     fi
  fi;
  skip;
  d_step {
    answer = 0;
    if
    :: have -> held = held + size[me]; size[me] = LIMIT
    :: else -> size[me] = UPGRADER
    fi;
    assert(held <= LIMIT)
  }
}
#endif

proctype client(byte me) {
  LOCALS;
  byte round = 0; bool done, have, near, late, told; mtype answer = 0;
  do
  :: round < TIMES(me) ->
     d_step { round++; done = false; have = false; size[me] = WEIGHT(me); seen[me] = parked };
     if
     :: READS(me) && !TRIES(me) ->
        d_step { /* model: join */
          have = (!queued && !mail && used + 1 <= LIMIT); used++;
#ifdef M_JOIN
          have = true;
#endif
          if :: have -> entering() :: else -> skip fi
        };
        if
        :: have -> skip
        :: else ->
#ifndef M_PHANTOM
           subtract(1, SPEAKS_TAKE);
#endif
           if :: CANCELS(me) -> done = true :: true -> skip fi    /* before it has queued */
        fi
     :: else -> skip
     fi;
     do
     :: have || done -> break
     :: !have && !done ->
        d_step { s = used; sq = queued; sm = mail };
        if
        :: !have && !sq && !sm && s + size[me] <= LIMIT ->
#ifdef M_ENTER
           d_step { used = s + size[me]; ok = true };
#else
           d_step { /* model: enter */
             ok = (used == s && !queued && !mail);
             if :: ok -> used = used + size[me]; entering() :: else -> skip fi
           };
#endif
           if :: ok -> have = true; break :: else -> skip fi
        :: !have && (sq || sm || s + size[me] > LIMIT) ->
           if
           :: TRIES(me) && s + size[me] > LIMIT -> break
           :: TRIES(me) && s + size[me] <= LIMIT ->
              post(TRYING, size[me]);
              ready[me]?answer;
              have = (answer == GRANTED); break
#ifdef BATCHES
           :: !TRIES(me) && LOCKS(me) ->
              enlist();
              if
              :: d_step { tokens[w] > 0 -> come() }; if :: CANCELS(me) -> done = true :: true -> skip fi
              :: CANCELS(me) -> done = true; quit()
              fi;
              if
              :: have && done -> have = false;
#ifndef M_PASS
                 release(size[me])                 /* model: passOn */
#endif
              :: else -> skip
              fi;
              break
#endif
           :: !TRIES(me) && !LOCKS(me) ->
              post(ACQUIRING, size[me]);
              if
              :: ready[me]?answer -> if :: CANCELS(me) -> done = true :: true -> skip fi
              :: CANCELS(me) -> done = true;
                 post(LEAVING, 0);                 /* model: cancel */
#ifdef M_CANCEL
                 answer = GONE
#else
                 ready[me]?answer
#endif
              fi;
              have = (answer == GRANTED);
              if
              :: have && done -> have = false;
#ifndef M_PASS
                 release(size[me])                 /* model: passOn */
#endif
              :: else -> skip
              fi;
              break
           fi
        fi
     od;
     skip;
     d_step { answer = 0; ok = false; s = 0; sq = 0; sm = 0 };
     if
     :: have ->
        d_step { held = held + size[me]; assert(held <= LIMIT) };
#ifdef UPGRADE
        if :: me == 0 -> upgrade() :: else -> skip fi;
#endif
#ifdef AWAITED
        if
        :: me == AWAITED -> awaited = 1
        :: me == 0 -> awaited == 1
        :: else -> skip
        fi;
#endif
        d_step { held = held - size[me] };
        if
        :: READS(me) -> subtract(1, SPEAKS_PART)
        :: else -> release(size[me])
        fi
     :: else -> skip
     fi
  :: else -> break
  od;
  ended++
}

#ifdef RESIZE
/* A Semaphore.Resize: one permit less, and then one more. */
proctype resizer(byte me) {
  LOCALS;
  mtype answer;
  size[me] = 1;
  post(RESIZING, 0);
  ready[me]?answer;
  size[me] = 0;
  post(RESIZING, 0);
  ready[me]?answer;
  ended++
}
#endif

/* The keeper's own goroutine: Activity.loop and gate.Turn. */
proctype keeper() {
  LOCALS;
end:
  do
  :: goroutine ->
     do
     :: true ->
        activity = RUNNING;
        turn(true);
        wake();
        d_step {
          ok = (activity == RUNNING);
          if :: ok -> activity = REST; goroutine = 0 :: else -> skip fi
        };
        if :: ok -> ok = false; break :: else -> skip fi
     od
  od
}

#define quiet (used == 0 && !queued && !mail && lined == 0 && len(inbox) == 0 && newest == NONE && nominee == NONE && \
               activity == REST && !goroutine && held == 0 && reserve == withheld && reserve == 0)

init {
  byte k = 0;
  atomic {
    do :: k < N -> run client(k); k++ :: else -> break od;
#ifdef RESIZE
    run resizer(RESIZER);
#endif
    run keeper()
  };
  /* when everybody has ended and the keeper has gone home, all is as it was */
  (ended == ALL && !goroutine && activity == REST);
  assert(quiet);
#ifdef BATCHES
  d_step {
    k = ALL;
    do
    :: k < IDS -> assert(waiting[k] + called[k] + tokens[k] + open[k] + members[k] == 0); k++
    :: else -> break
    od
  }
#endif
}

#ifdef LIVE
ltl everybodyEnds { <> (ended == ALL && quiet) }
#endif
