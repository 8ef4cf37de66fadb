/* model/idle.pml: no work waits while a worker sleeps; a wake-up is never lost and never doubled.
 *
 * Models     src/sched/idle.hpp, sleep.cpp: workers; a submitter from outside, with a store
 *            buffer; the idle word {searching, sleeping} and its list; each worker's own word;
 *            the poller with its sticky interrupt; a descriptor that becomes ready; a goroutine
 *            that never ends.
 * Leaves out the monitor, which would only put a lost wake-up off for a tick; what waits in a
 *            worker's own queue (I4); the order of the list (any sleeper may be picked).
 * Checks     When nothing can move any more: no work waits; if no worker is stuck, everybody is
 *            in the list, nobody is counted as searching and somebody is in the poller. At any
 *            time: a token is given only to who has none, and is consumed once.
 *
 * Store buffer: a push may become visible after the loads that follow it, but for a
 * read-modify-write, which waits for it. The push is taken to be a plain store, though the inject
 * queue does more, so that the argument rests on the two read-modify-writes of the idle word
 * alone.
 *
 * Variants that must fail
 *   ANNOUNCE_PLAIN  the submitter reads the idle word with a plain load                     (I-1)
 *   RETIRE_RELAXED  the worker's change of the word is atomic, but may come after its look  (I-2)
 *   RETIRE_PLAIN    it is a load, and a store that may come after its look                  (I-2)
 *   NO_LOOK         the worker does not look again after it has moved to sleeping           (I2)
 *   NO_PASSING_ON   the last searcher to find work does not wake another                    (I3)
 *   LEAVE_UNASKED   a worker gets up without asking whether somebody has taken it out       (I5)
 *   POLL_DRAINS     a poll that does not wait takes the interrupt meant for the sleeper
 */
#define WORKERS 2
#define ITEMS 2
#define NAPS 1
#define OFFERS 1
#define NOBODY 9

mtype = { awake, woken, asleep, polling };

byte queued;                    /* in the inject queue, as memory shows it */
bit unflushed;                  /* a push in the submitter's store buffer */
bit event;                      /* a descriptor is ready, and nobody has noticed */
byte searching, sleeping;       /* the idle word */
bit listed[WORKERS];
mtype word[WORKERS] = awake;
bit in_futex[WORKERS];
bit poller_taken, interrupted;

bit owed[WORKERS];              /* a token has been given and not yet been consumed */
byte naps, offers;              /* so far: bounds the model */
bit stuck;                      /* a worker runs a goroutine that never ends */

/* A weakened retirement, while it is in its worker's store buffer. */
bit buffered[WORKERS];
byte then_searching[WORKERS], then_sleeping[WORKERS];

inline enter_list(w, was_searching) {
    listed[w] = 1;
    sleeping++;
    searching = searching - was_searching
}

/* What a read-modify-write by `w` does to its store buffer. */
inline flush(w) {
    if
    :: buffered[w] ->
        buffered[w] = 0;
#ifdef RETIRE_PLAIN
        listed[w] = 1;
        searching = then_searching[w];
        sleeping = then_sleeping[w]
#else
        enter_list(w, then_searching[w])
#endif
    :: else
    fi
}

active proctype store_buffers() {
    do
    :: d_step { unflushed -> unflushed = 0; queued++ }
#if defined(RETIRE_PLAIN) || defined(RETIRE_RELAXED)
    :: d_step { buffered[0] -> flush(0) }
    :: d_step { buffered[1] -> flush(1) }
#endif
    od
}

inline take_out(w) {
    listed[w] = 0;
    sleeping--;
    searching++;
    assert(!owed[w]);
    owed[w] = 1;
    chosen = w
}

/* Takes a sleeper out of the list, if there is one, and gives it its token. */
inline pick_and_wake() {
    if
    :: d_step { listed[0] -> take_out(0) }
    :: d_step { listed[1] -> take_out(1) }
    :: d_step { !listed[0] && !listed[1] -> chosen = NOBODY }
    fi;
    if
    :: chosen != NOBODY ->
        d_step { was = word[chosen]; word[chosen] = woken; assert(was != woken) };
        if
        :: d_step { was == asleep -> in_futex[chosen] = 0 }
        :: d_step { was == polling -> interrupted = 1 }
        :: was == awake
        fi
    :: else
    fi;
    d_step { chosen = 0; was = 0 }
}

active proctype submitter() {
    byte left = ITEMS;
    byte chosen;
    mtype was;
    bit needed;
    do
    :: left > 0 ->
        d_step { !unflushed -> left--; unflushed = 1 };
        d_step {
#ifndef ANNOUNCE_PLAIN
            queued = queued + unflushed;
            unflushed = 0;
#endif
            needed = (sleeping != 0 && searching == 0)
        };
        if
        :: needed -> needed = 0; pick_and_wake()
        :: else
        fi
    :: else -> break
    od
}

