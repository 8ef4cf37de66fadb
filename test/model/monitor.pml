/* model/monitor.pml: while workers come and go, somebody keeps watch.
 *
 * Models     src/sched/monitor.cpp and what sleep.cpp owes it: two workers of a runtime that
 *            needs one, so that one may retire and be brought back; the monitor, which sleeps
 *            while all workers do; a submitter from outside; a timer; a goroutine that never
 *            ends.
 * Leaves out how a wake-up travels: that is in idle.pml, and one step here. A timer that is
 *            pending may be due or not, whenever somebody looks.
 * Checks     When nothing can move any more: no work waits and no timer is pending. If no worker
 *            is stuck: all sleep, one of them in the poller; quiescent() has been called since
 *            the last of them fell asleep (deadlock reports and virtual time rest on it); the
 *            monitor sleeps too. If a worker is stuck, the monitor does not sleep.
 *
 * Variants that must fail
 *   RETIRE_QUIETLY  the last worker awake retires without waking one of the sleepers
 *   SLEEP_AT_ONCE   the monitor does not look again after it has said that it sleeps
 *   ROUSE_EARLY     a worker looks whether the monitor sleeps before it leaves the list
 *   NO_HELP         the monitor does not care about work that nobody looks for
 */
#define WORKERS 2
#define BASE 1
#define ITEMS 2
#define TICKS 1
#define NOBODY 9

byte todo;                      /* in the inject queue */
bit armed, timer_used;          /* a timer is pending; has been */
byte in_use = WORKERS;          /* workers that are not retired: `active_` */
byte searching, sleeping;       /* the idle word */
bit listed[WORKERS], token[WORKERS], retired[WORKERS];
bit poller_taken;

bit monitor_lock, monitor_asleep, monitor_in_futex;
bit seen_stuck;                 /* what the monitor last saw */
bit blocked;                    /* a worker runs a goroutine that never ends */
byte ticks;                     /* ticks without a reason: bounds the model */

bit settled;                    /* quiescent() was called, and nobody has got up since */

#define running (in_use - sleeping - searching)

inline wake(w) {
    listed[w] = 0;
    token[w] = 1;
    sleeping--;
    searching++
}

inline wake_one() {
    d_step {
        if
        :: listed[0] -> wake(0)
        :: listed[1] -> wake(1)
        :: else
        fi
    }
}

inline announce() {
    d_step {
        if
        :: searching == 0 && listed[0] -> wake(0)
        :: searching == 0 && listed[1] -> wake(1)
        :: else
        fi
    }
}

active proctype submitter() {
    byte left = ITEMS;
    do
    :: left > 0 -> d_step { left--; todo++ }; announce()
    :: else -> break
    od
}

inline rouse_monitor() {
    d_step { monitor_in_futex = (monitor_asleep -> 0 : monitor_in_futex); monitor_asleep = 0 }
}

/* Puts the worker aside while there are more than needed. */
inline retire() {
    if
    :: in_use > BASE && !seen_stuck ->
        d_step { !monitor_lock -> monitor_lock = 1 };
        if
        :: in_use > BASE ->
            d_step { searching = searching - mine; yes = mine; mine = 0 };
            if
            :: yes -> announce()
            :: else
            fi;
            d_step { yes = 0; retired[me] = 1; in_use--; monitor_lock = 0 };
#ifndef RETIRE_QUIETLY
            /* The others may have fallen asleep while this one still counted. */
            n = sleeping;
            if
            :: n >= in_use -> wake_one()
            :: else
            fi;
            n = 0;
#endif
            d_step { token[me] -> token[me] = 0 }
        :: else -> monitor_lock = 0
        fi
    :: else
    fi
}

inline get_up() {
#ifdef ROUSE_EARLY
    rouse_monitor();
#endif
    d_step {
        settled = 0;
        searching = searching + listed[me];
        sleeping = sleeping - listed[me];
        token[me] = (listed[me] -> 1 : token[me]);
        listed[me] = 0;
        mine = 1
    };
    d_step { token[me] -> token[me] = 0 };
#ifndef ROUSE_EARLY
    rouse_monitor()
#endif
}

