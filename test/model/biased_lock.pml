/* model/biased_lock.pml: the owner and a thief are never inside together, and each sees what the
 * other has done.
 *
 * Models     src/sched/biased_lock.hpp: the owner, whose stores go through a store buffer; two
 *            thieves; the fence in all threads, which empties the owner's buffer at some moment
 *            during the call.
 * Leaves out the thieves' own store buffers: each orders its stores by the same fence, and hands
 *            over to the next thief through a lock that they take with a read-modify-write.
 * Checks     Mutual exclusion; whoever is inside sees all changes so far; nobody waits for ever.
 *
 * Variants that must fail
 *   NO_FENCE         the thief does not fence the owner                                    (A-1)
 *   NO_WAIT          the thief does not wait until the owner is outside                    (A3)
 *   NO_RECHECK       having waited for a thief, the owner goes in without asking again     (A2)
 *   LEAVE_RELAXED    the owner's last store may overtake those that it made inside         (A-2)
 *   EAGER_OWNER      the owner asks whether somebody claims before it says that it is inside
 *   NO_THIEVES_LOCK  the thieves do not exclude each other                                 (A4)
 */
#define OWNER_ROUNDS 3
#define THIEVES 2
#define ROOM 4

#define INSIDE 0
#define DATA 1

byte memory[2];                 /* inside_, and what the lock protects */
bit claimed;                    /* thieves store to it without delay */
bit thieves_lock;

chan buffer = [ROOM] of { byte, byte };  /* the owner's stores on their way to memory */
byte own_data;                  /* what the owner reads: its own store, while that is buffered */
byte data_in_buffer;

byte inside_now;                /* how many are inside */
byte changes;                   /* made so far under the lock */

inline commit() {
    buffer ? where, value;
    memory[where] = value;
    data_in_buffer = data_in_buffer - (where == DATA);
    where = 0;
    value = 0
}

active proctype store_buffer() {
    byte where, value;
end:
    do
    :: atomic { nempty(buffer) -> commit() }
    od
}

inline go_in() {
    d_step { inside_now++; assert(inside_now == 1) }
}

/* `seen` is what the caller has read as the protected data. */
inline check_seen(seen) {
    assert(seen == changes)
}

inline say_inside() {
    atomic { nfull(buffer) -> buffer ! INSIDE, 1 }
}

inline say_outside() {
#ifdef LEAVE_RELAXED
    d_step { !(buffer ?? [INSIDE, _]) -> memory[INSIDE] = 0 }
#else
    atomic { nfull(buffer) -> buffer ! INSIDE, 0 }
#endif
}

inline owner_lock() {
#ifdef EAGER_OWNER
    !claimed;
    say_inside();
#else
    say_inside();
    do
    :: !claimed -> break
    :: else ->
        atomic { nfull(buffer) -> buffer ! INSIDE, 0 };
        !claimed;
        say_inside();
#ifdef NO_RECHECK
        break
#endif
    od
#endif
}

active proctype owner() {
    byte round;
    for (round : 1 .. OWNER_ROUNDS) {
        owner_lock();
        go_in();
        d_step {
            if
            :: data_in_buffer == 0 -> own_data = memory[DATA]
            :: else
            fi;
            check_seen(own_data)
        };
        atomic {
            nfull(buffer) -> own_data++;
            changes++;
            data_in_buffer++;
            buffer ! DATA, own_data
        };
        inside_now--;
        say_outside()
    }
}

inline thief_lock() {
#ifndef NO_THIEVES_LOCK
    d_step { !thieves_lock -> thieves_lock = 1 };
#endif
    claimed = 1;
#ifndef NO_FENCE
    atomic {
        do
        :: nempty(buffer) -> commit()
        :: empty(buffer) -> break
        od
    };
#endif
#ifndef NO_WAIT
    memory[INSIDE] == 0
#else
    skip
#endif
}

active [THIEVES] proctype thief() {
    byte where, value;
    thief_lock();
    go_in();
    value = memory[DATA];
    d_step { check_seen(value); changes++; memory[DATA] = value + 1; value = 0 };
    inside_now--;
    claimed = 0;
#ifndef NO_THIEVES_LOCK
    thieves_lock = 0
#endif
}
