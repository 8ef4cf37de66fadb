/* model/select.pml: of a select's cases exactly one fires; no value and no wake-up is lost or
 * doubled.
 *
 * Models     src/chan/select_core.cpp and wait_node.hpp over two unbuffered channels: two
 *            goroutines that select, a plain sender to the first channel, and a closer, or (with
 *            -DCANCEL) one who cancels the first select. Cases are tried without waiting, then
 *            line up one channel at a time, in any order; the claim word `ended` decides.
 * Leaves out the random choice (any), `otherwise`, deadlines (they claim as cancellation does).
 * Checks     A value is received once if its send is over, else never. A waiter is woken once for
 *            each time it is ended by others. Nothing is left in line when a call is over. When
 *            nothing can move any more, nobody waits who has been ended, whose channel is closed,
 *            or who has a partner in the other line.
 *
 * Scenes     Both receive from both channels (default). -DCROSS: each sends to one and receives
 *            from the other, so that they meet. -DMIRROR: both send to and receive from the first
 *            channel.
 *
 * Variants that must fail
 *   TAKE_UNCLAIMED  a peer is taken from its line and readied without being ended for it   (N1, S1)
 *   SELF_UNCLAIMED  a case that is ready while lining up is taken without ending oneself   (S1)
 *   PARK_ANYWAY     a call whose partner was ended elsewhere parks, and does not start over (S3)
 *   LINE_UP_BLIND   a case lines up without looking, under its lock, whether it is ready
 *   STAY_IN_LINE    a call that is over leaves its other nodes in line                      (N3)
 *   CANCEL_UNASKED  cancelling wakes without asking whether the wait is over (-DCANCEL)     (N1)
 */
#define SENDER 2                /* the plain sender's number; 0 and 1 select */
#define GOROUTINES 3
#define CASES 2
#define NODES 6                 /* node = goroutine * CASES + case */
#define NOBODY 9

#define CLOSED 8                /* what `slot` says when no value was handed over */
#define CANCELED 8              /* `ended`: 0 is open, else a case's number from 1, or this */

mtype = { waiting, over, start_over };

bit lock[2];
bit closed[2];
chan receivers[2] = [NODES] of { byte };
chan senders[2] = [NODES] of { byte };

byte channel[NODES];            /* which channel a case is about, and which way */
bit sends[NODES];
byte slot[NODES];               /* the value to send, or that was received: 1 to 3 */
bit linked[NODES];

byte ended[GOROUTINES];
bit woken[GOROUTINES];
bit parked[GOROUTINES];
bit canceled, may_cancel;       /* the cancel word; whether the first select is linked to it */

byte delivered[4], received[4]; /* how often each value was, for calls that are over */

inline lock_channel(c) {
    d_step { !lock[c] -> lock[c] = 1 }
}

inline unlock_channel(c) {
    d_step { assert(lock[c]); lock[c] = 0 }
}

inline push(n) {
    if
    :: d_step { sends[n] -> senders[channel[n]] ! n; linked[n] = 1 }
    :: d_step { !sends[n] -> receivers[channel[n]] ! n; linked[n] = 1 }
    fi
}

inline remove(n) {
    if
    :: d_step { linked[n] && sends[n] -> senders[channel[n]] ?? eval(n); linked[n] = 0 }
    :: d_step { linked[n] && !sends[n] -> receivers[channel[n]] ?? eval(n); linked[n] = 0 }
    :: !linked[n]
    fi
}

/* Takes the first node out of the line that is not the caller's own. */
inline take_first(line) {
    atomic {
        peer = NOBODY;
        turns = len(line);
        do
        :: turns > 0 ->
            turns--;
            line ? node;
            if
            :: peer == NOBODY && node / CASES != me -> peer = node; linked[node] = 0
            :: else -> line ! node
            fi
        :: else -> break
        od;
        node = 0
    }
}

/* Ends the wait that `peer` stands for; if it has been ended already, it is no peer. */
inline end_peer() {
    d_step {
        if
#ifdef TAKE_UNCLAIMED
        :: true ->
#else
        :: ended[peer / CASES] == 0 ->
#endif
            ended[peer / CASES] = peer % CASES + 1
        :: ended[peer / CASES] != 0 ->
            assert(peer / CASES != SENDER);
            peer = NOBODY
        fi
    }
}

