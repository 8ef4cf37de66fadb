#include <runnel/detail/socket.hpp>

#include "src/event/poll_desc.hpp"
#include "src/net/socket_address.hpp"
#include "src/os/socket.hpp"
#include "src/sched/wait_socket.hpp"

namespace runnel::detail {
namespace {

/// Uses `d` for one short call, if it is open; else returns what `otherwise` is.
template <class F, class R>
R while_open(poll_desc* d, R otherwise, F f) {
    if (d == nullptr || !d->begin_use()) {
        return otherwise;
    }
    R result = f(d->fd());
    d->end_use();
    return result;
}

}  // namespace

socket::socket(int fd) {
    try {
        desc_ = &poll_desc::open(fd);
    } catch (...) {
        os::close_socket(fd);
        throw;
    }
}

socket& socket::operator=(socket&& other) noexcept {
    if (this != &other) {
        reset();
        desc_ = std::exchange(other.desc_, nullptr);
    }
    return *this;
}

void socket::reset() noexcept {
    if (desc_ != nullptr) {
        close();
        std::exchange(desc_, nullptr)->drop();
    }
}

bool socket::is_open() const noexcept { return desc_ != nullptr && !desc_->closed(); }

void socket::close() noexcept {
    if (desc_ != nullptr) {
        close_socket(*desc_);
    }
}

void socket::set_read_deadline(clock::time_point t) noexcept {
    if (desc_ != nullptr) {
        set_socket_deadline(*desc_, poll_direction::read, t.time_since_epoch().count());
    }
}

void socket::set_write_deadline(clock::time_point t) noexcept {
    if (desc_ != nullptr) {
        set_socket_deadline(*desc_, poll_direction::write, t.time_since_epoch().count());
    }
}

void socket::set_option(int option, int value, std::error_code& ec) noexcept {
    const int error = while_open(desc_, -EBADF, [&](int fd) {
        return os::set_option(fd, static_cast<os::socket_option>(option), value);
    });
    ec = error == -EBADF ? make_error_code(errc::closed)
                         : std::error_code(-error, std::generic_category());
}

net::endpoint socket::local_address() const {
    return while_open(desc_, net::endpoint(), [](int fd) {
        os::socket_address a;
        return os::local_name(fd, a) == 0 ? to_endpoint(a) : net::endpoint();
    });
}

net::endpoint socket::remote_address() const {
    return while_open(desc_, net::endpoint(), [](int fd) {
        os::socket_address a;
        return os::peer_name(fd, a) == 0 ? to_endpoint(a) : net::endpoint();
    });
}

int socket::native_handle() const noexcept { return is_open() ? desc_->fd() : -1; }

}  // namespace runnel::detail
