/* model/mutex.pml: mutual exclusion, no lost wake-up, nothing touched after the release.
 *
 * Models     src/sync/mutex.cpp: the word {locked, waiting}, its queue and the lock of that, one
 *            waiter for each wait, threads that give up after a time (the last TIMED ones), the
 *            hand-over to one that has lost PATIENCE races. Each thread locks ROUNDS times; when
 *            all have released the mutex for the last time, one whose unlock has returned may
 *            destroy it.
 * Leaves out memory orders: all operations on the word are sequentially consistent.
 * Checks     One owner at a time; whoever has no time limit gets the mutex in the end (else the
 *            model ends in an invalid state); no thread touches the mutex after it was destroyed,
 *            nor a waiter after its wait is over; a waiter is ended once and woken once.
 *
 * Variants that must fail
 *   CLEAR_IN_TWO_STEPS   finding nobody in line: clears `waiting`, frees the queue, clears `locked`
 *   RELEASE_UNDER_LOCK   finding nobody in line: clears `locked`, then frees the queue     (M2)
 *   WAKE_UNDER_LOCK      wakes the waiter that is the owner now, then frees the queue      (M2)
 *   WAKE_FIRST           wakes the waiter that shall compete before it clears `locked`
 *   NO_SECOND_LOOK       a waiter lines up without looking at `locked` under the queue's lock
 *   LOCK_CLEARS_WAITING  locking forgets that others wait                                  (M1)
 *   NO_CLAIM             the unlocker wakes a waiter without asking whether its time is over
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef TIMED
#define TIMED 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define PATIENCE 1
#define NOBODY 99

mtype = { open, may_compete, is_owner, timed_out };

bit locked, waiting;            /* the word */
bit queue_lock;
chan waiters = [THREADS] of { byte };
bit destroyed;

/* One waiter for each thread; it exists while the thread lines up and waits. */
bit exists[THREADS];
mtype ended[THREADS] = open;
mtype index[THREADS] = open;
bit woken[THREADS];

byte owners;
byte not_done = THREADS;        /* threads that have not yet released it for the last time */

#define touch assert(!destroyed)

inline lock_queue() {
    d_step { !queue_lock -> touch; queue_lock = 1 }
}

inline unlock_queue() {
    d_step { touch; queue_lock = 0 }
}

inline clear_waiting_if_empty() {
    d_step { touch; waiting = (len(waiters) == 0 -> 0 : waiting) }
}

inline try_lock() {
    d_step { touch; got = !locked; seen = waiting };
    d_step {
        touch;
        got = (got && !locked && waiting == seen);
        locked = (got -> 1 : locked);
#ifdef LOCK_CLEARS_WAITING
        waiting = (got -> 0 : waiting);
#endif
        seen = 0
    }
}

/* From the moment of the release on, the next owner may do as it likes. */
inline passed_on() {
    owners--;
    not_done = not_done - (round == ROUNDS)
}

inline release() {
    d_step { touch; locked = 0; passed_on() }
}

inline hand_over() {
    d_step { passed_on() };
    wake(first)
}

/* Ends the wait of `w`, unless its time is over. */
inline end(w, how) {
    assert(exists[w]);
#ifndef NO_CLAIM
    if
    :: ended[w] == open ->
#endif
        ended[w] = how;
        first = w
#ifndef NO_CLAIM
    :: else -> first = NOBODY
    fi
#endif
}

inline wake(w) {
    d_step { assert(exists[w] && !woken[w]); woken[w] = 1 }
}

inline take_first() {
    do
    :: d_step { nempty(waiters) -> touch; waiters ? first; end(first, index[first]) };
        if
        :: first != NOBODY -> break
        :: else
        fi
    :: empty(waiters) -> break
    od
}

inline unlock() {
    do
    :: d_step { locked && !waiting -> touch; locked = 0; passed_on() }; break
    :: else ->
        assert(locked);
        lock_queue();
        take_first();
        clear_waiting_if_empty();
#ifdef RELEASE_UNDER_LOCK
        if
        :: first == NOBODY -> release(); unlock_queue(); break
        :: else
        fi;
#endif
#ifdef WAKE_UNDER_LOCK
        if
        :: first != NOBODY && ended[first] == is_owner ->
            hand_over();
            unlock_queue();
            break
        :: else
        fi;
#endif
        unlock_queue();
        if
        :: first == NOBODY ->
#ifdef CLEAR_IN_TWO_STEPS
            release();
            break
#endif
        :: first != NOBODY && ended[first] == is_owner -> hand_over(); break
        :: first != NOBODY && ended[first] != is_owner ->
            assert(ended[first] == may_compete);
#ifdef WAKE_FIRST
            wake(first);
#endif
            release();
#ifndef WAKE_FIRST
            wake(first);
#endif
            break
        fi
    od;
    first = NOBODY
}

/* Parks; the time of a thread that has a limit may be over before it is woken. */
inline park() {
    if
    :: woken[me] -> skip
    :: d_step { limited && ended[me] == open -> ended[me] = timed_out };
        expired = 1
    fi;
    atomic {
        woken[me] = 0;
        waited = ended[me]
    }
}

inline lock() {
    lost = 0;
    do
    :: try_lock();
        if
        :: got -> break
        :: !got && expired -> break
        :: !got && limited -> expired = 1; break
        :: !got && !expired
        fi;
        d_step { exists[me] = 1; index[me] = (lost < PATIENCE -> may_compete : is_owner) };
        lock_queue();
        d_step {
            touch;
            waiting = 1;
            lined_up = locked;
#ifdef NO_SECOND_LOOK
            lined_up = 1
#endif
        };
        if
        :: lined_up ->
            lined_up = 0;
            atomic {
                touch;
                if
                :: lost == 0 -> waiters ! me
                :: else -> push_front()
                fi
            };
            unlock_queue();
            park();
            if
            :: waited == is_owner -> got = 1
            :: waited == timed_out ->
                lock_queue();
                atomic { touch; if :: waiters ?? eval(me) :: !(waiters ?? [eval(me)]) fi };
                clear_waiting_if_empty();
                unlock_queue()
            :: waited == may_compete
            fi
        :: else ->
            clear_waiting_if_empty();
            unlock_queue()
        fi;
        d_step { exists[me] = 0; ended[me] = open; index[me] = open };
        if
        :: got || waited == timed_out -> break
        :: !got && waited == may_compete -> lost = (lost < PATIENCE -> lost + 1 : lost)
        :: !got && waited == open
        fi;
        waited = open
    od;
    waited = open;
    lost = 0
}

/* Every other waiter goes once round the queue, behind this one. */
inline push_front() {
    behind = len(waiters);
    waiters ! me;
    do
    :: behind > 0 -> waiters ? first; waiters ! first; behind--
    :: else -> break
    od;
    first = NOBODY
}

active [THREADS] proctype thread() {
    byte me = _pid;
    bit limited = (_pid >= THREADS - TIMED);
    bit got, seen, expired, lined_up;
    byte lost, behind, round;
    byte first = NOBODY;
    mtype waited = open;
    for (round : 1 .. ROUNDS) {
        lock();
        if
        :: got ->
            got = 0;
            d_step { owners++; assert(owners == 1) };
            unlock();
            if
            :: round == ROUNDS && not_done == 0 -> destroyed = 1
            :: else
            fi
        :: else -> d_step { not_done = not_done - (round == ROUNDS) }
        fi;
        expired = 0
    }
}