inline pop(line) {
    do
    :: take_first(line);
        if
        :: peer == NOBODY -> break
        :: else -> end_peer()
        fi;
        if
        :: peer != NOBODY -> break
        :: else
        fi
    od
}

inline wake(g) {
    d_step { assert(!woken[g]); woken[g] = 1 }
}

inline wake_peer() {
    if
    :: peer != NOBODY -> wake(peer / CASES)
    :: else
    fi;
    peer = NOBODY
}

/* send_now, recv_now: under the lock, case `n` of the caller, if it need not wait. */
inline try_locked(n) {
    if
    :: sends[n] && closed[channel[n]] -> done = 1; slot[n] = CLOSED
    :: sends[n] && !closed[channel[n]] -> pop(receivers[channel[n]])
    :: !sends[n] -> pop(senders[channel[n]])
    fi;
    if
    :: d_step { peer != NOBODY && sends[n] -> slot[peer] = slot[n]; done = 1 }
    :: d_step { peer != NOBODY && !sends[n] -> slot[n] = slot[peer]; done = 1 }
    :: d_step { peer == NOBODY && !done && !sends[n] && closed[channel[n]] ->
            slot[n] = CLOSED; done = 1 }
    :: else
    fi
}

inline is_partner(o, n) {
    done = done || (linked[o] && o / CASES != me &&
                    channel[o] == channel[n] && sends[o] != sends[n])
}

/* Under the lock: whether case `n` can proceed with anybody but the caller itself. */
inline look(n) {
    d_step {
        done = closed[channel[n]];
        is_partner(0, n);
        is_partner(1, n);
        is_partner(2, n);
        is_partner(3, n);
        is_partner(4, n)
    }
}

inline try_case(n) {
    chosen = n;
    lock_channel(channel[chosen]);
    try_locked(chosen);
    unlock_channel(channel[chosen]);
    wake_peer()
}

/* Tries cases without waiting, in any order: what looks blocked from outside is not tried. */
inline try_all() {
    do
    :: !done && !(tried & 1) -> tried = tried | 1; try_case(me * CASES)
    :: !done && !(tried & 2) -> tried = tried | 2; try_case(me * CASES + 1)
    :: true -> break
    od;
    tried = 0
}

inline leave_line(n) {
    lock_channel(channel[n]);
    remove(n);
    unlock_channel(channel[n])
}

inline leave_lines() {
#ifdef STAY_IN_LINE
    skip
#else
    leave_line(me * CASES);
    leave_line(me * CASES + 1)
#endif
}

/* Puts case `chosen` in line, unless it can be taken at once. */
inline line_up_case() {
    lock_channel(channel[chosen]);
    look(chosen);
#ifdef LINE_UP_BLIND
    done = 0;
#endif
    if
    :: !done ->
        push(chosen);
        unlock_channel(channel[chosen]);
        result = (ended[me] == 0 -> waiting : over)
    :: else ->
        d_step {
            done = 0;
            claimed = (ended[me] == 0);
            ended[me] = (claimed -> chosen % CASES + 1 : ended[me]);
#ifdef SELF_UNCLAIMED
            claimed = 1
#endif
        };
        if
        :: claimed -> try_locked(chosen); result = (done -> over : start_over)
        :: else -> result = over
        fi;
        unlock_channel(channel[chosen]);
        wake_peer();
        claimed = 0
    fi
}

/* Stands in line everywhere: unless `done` then, the caller must park. */
inline line_up() {
    do
    :: d_step { ended[me] = 0; slot[me * CASES] = me + 1; slot[me * CASES + 1] = me + 1 };
        if
        :: chosen = me * CASES
        :: chosen = me * CASES + 1
        fi;
        line_up_case();
        if
        :: result == waiting ->
            chosen = (chosen % CASES == 0 -> chosen + 1 : chosen - 1);
            line_up_case()
        :: else
        fi;
#ifdef PARK_ANYWAY
        break;
#endif
        if
        :: result == start_over ->
            leave_lines();
            d_step { slot[me * CASES] = me + 1; slot[me * CASES + 1] = me + 1 };
            try_all()
        :: else -> break
        fi;
        if
        :: done -> break
        :: else
        fi
    od;
    result = waiting
}

inline park() {
    parked[me] = 1;
    d_step { woken[me] -> woken[me] = 0; parked[me] = 0 }
}

