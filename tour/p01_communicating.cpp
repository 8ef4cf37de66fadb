// P1: do not communicate by sharing memory; share memory by communicating.
//
// A process (a goroutine) takes values from channels, works, and gives values to channels; select
// lets it attend to several channels at once. Locks and atomics exist too, for small and local
// state. Here the same account is kept both ways.
#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <utility>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::chan;
using runnel::go;
using runnel::make_chan;
using runnel::recv_chan;
using runnel::send_chan;

constexpr int depositors = 8;
constexpr int deposits_each = 500;
constexpr int expected = depositors * deposits_each;

/// Runs `deposit` from many goroutines at once and returns when all have ended.
template <class F>
void deposit_from_many(F deposit) {
    runnel::wait_group all;
    for (int i = 0; i < depositors; ++i) {
        all.go([&] {
            for (int n = 0; n < deposits_each; ++n) {
                deposit();
            }
        });
    }
    all.wait();
}

// [teller]
/// The account as a process: `balance` belongs to one goroutine, so it needs no lock. A question
/// carries the channel for its answer. Ends when `deposits` is closed.
void teller(const recv_chan<int>& deposits, const recv_chan<send_chan<int>>& questions) {
    int balance = 0;
    for (bool open = true; open;) {
        runnel::select(runnel::on_recv(deposits,
                                       [&](std::optional<int> amount) {
                                           open = amount.has_value();  // nullopt: closed
                                           balance += amount.value_or(0);
                                       }),
                       runnel::on_recv(questions, [&](const std::optional<send_chan<int>>& answer) {
                           answer->send(balance);  // one slot: does not wait for a slow asker
                       }));
    }
}

int account_by_communicating() {
    auto deposits = make_chan<int>();
    auto questions = make_chan<send_chan<int>>();
    auto ended = runnel::spawn(teller, deposits, questions);

    deposit_from_many([&] { deposits.send(1); });
    auto answer = make_chan<int>(1);
    questions.send(answer);
    const int balance = answer.recv().value_or(-1);

    deposits.close();
    ended.join();
    return balance;
}
// [/teller]

// [mutex]
int account_by_mutex() {
    runnel::mutex lock;  // protects balance
    int balance = 0;
    deposit_from_many([&] {
        const std::lock_guard hold(lock);
        ++balance;
    });
    return balance;
}
// [/mutex]

int account_by_atomic() {
    std::atomic<int> balance = 0;
    deposit_from_many([&] { ++balance; });
    return balance;
}

/// Readers share, a writer is alone.
bool readers_share() {
    runnel::shared_mutex lock;  // protects balance
    int balance = 0;
    auto both = make_chan<runnel::unit>();
    runnel::wait_group readers;
    for (int i = 0; i < 2; ++i) {
        readers.go([&, i] {
            const std::shared_lock hold(lock);
            if (i == 0) {  // each waits for the other while it holds the lock
                both.send();
            } else {
                static_cast<void>(both.recv());
            }
            check(balance == 0, "nobody writes while somebody reads");
        });
    }
    readers.wait();
    const std::unique_lock hold(lock);
    return ++balance == 1;
}

/// Holds one number at a time. This is what a channel of capacity 1 does for you, and a channel
/// can also be closed, timed and selected.
class mailbox {
public:
    void put(int number) {
        std::unique_lock hold(lock_);
        changed_.wait(hold, [&] { return !number_; });
        number_ = number;
        changed_.notify_all();
    }

    int take() {
        std::unique_lock hold(lock_);
        changed_.wait(hold, [&] { return number_.has_value(); });
        const int number = *std::exchange(number_, std::nullopt);
        changed_.notify_all();
        return number;
    }

private:
    runnel::mutex lock_;  // protects number_
    runnel::condition_variable changed_;
    std::optional<int> number_;
};

int sum_through_mailbox() {
    mailbox box;
    auto producer = runnel::spawn([&] {
        for (int i = 1; i <= 100; ++i) {
            box.put(i);
        }
    });
    int sum = 0;
    for (int i = 1; i <= 100; ++i) {
        sum += box.take();
    }
    producer.join();
    return sum;
}

int sum_through_channel() {
    auto numbers = make_chan<int>(1);
    go([=] {
        for (int i = 1; i <= 100; ++i) {
            numbers.send(i);
        }
        numbers.close();
    });
    int sum = 0;
    for (const int number : numbers) {
        sum += number;
    }
    return sum;
}

void show(const char* how, int result, int right) {
    say(how, ": ", result);
    check(result == right, how);
}

}  // namespace

void p01_communicating() {
    show("account, a goroutine with select", account_by_communicating(), expected);
    show("account, a mutex", account_by_mutex(), expected);
    show("account, an atomic", account_by_atomic(), expected);
    show("1 + ... + 100 through a channel", sum_through_channel(), 5050);
    show("1 + ... + 100 through a condition variable", sum_through_mailbox(), 5050);
    check(readers_share(), "a reader-writer lock");
    say("two readers at once, then a writer: ok");
    const auto left = goroutines_left();
    say_fixed("the seed has no program here; every way gives the same account; left alive: ", left);
    check(left == 0, "the teller has ended");
}

}  // namespace tour
