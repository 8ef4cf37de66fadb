#include "src/event/poll_desc.hpp"

#include <memory>
#include <mutex>
#include <new>

#include "src/event/poller.hpp"
#include "src/os/socket.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t chunk_size = 256;
constexpr std::size_t max_chunks = 16384;

/// All descs there are. Never destroyed: late events, and handles in static objects, may look.
class desc_table {
public:
    [[nodiscard]] poll_desc& at(std::uint32_t index) noexcept {
        return chunks_[index / chunk_size].load()[index % chunk_size];
    }
    [[nodiscard]] std::uint32_t count() const noexcept { return count_.load(); }

    poll_desc*& free_list() noexcept { return free_; }
    std::mutex& lock() noexcept { return lock_; }

    /// The first index of a new chunk; under lock().
    [[nodiscard]] std::uint32_t grow() {
        const std::uint32_t first = count_.load();
        if (first / chunk_size >= max_chunks) {
            throw std::bad_alloc();
        }
        chunks_[first / chunk_size].store(new poll_desc[chunk_size]);
        count_.store(first + static_cast<std::uint32_t>(chunk_size));
        return first;
    }

private:
    std::mutex lock_;
    std::array<std::atomic<poll_desc*>, max_chunks> chunks_{};
    std::atomic<std::uint32_t> count_ = 0;
    poll_desc* free_ = nullptr;  ///< protected by lock_
};

desc_table& table() {
    static auto* const t = new desc_table;
    return *t;
}

}  // namespace

poll_desc& poll_desc::at(std::uint32_t index) noexcept { return table().at(index); }

std::uint32_t poll_desc::count() noexcept { return table().count(); }

poll_desc& poll_desc::open(int fd) {
    desc_table& all = table();
    poll_desc* d = nullptr;
    {
        const std::lock_guard hold(all.lock());
        if (all.free_list() == nullptr) {
            const std::uint32_t first = all.grow();
            for (std::uint32_t i = chunk_size; i-- != 0;) {
                poll_desc& fresh = all.at(first + i);
                fresh.index_ = first + i;
                fresh.next_free_ = all.free_list();
                all.free_list() = &fresh;
            }
        }
        d = all.free_list();
        all.free_list() = d->next_free_;
    }
    {
        const std::lock_guard hold(d->lock_);  // a late event may look
        d->fd_ = fd;
        d->broken_ = false;
        d->home_ = nullptr;
        for (poll_side& s : d->sides_) {
            s.ready = false;
            s.deadline.store(never);
            s.drained.store(false, std::memory_order_relaxed);  // [P-1]
            s.at_once.store(0, std::memory_order_relaxed);      // [P-1]
        }
    }
    d->owners_.store(2);
    d->use_.store(one_use);
    return *d;
}

bool poll_desc::begin_use() noexcept {
    std::uint32_t seen = use_.load();
    do {
        if ((seen & closing) != 0) {
            return false;
        }
    } while (!use_.compare_exchange_weak(seen, seen + one_use));
    return true;
}

void poll_desc::end_use() noexcept {
    if (use_.fetch_sub(one_use) == (one_use | closing)) {
        close_descriptor();
    }
}

waiter* poll_desc::take_waiter(poll_side& s, std::uint32_t how) noexcept {
    waiter* const who = s.who;
    s.who = nullptr;
    return who != nullptr && who->end(how) ? who : nullptr;
}

bool poll_desc::close(poll_woken& out) noexcept {
    if ((use_.fetch_or(closing) & closing) != 0) {
        return false;
    }
    const std::lock_guard hold(lock_);
    out.read = take_waiter(side(poll_direction::read), side_closed);
    out.write = take_waiter(side(poll_direction::write), side_closed);
    return true;
}

void poll_desc::close_descriptor() noexcept {
    {
        const std::lock_guard hold(lock_);
        if (home_ != nullptr) {
            home_->release(*this);
        }
    }
    os::close_socket(fd_);
    drop_owner();
}

void poll_desc::drop() noexcept { drop_owner(); }

void poll_desc::drop_owner() noexcept {
    if (owners_.fetch_sub(1) == 1) {
        desc_table& all = table();
        const std::lock_guard hold(all.lock());
        next_free_ = all.free_list();
        all.free_list() = this;
    }
}

waiter* poll_desc::set_deadline(poll_direction d, ticks deadline) noexcept {
    const std::lock_guard hold(lock_);
    poll_side& s = side(d);
    s.deadline.store(deadline);
    return take_waiter(s, side_look_again);
}

}  // namespace runnel::detail