#ifdef CANCEL
/* park_limited: the wait is linked to the cancel word while it lasts. */
inline park_limited() {
    if
    :: d_step { me != 0 || !canceled -> may_cancel = (me == 0 -> 1 : may_cancel) }; park()
    :: d_step { me == 0 && canceled ->
            claimed = (ended[me] == 0);
            ended[me] = (claimed -> CANCELED : ended[me]) };
        if
        :: claimed -> claimed = 0
        :: else -> park()
        fi
    fi;
    may_cancel = (me == 0 -> 0 : may_cancel)
}
#else
#define park_limited park
#endif

/* What a call that is over has sent or received. */
inline account(n) {
    d_step {
        if
        :: slot[n] == CLOSED
        :: slot[n] != CLOSED && sends[n] -> delivered[slot[n]]++
        :: slot[n] != CLOSED && !sends[n] -> received[slot[n]]++
        fi
    }
}

proctype selecting(byte me) {
    bit done, claimed;
    byte peer = NOBODY;
    byte chosen, node, turns, tried;
    mtype result = waiting;
    d_step { slot[me * CASES] = me + 1; slot[me * CASES + 1] = me + 1 };
    try_all();
    if
    :: !done ->
        line_up();
        if
        :: !done -> park_limited(); chosen = me * CASES + ended[me] - 1
        :: else
        fi;
        leave_lines()
    :: else
    fi;
    assert(!linked[me * CASES] && !linked[me * CASES + 1] && !woken[me]);
    if
    :: done || ended[me] != CANCELED -> account(chosen)
    :: else
    fi
}

/* A plain send to the first channel; nobody contests its waiter. */
proctype sender(byte me) {
    bit done;
    byte peer = NOBODY;
    byte node, turns;
    slot[me * CASES] = me + 1;
    lock_channel(0);
    try_locked(me * CASES);
    if
    :: done -> unlock_channel(0); wake_peer()
    :: else -> push(me * CASES); unlock_channel(0); park()
    fi;
    account(me * CASES)
}

#ifdef CANCEL
proctype canceller() {
    bit won;
    d_step {
        canceled = 1;
        won = (may_cancel && ended[0] == 0);
#ifdef CANCEL_UNASKED
        won = may_cancel;
#endif
        ended[0] = (won -> CANCELED : ended[0])
    };
    if
    :: won -> wake(0)
    :: else
    fi
}
#else
proctype closer(byte c) {
    byte me = NOBODY;
    byte peer, node, turns;
    chan to_wake = [GOROUTINES] of { byte };
    lock_channel(c);
    closed[c] = 1;
    do
    :: pop(receivers[c]);
        if
        :: peer == NOBODY -> pop(senders[c])
        :: else
        fi;
        if
        :: peer == NOBODY -> break
        :: else -> slot[peer] = CLOSED; to_wake ! peer
        fi
    od;
    unlock_channel(c);
    do
    :: to_wake ? peer -> wake_peer()
    :: empty(to_wake) -> break
    od
}
#endif

init {
    atomic {
        sends[SENDER * CASES] = 1;
#ifdef MIRROR
        sends[0] = 1;
        sends[2] = 1;
#else
        channel[1] = 1;
#ifdef CROSS
        sends[0] = 1;
        sends[3] = 1;
#endif
        channel[3] = 1;
#endif
        run selecting(0);
        run selecting(1);
        run sender(SENDER);
#ifdef CANCEL
        run canceller()
#elif defined(MIRROR)
        run closer(0)
#else
        run closer(1)
#endif
    }
}

inline no_partner(n, o) {
    assert(!(linked[n] && linked[o] && channel[n] == channel[o] && sends[n] != sends[o]))
}

active proctype at_rest() {
    byte i, j;
    timeout;
    assert(!lock[0] && !lock[1]);
    for (i : 0 .. GOROUTINES - 1) {
        assert(!parked[i] || ended[i] == 0);
        assert(!woken[i])
    }
    for (i : 0 .. NODES - 1) {
        assert(!linked[i] || (parked[i / CASES] && !closed[channel[i]]));
        for (j : 0 .. NODES - 1) {
            if
            :: i / CASES != j / CASES -> no_partner(i, j)
            :: else
            fi
        }
    }
    for (i : 1 .. 3) {
        assert(received[i] == delivered[i] && received[i] <= 1)
    }
}