active proctype outside() {
    event = 1
}

/* Somebody has taken this worker out of the list, or will: waits until the word says so. */
inline await_token() {
    do
    :: word[me] == woken -> break
    :: d_step { word[me] != woken -> word[me] = (word[me] == awake -> asleep : word[me]) };
        in_futex[me] = (word[me] == asleep);
        !in_futex[me]
    od
}

/* Out of the list, if still in it. */
inline get_up() {
    if
    :: !mine ->
        d_step {
            flush(me);
            self = listed[me];
#ifdef LEAVE_UNASKED
            self = 1;
#endif
            if
            :: self -> assert(!owed[me]); listed[me] = 0; sleeping--; searching++
            :: else
            fi
        };
        if
        :: !self -> await_token(); atomic { assert(owed[me]); owed[me] = 0 }
        :: else
        fi;
        d_step { self = 0; mine = 1 }
    :: else
    fi
}

inline wait_in_poller() {
    do
    :: others = (sleeping < WORKERS);
        d_step { self = (word[me] == awake); if :: self -> word[me] = polling :: else fi };
        if
        :: !self -> break
        :: else
        fi;
        if
        :: d_step { interrupted || event -> own = event; interrupted = 0; event = 0 }
        :: d_step { others && naps < NAPS -> naps++ }
        :: d_step { others && naps < NAPS -> naps++; stole = 1 }
        fi;
        d_step { self = (word[me] == polling); if :: self -> word[me] = awake :: else fi };
        if
        :: own || (self && stole) -> get_up(); own = 1; break
        :: !own && !self -> break
        :: else
        fi
    od;
    atomic { stole = 0; others = 0; self = 0 }
}

/* Moves to sleeping, looks once more, and sleeps only if there is nothing. */
inline sleep() {
    d_step { word[me] = awake; assert(!owed[me]) };
    d_step {
#ifdef RETIRE_RELAXED
        buffered[me] = 1;
        then_searching[me] = mine;
#elif defined(RETIRE_PLAIN)
        buffered[me] = 1;
        then_searching[me] = searching - mine;
        then_sleeping[me] = sleeping + 1;
#else
        enter_list(me, mine);
#endif
        mine = 0
    };
    if
#ifdef NO_LOOK
    :: true ->
#else
    :: queued != 0
    :: queued == 0 ->
#endif
        d_step { flush(me); self = !poller_taken; poller_taken = 1 };
        if
        :: self -> self = 0; wait_in_poller(); poller_taken = 0
        :: else -> await_token()
        fi
    fi;
    get_up()
}

/* Looks into the inject queue, and now and then at the descriptors, without waiting. */
inline look() {
    if
    :: d_step { queued != 0 -> queued--; own = 1 }
    :: d_step {
            queued == 0 ->
#ifdef POLL_DRAINS
            interrupted = 0;
#endif
            own = event;
            event = 0
        }
    fi
}

proctype worker(byte me) {
    bit mine;                   /* counted as searching */
    bit own;                    /* has something to run */
    bit self, others, stole;
    byte chosen;
    mtype was;
    do
    :: own ->
        /* Ends its search, and passes it on if there is more to find. */
        d_step { self = (mine && searching == 1); searching = searching - mine; mine = 0 };
#ifndef NO_PASSING_ON
        if
        :: self && queued != 0 ->
            self = (sleeping != 0 && searching == 0);
            if
            :: self -> pick_and_wake()
            :: else
            fi
        :: else
        fi;
#endif
        d_step { self = 0; own = 0 };
        /* What it runs may be worth a sleeper, or never end. */
        if
        :: d_step { offers < OFFERS && sleeping != 0 && searching == 0 -> offers++ };
            pick_and_wake()
        :: d_step { !stuck -> stuck = 1 };
            false
        :: true
        fi
    :: !own ->
        look();
        if
        :: !own && !mine ->
            d_step {
                if
                :: 2 * searching < WORKERS - sleeping -> searching++; mine = 1
                :: else
                fi
            };
            if
            :: mine -> look()
            :: else
            fi
        :: else
        fi;
        if
        :: !own -> sleep()
        :: else
        fi
    od
}

init {
    atomic { run worker(0); run worker(1) }
}

active proctype at_rest() {
    timeout;
    assert(queued == 0 && !unflushed);
    if
    :: !stuck ->
        assert(searching == 0 && sleeping == 2 && listed[0] && listed[1]);
        assert(!owed[0] && !owed[1] && poller_taken && !event)
    :: else
    fi
}
