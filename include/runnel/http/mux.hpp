// runnel/http/mux.hpp: which handler answers which request.
//
//     http::mux mux;
//     mux.handle("GET /users/{id}", show_user);       // also HEAD
//     mux.handle("/static/", files);                  // everything below
//     mux.handle("example.org/{rest...}", elsewhere); // for one host
//     mux.handle("GET /{$}", home);                   // "/" alone
//
// A pattern is "[METHOD ][HOST]/[PATH]". A path's segment is a literal, or {name}, which stands for
// one segment; {name...}, at the end, stands for all that is left; {$}, at the end, matches a path
// that ends with a slash there, and nothing below; a slash at the end matches everything below it.
// If two patterns match a request, the more specific one answers, one with a host before one
// without. Two patterns of which neither is the more specific one are a mistake: handle() throws.
// (Go's ServeMux, since 1.22)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <runnel/http/handler.hpp>

namespace runnel::http {

/// A handle: copies share their patterns. It is itself a handler. Requests may be served from any
/// number of goroutines, but not while handle() is called.
class mux {
public:
    mux();

    /// Throws std::invalid_argument, which names what is wrong, for a pattern that is malformed or
    /// in conflict with one that is there, or for an empty handler.
    void handle(std::string_view pattern, handler h) const;

    /// Answers with the handler of the pattern that matches, whose values it sets in the request.
    /// Otherwise: 405 with Allow if another method would match; a redirect to the path in its clean
    /// form (no "//", "." or ".."), or with the slash at its end that a pattern has; else 404.
    void operator()(request& req, response_writer& w) const;

    /// The pattern that answers `req`; empty if that would be an error or a redirect.
    [[nodiscard]] std::string_view match(const request& req) const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace runnel::http
