#include <runnel/http/test_server.hpp>

#include <chrono>
#include <list>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <runnel/goroutine.hpp>
#include <runnel/join_handle.hpp>
#include <runnel/net/pipe.hpp>
#include <runnel/net/tcp.hpp>
#include <runnel/sync/mutex.hpp>

#include "src/http/connection.hpp"
#include "src/http/response_head.hpp"

namespace runnel::http {
namespace {

/// Requests that handlers are busy with.
struct requests {
    mutex lock;
    std::list<std::string> names;  // protected by lock

    class entry {
    public:
        entry(requests& all, std::string name) : all_(all) {
            const std::lock_guard guard(all_.lock);
            at_ = all_.names.insert(all_.names.end(), std::move(name));
        }
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;
        ~entry() {
            const std::lock_guard guard(all_.lock);
            all_.names.erase(at_);
        }

    private:
        requests& all_;
        std::list<std::string>::iterator at_;
    };
};

handler noting(handler h, std::shared_ptr<requests> all) {
    if (!h) {
        return h;  // server's constructor says what is wrong with it
    }
    return [h = std::move(h), all = std::move(all)](request& req, response_writer& w) {
        const requests::entry busy(*all, req.method + ' ' + req.target);
        h(req, w);
    };
}

}  // namespace

struct test_server::state {
    state(handler h, server_options o) : server(noting(std::move(h), busy), std::move(o)) {}

    const std::shared_ptr<requests> busy = std::make_shared<requests>();
    http::server server;
    std::string url;
    http::client client;
    join_handle<void> serving;
    bool closed = false;

    void start(net::any_listener listener) {
        serving = spawn({.name = "http test server"}, [this, l = std::move(listener)]() mutable {
            static_cast<void>(server.serve(std::move(l)));
        });
    }
};

test_server::test_server(handler h, network where, server_options options)
    : state_(std::make_unique<state>(std::move(h), std::move(options))) {
    if (where == network::in_memory) {
        const net::pipe_listener listener;
        state_->url = "http://test.server";
        state_->client = http::client(
            {.connect = [listener](const context& ctx, const http::url&, std::error_code& ec) {
                net::pipe_stream s = listener.dial(ctx, ec);
                return ec ? net::any_stream() : net::any_stream(std::move(s));
            }});
        state_->start(net::any_listener(listener));
    } else {
        net::tcp_listener listener = net::listen("127.0.0.1:0");
        state_->url = "http://" + listener.local_address().to_string();
        state_->start(net::any_listener(std::move(listener)));
    }
}

test_server::~test_server() {
    if (state_) {
        close();
    }
}

const std::string& test_server::url() const noexcept { return state_->url; }
const http::client& test_server::client() const noexcept { return state_->client; }

std::vector<std::string> test_server::outstanding() const {
    const std::lock_guard guard(state_->busy->lock);
    return {state_->busy->names.begin(), state_->busy->names.end()};
}

void test_server::close() {
    if (std::exchange(state_->closed, true)) {
        return;
    }
    state_->client.close_idle();
    auto [patience, cancel] = with_timeout(background(), std::chrono::seconds(5));
    if (state_->server.shutdown(patience)) {
        std::string line = "http::test_server: still waiting for:";
        for (const std::string& name : outstanding()) {
            line += ' ' + name + ';';
        }
        state_->server.log(line);
        static_cast<void>(state_->server.shutdown(background()));
    }
    state_->serving.join();
}

void test_server::close_connections() { state_->server.close(); }

void recorder::write_head(int status) {
    if (status < 100 || status > 999) {
        throw std::invalid_argument("http: status " + std::to_string(status));
    }
    if (status_ == 0 && status >= 200) {
        status_ = status;
        sent_ = headers_;
    }
}

std::size_t recorder::write(std::span<const std::byte> part, std::error_code& ec) {
    ec.clear();
    if (status_ == 0) {
        write_head(status::ok);
    }
    if (!detail::has_body(status_)) {
        ec = errc::body_not_allowed;
        return 0;
    }
    body_.append(reinterpret_cast<const char*>(part.data()), part.size());
    return part.size();
}

void recorder::flush(std::error_code& ec) {
    ec.clear();
    if (status_ == 0) {
        write_head(status::ok);
    }
    flushed_ = true;
}

response recorder::result() const {
    response r;
    r.status = status_ == 0 ? status::ok : status_;
    r.reason = status_text(r.status);
    r.headers = status_ == 0 ? headers_ : sent_;
    r.body = http::body(body_);
    return r;
}

}  // namespace runnel::http
