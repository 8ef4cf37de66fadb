// Echo server: one goroutine a connection, a straight line each.
//
//     echo_server 127.0.0.1:7000    serves until SIGINT or SIGTERM, then lets connections finish
//     echo_server                   serves itself: a few clients, then the end
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <runnel/net.hpp>
#include <runnel/runnel.hpp>
#include <runnel/signal.hpp>

using namespace runnel;
using namespace std::chrono_literals;

namespace {

/// Sends back what comes until the client has ended its half, is silent for too long, or has gone.
void echo(const context& ctx, net::tcp_stream& client) {
    std::array<std::byte, 4096> buffer;
    std::error_code ec;
    for (;;) {
        client.set_deadline(clock::now() + 1min);
        const std::size_t count = client.read_some(ctx, buffer, ec);
        if (ec || count == 0) {
            break;
        }
        client.write(ctx, std::span(buffer).first(count), ec);
    }
    if (ec) {
        std::cerr << client.remote_address().to_string() << ": " << ec.message() << '\n';
    }
}

/// Serves until `ctx` ends; then no connection is accepted, and those that are open have a second.
void serve(const context& ctx, net::tcp_listener& listener) {
    const auto connections = with_cancel(without_cancel(ctx));
    wait_group open;
    for (;;) {
        std::error_code ec;
        net::tcp_stream client = listener.accept(ctx, ec);
        if (ec) {
            break;
        }
        open.go([client = std::move(client), running = connections.ctx()]() mutable {
            echo(running, client);
        });
    }
    if (!open.wait_for(1s)) {
        connections.cancel();
        open.wait();
    }
}

/// A client that says `text` and hears it.
bool talk(const std::string& address, const std::string& text) {
    net::tcp_stream server = net::dial(address);
    server.write(std::as_bytes(std::span(text)));
    server.shutdown_write();
    std::string heard(text.size(), ' ');
    std::error_code ec;
    return net::read_full(server, context(), std::as_writable_bytes(std::span(heard)), ec) ==
               text.size() &&
           heard == text;
}

/// Out of descriptors: accept() waits and tries again; this is told.
void complain(std::error_code ec, clock::duration pause) {
    std::cerr << "accept: " << ec.message() << ", next try in "
              << std::chrono::duration_cast<std::chrono::milliseconds>(pause).count() << " ms\n";
}

int serve_itself() {
    net::tcp_listener listener = net::listen("127.0.0.1:0", {.on_accept_failure = complain});
    const std::string address = listener.local_address().to_string();
    const auto life = with_cancel(background());
    auto server = spawn([&] { serve(life.ctx(), listener); });

    std::atomic<int> heard = 0;
    wait_group clients;
    constexpr int count = 10;
    for (int i = 0; i < count; ++i) {
        clients.go([&, i] { heard += talk(address, "hello " + std::to_string(i)) ? 1 : 0; });
    }
    clients.wait();
    life.cancel();
    server.join();
    std::cout << heard << " of " << count << " clients heard their echo\n";
    return heard == count ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    return run([&] {
        if (argc < 2) {
            return serve_itself();
        }
        const auto life = with_signals(background(), {SIGINT, SIGTERM});
        net::tcp_listener listener = net::listen(argv[1], {.on_accept_failure = complain});
        std::cout << "listening at " << listener.local_address().to_string() << std::endl;
        serve(life.ctx(), listener);
        return 0;
    });
}
