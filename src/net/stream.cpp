#include <runnel/net/stream.hpp>

#include <string>

namespace runnel::net {

void throw_error(std::error_code ec, std::string_view what) {
    if (ec == errc::canceled) {
        throw canceled_error();
    }
    if (ec == errc::timed_out || ec == errc::deadline_exceeded) {
        throw timeout_error(static_cast<errc>(ec.value()));
    }
    throw std::system_error(ec, "runnel: " + std::string(what));
}

std::size_t any_stream::read_some(const context& ctx, std::span<std::byte> in,
                                  std::error_code& ec) {
    if (!held_) {
        ec = errc::closed;
        return 0;
    }
    return held_->read_some(ctx, in, ec);
}

std::size_t any_stream::write(const context& ctx, std::span<const std::byte> out,
                              std::error_code& ec) {
    if (!held_) {
        ec = errc::closed;
        return 0;
    }
    return held_->write(ctx, out, ec);
}

void any_stream::set_read_deadline(clock::time_point t) {
    if (held_) {
        held_->set_read_deadline(t);
    }
}

void any_stream::set_write_deadline(clock::time_point t) {
    if (held_) {
        held_->set_write_deadline(t);
    }
}

void any_stream::shutdown_write(std::error_code& ec) {
    if (!held_) {
        ec = errc::closed;
        return;
    }
    held_->shutdown_write(ec);
}

void any_stream::close() {
    if (held_) {
        held_->close();
    }
}

endpoint any_stream::local_address() const { return held_ ? held_->local_address() : endpoint(); }

endpoint any_stream::remote_address() const { return held_ ? held_->remote_address() : endpoint(); }

any_stream any_listener::accept(const context& ctx, std::error_code& ec) {
    if (!held_) {
        ec = errc::closed;
        return {};
    }
    return held_->accept(ctx, ec);
}

any_stream any_listener::accept(const context& ctx) {
    std::error_code ec;
    any_stream s = accept(ctx, ec);
    if (ec) {
        throw_error(ec, "accept");
    }
    return s;
}

void any_listener::close() {
    if (held_) {
        held_->close();
    }
}

endpoint any_listener::local_address() const { return held_ ? held_->local_address() : endpoint(); }

}  // namespace runnel::net
