/* model/monitor.pml: while workers come and go, somebody keeps watch.
 *
 * Models     src/sched/monitor.cpp and what sleep.cpp owes it: two workers of a runtime that needs one,
 *            so that one may retire and be brought back; the monitor, which sleeps while all workers do;
 *            a submitter from outside; a timer; a goroutine that never ends. How a token travels is in
 *            idle.pml: here it is one step.
 * Checks     When nothing can move any more: no work waits and no timer is pending. If no worker is
 *            stuck: all asleep, one in the poller, quiescent() has been called since the last of them
 *            fell asleep (deadlock reports and virtual time rest on it), and the monitor sleeps too.
 *            If one is stuck, the monitor does not sleep.
 *
 * Variants that must fail
 *   RETIRE_QUIETLY  the last worker awake retires without waking one of the sleepers
 *   SLEEP_AT_ONCE   the monitor does not look again after it has said that it sleeps
 *   ROUSE_EARLY     a worker looks whether the monitor sleeps before it leaves the list
 *   NO_HELP         the monitor does not care about timers that nobody watches
 */
#define WORKERS 2
#define BASE 1
#define ITEMS 2
#define TICKS 2
#define NOBODY 9

byte todo;                      /* in the inject queue */
byte in_use = WORKERS;
byte searching, sleeping;       /* the idle word */
bit listed[WORKERS], token[WORKERS], retired[WORKERS];
bit poller_taken;
bit armed, due;                 /* a timer is pending; its time has come */
bit timer_used;

bit monitor_lock, monitor_asleep, monitor_in_futex;
bit seen_stuck;                 /* what the monitor last saw */
bit blocked;                    /* a worker runs a goroutine that never ends */
byte ticks;                     /* ticks without a reason: bounds the model */

bit settled;                    /* quiescent() was called, and nobody got up since */

inline pick_and_wake() {
    d_step {
        chosen = (listed[0] -> 0 : (listed[1] -> 1 : NOBODY));
        if
        :: chosen != NOBODY -> listed[chosen] = 0; sleeping--; searching++
        :: else
        fi
    };
    if
    :: chosen != NOBODY -> token[chosen] = 1
    :: else
    fi;
    chosen = 0
}

inline announce() {
    yes = (sleeping != 0 && searching == 0);
    if
    :: yes -> yes = 0; pick_and_wake()
    :: else
    fi
}

active proctype submitter() {
    byte left = ITEMS;
    byte chosen;
    bit yes;
    do
    :: left > 0 -> left--; todo++; announce()
    :: else -> break
    od
}

active proctype time() {
    do
    :: d_step { armed && !due -> due = 1 }
    od
}

inline rouse_monitor() {
    if
    :: monitor_asleep -> monitor_asleep = 0; monitor_in_futex = 0
    :: else
    fi
}

/* Puts the worker aside while there are more than needed. */
inline retire() {
    if
    :: in_use > BASE && !seen_stuck ->
        d_step { !monitor_lock -> monitor_lock = 1 };
        if
        :: in_use > BASE ->
            d_step { searching = searching - mine; yes = (mine && searching == 0); mine = 0 };
            if
            :: yes -> announce()
            :: else
            fi;
            retired[me] = 1;
            d_step { yes = 0; in_use-- };
            monitor_lock = 0;
#ifndef RETIRE_QUIETLY
            /* Those who are left may all have fallen asleep while this one was still needed. */
            n = sleeping;
            if
            :: n >= in_use -> pick_and_wake()
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
        yes = listed[me];
        settled = 0;
        if
        :: yes -> listed[me] = 0; sleeping--; searching++
        :: else
        fi
    };
    if
    :: !yes -> token[me]; token[me] = 0
    :: else
    fi;
#ifndef ROUSE_EARLY
    rouse_monitor();
#endif
    d_step { yes = 0; mine = 1 }
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
    :: else ->
        if
        :: n >= in_use ->
            d_step { settled = (settled || (sleeping >= in_use && todo == 0)) }
        :: else
        fi;
        d_step { yes = !poller_taken; poller_taken = 1 };
        if
        :: yes ->
            if
            :: due
            :: token[me]
            fi;
            poller_taken = 0
        :: else -> token[me]
        fi
    fi;
    n = 0;
    get_up()
}

inline look() {
    d_step {
        if
        :: todo != 0 -> todo--; got = 1
        :: todo == 0 && due -> due = 0; armed = 0; got = 1
        :: else
        fi
    }
}

proctype worker(byte me) {
    bit mine, got, yes;
    byte chosen, n;
    do
    :: retire();
        look();
        if
        :: !got && !mine ->
            d_step {
                if
                :: 2 * searching < in_use - sleeping -> searching++; mine = 1
                :: else
                fi
            };
            look()
        :: else
        fi;
        if
        :: !got -> sleep()
        :: else ->
            d_step { searching = searching - mine; yes = (mine && searching == 0); mine = 0 };
            if
            :: yes && todo != 0 -> announce()
            :: else
            fi;
            d_step { yes = 0; got = 0 };
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
#define a_worker_is_to_be_had (sleeping != 0 || (blocked && (retired[0] || retired[1])))

/* Brings a worker in if there is something to do for one. */
inline help() {
#ifdef NO_HELP
    yes = (todo != 0);
#else
    yes = work_waits;
#endif
    if
    :: yes && sleeping != 0 -> pick_and_wake()
    :: yes && sleeping == 0 && seen_stuck ->
        d_step { !monitor_lock -> monitor_lock = 1 };
        d_step {
            chosen = (retired[0] -> 0 : (retired[1] -> 1 : NOBODY));
            if
            :: chosen != NOBODY -> in_use++; retired[chosen] = 0; token[chosen] = 1
            :: else
            fi;
            chosen = 0
        };
        monitor_lock = 0
    :: else
    fi;
    yes = 0
}

active proctype monitor() {
    byte chosen, n;
    bit yes;
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
            monitor_asleep = 0
        :: else ->
            /* A tick that would change nothing is left out, but for a few. */
            if
            :: d_step { ticks < TICKS -> ticks++ }
            :: sleeping >= in_use || seen_stuck != blocked
            :: work_waits && a_worker_is_to_be_had
            fi;
            /* A worker that merely runs for long looks the same as one that never ends. */
            if
            :: seen_stuck = 1
            :: !blocked -> seen_stuck = 0
            fi;
            help()
        fi;
        n = 0
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