inline sleep() {
    d_step {
        listed[me] = 1;
        sleeping++;
        searching = searching - mine;
        mine = 0;
        n = sleeping
    };
    if
    :: todo != 0
    :: todo == 0 ->
        if
        :: n >= in_use -> settled = (settled || (sleeping >= in_use && todo == 0))
        :: else
        fi;
        d_step { n = 0; yes = !poller_taken; poller_taken = 1 };
        if
        :: yes -> armed || token[me]; d_step { yes = 0; poller_taken = 0 }
        :: else -> token[me]
        fi
    fi;
    n = 0;
    get_up()
}

inline look() {
    if
    :: d_step { todo != 0 -> todo--; got = 1 }
    :: d_step { todo == 0 && armed -> armed = 0; got = 1 }
    :: todo == 0
    fi
}

proctype worker(byte me) {
    bit mine, got, yes;
    byte n;
    do
    :: retire();
        if
        :: d_step { !mine && 2 * searching < in_use - sleeping -> searching++; mine = 1 }
        :: true
        fi;
        look();
        if
        :: !got -> sleep()
        :: else ->
            d_step {
                searching = searching - mine;
                yes = (mine && searching == 0 && todo != 0);
                mine = 0;
                got = 0
            };
            if
            :: yes -> yes = 0; announce()
            :: else
            fi;
            /* What it runs may wait for a timer, or never end. */
            if
            :: d_step { !timer_used -> timer_used = 1; armed = 1 }
            :: d_step { !blocked -> blocked = 1 };
                false
            :: true
            fi
        fi
    od
}

#define work_waits (todo != 0 || (armed && !poller_taken))
#define somebody_is_free (sleeping != 0 || (blocked && (retired[0] || retired[1])))

/* Brings a worker in if there is something to do for one. */
inline help() {
#ifndef NO_HELP
    if
    :: work_waits && sleeping != 0 -> wake_one()
    :: work_waits && sleeping == 0 && seen_stuck ->
        d_step { !monitor_lock -> monitor_lock = 1 };
        d_step {
            if
            :: retired[0] -> in_use++; retired[0] = 0; token[0] = 1
            :: retired[1] -> in_use++; retired[1] = 0; token[1] = 1
            :: else
            fi;
            monitor_lock = 0
        }
    :: else
    fi
#else
    skip
#endif
}

active proctype monitor() {
    byte n;
    do
    :: n = sleeping;
        if
        :: n >= in_use ->
            monitor_asleep = 1;
#ifndef SLEEP_AT_ONCE
            n = sleeping;
#endif
            if
            :: n >= in_use -> monitor_in_futex = monitor_asleep; !monitor_in_futex
            :: else
            fi;
            d_step { n = 0; monitor_asleep = 0 }
        :: else ->
            /* Ticks that would change nothing are left out, but for a few. What runs for long
             * looks like what never ends. */
            if
            :: d_step { ticks < TICKS -> ticks++; n = 0 }
            :: d_step { sleeping >= in_use || seen_stuck != blocked -> n = 0 }
#ifndef NO_HELP
            :: d_step { work_waits && somebody_is_free -> n = 0 }
#endif
            fi;
            if
            :: running > 0 -> seen_stuck = 1
            :: !blocked -> seen_stuck = 0
            fi;
            help()
        fi
    od
}

init {
    atomic { run worker(0); run worker(1) }
}

active proctype at_rest() {
    timeout;
    assert(todo == 0 && !armed && !monitor_lock);
    if
    :: blocked -> assert(!monitor_in_futex)
    :: else ->
        assert(sleeping == in_use && searching == 0 && poller_taken);
        assert(settled && monitor_in_futex)
    fi
}
