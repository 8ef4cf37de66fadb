// P2: creation. `go` starts a function, a member function or a lambda as a goroutine. Almost always
// the starter needs to talk to it, so a function starts the goroutine and returns the channel.
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::go;
using runnel::join_handle;
using runnel::make_chan;
using runnel::produce;
using runnel::recv_chan;
using runnel::send_chan;

// [go]
void greet(const std::string& text, const send_chan<runnel::unit>& printed) {
    say(text);
    printed.close();  // wakes everybody who waits, blocks for nobody
}

/// A client's connection; serve() runs in a goroutine that owns it.
class connection {
public:
    explicit connection(std::string client) : client_(std::move(client)) {}

    void serve(const recv_chan<std::string>& requests, const send_chan<std::string>& replies) {
        for (const std::string& request : requests) {
            replies.send(request + " for " + client_);
        }
        replies.close();
    }

private:
    std::string client_;
};
// [/go]

// [produce]
/// Starts a goroutine and returns the channel from it. produce() closes the channel at the end, and
/// ends the goroutine if nobody receives any more.
recv_chan<int> start_sum(std::vector<int> numbers) {
    return produce<int>([numbers = std::move(numbers)](const send_chan<int>& sum) {
        sum.send(std::accumulate(numbers.begin(), numbers.end(), 0));
    });
}
// [/produce]

// [logger]
/// Where to send lines, and who prints them. Close `lines`, then join `printer`.
struct logger {
    send_chan<std::string> lines;
    join_handle<int> printer;
};

/// Starts a goroutine and returns the channel to it.
logger start_logger() {
    auto lines = make_chan<std::string>(8);
    auto printer = runnel::spawn([=] {
        int printed = 0;
        for (const std::string& line : lines) {
            say("log: ", line);
            ++printed;
        }
        return printed;
    });
    return {lines, std::move(printer)};
}
// [/logger]

void start_function() {
    auto printed = make_chan<runnel::unit>();
    go(greet, "I am a goroutine", printed);
    check(!printed.recv(), "the goroutine closes its channel");
}

void start_member_function() {
    auto requests = make_chan<std::string>();
    auto replies = make_chan<std::string>();
    // [method]
    // The connection moves into the goroutine. Behind a pointer it would have to outlive it.
    go(&connection::serve, connection("client-1"), requests, replies);
    // [/method]

    requests.send("a page");
    const std::string reply = replies.recv().value_or("nothing");
    say("served: ", reply);
    check(reply == "a page for client-1", "the member function serves the request");

    requests.close();
    check(!replies.recv(), "the connection ends after its last request");
}

}  // namespace

void p02_creation() {
    start_function();
    start_member_function();

    const int sum = start_sum({1, 2, 3, 4}).recv().value_or(-1);
    say("sum from the channel: ", sum);
    check(sum == 10, "the sum comes back through the channel");

    logger log = start_logger();
    log.lines.send("first line");
    log.lines.send("second line");
    log.lines.close();
    check(log.printer.join() == 2, "the logger prints what was sent before the close");

    static_cast<void>(start_sum({1, 2, 3}));  // nobody takes the sum
    const auto left = goroutines_left();
    say_fixed("a channel that nobody receives from strands no sender; left alive: ", left);
    check(left == 0, "the sender has ended");
}

}  // namespace tour
