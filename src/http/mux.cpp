#include <runnel/http/mux.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "src/http/grammar.hpp"
#include "src/http/pattern.hpp"

namespace runnel::http {
namespace {

using detail::pattern;
using detail::segment;

struct entry {
    pattern what;
    handler answer;
};

/// A place in the tree of paths.
struct node {
    std::map<std::string, std::unique_ptr<node>, std::less<>> literals;
    std::unique_ptr<node> wild;
    const entry* multi = nullptr;
    const entry* leaf = nullptr;
};

/// What stood for the wildcards of a path, as it stands in the path.
using wildcards = std::vector<std::string_view>;

struct method_tree {
    std::map<std::string, node, std::less<>> methods;  // by method; "" for all
};

/// Takes the first segment off `path`; a final slash is a segment "/".
std::string_view take_segment(std::string_view& path) noexcept {
    if (path == "/") {
        return std::exchange(path, std::string_view());
    }
    path.remove_prefix(1);
    const std::string_view first = path.substr(0, path.find('/'));
    path.remove_prefix(first.size());
    return first;
}

const node* find_literal(const node& at, std::string_view text) {
    if (at.literals.empty()) {
        return nullptr;
    }
    auto it = at.literals.end();
    if (text.find('%') == std::string_view::npos) {
        it = at.literals.find(text);
    } else if (const auto decoded = percent_decode(text)) {
        it = at.literals.find(*decoded);
    }
    return it != at.literals.end() ? it->second.get() : nullptr;
}

/// Literals before wildcards, and these before what takes all: with patterns that are not in
/// conflict, the first that fits is the most specific one.
const entry* match_path(const node& at, std::string_view path, wildcards& found) {
    if (path.empty()) {
        return at.leaf;
    }
    std::string_view rest = path;
    const std::string_view text = take_segment(rest);
    if (const node* const next = find_literal(at, text)) {
        if (const entry* const e = match_path(*next, rest, found)) {
            return e;
        }
    }
    if (at.wild && text != "/") {
        found.push_back(text);
        if (const entry* const e = match_path(*at.wild, rest, found)) {
            return e;
        }
        found.pop_back();
    }
    if (at.multi != nullptr && !at.multi->what.last().text.empty()) {
        found.push_back(path.substr(1));
    }
    return at.multi;
}

const entry* match_method(const method_tree& tree, std::string_view method, std::string_view path,
                          wildcards& found) {
    const auto attempt = [&](std::string_view name) -> const entry* {
        const auto it = tree.methods.find(name);
        found.clear();
        return it != tree.methods.end() ? match_path(it->second, path, found) : nullptr;
    };
    const entry* e = attempt(method);
    if (e == nullptr && method == "HEAD") {
        e = attempt("GET");
    }
    return e != nullptr ? e : attempt("");
}

/// Whether `e` has matched without its last wildcard having taken anything.
bool is_exact(const entry* e, std::string_view path) {
    if (e == nullptr || !e->what.last().multi) {
        return e != nullptr;
    }
    return path.ends_with('/') &&
           static_cast<std::size_t>(std::ranges::count(path, '/')) == e->what.segments.size();
}

bool is_clean(std::string_view path) noexcept {
    if (!path.starts_with('/')) {
        return false;
    }
    for (std::size_t at = path.find('/'); at != std::string_view::npos;
         at = path.find('/', at + 1)) {
        const std::string_view next = path.substr(at + 1, path.find('/', at + 1) - at - 1);
        const bool last = at + 1 + next.size() >= path.size();
        if (next == "." || next == ".." || (next.empty() && !last)) {
            return false;
        }
    }
    return true;
}

/// Without "//", "." and ".."; a final slash stays.
std::string clean(std::string_view path) {
    std::vector<std::string_view> parts;
    for (std::string_view rest = path; !rest.empty();) {
        const std::string_view part = rest.substr(0, rest.find('/'));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        if (part == ".." && !parts.empty()) {
            parts.pop_back();
        } else if (!part.empty() && part != "." && part != "..") {
            parts.push_back(part);
        }
    }
    std::string out;
    for (const std::string_view part : parts) {
        out.append("/").append(part);
    }
    const bool slash = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    return slash || out.empty() ? out + '/' : out;
}

std::string_view without_port(std::string_view host) noexcept {
    const std::size_t colon = host.rfind(':');
    const bool inside = colon == std::string_view::npos || host.find(']', colon) != host.npos;
    return inside ? host : host.substr(0, colon);
}

std::string with_query(std::string path, const url& from) {
    return from.query.empty() ? path : path + '?' + from.query;
}

}  // namespace

struct mux::state {
    std::vector<std::unique_ptr<entry>> entries;
    std::map<std::string, method_tree, std::less<>> hosts;  // "" for all

    void insert(const entry& e);
    [[nodiscard]] const entry* find(std::string_view host, std::string_view method,
                                    std::string_view path, wildcards& found) const;
    [[nodiscard]] std::string allowed(std::string_view host, std::string_view path) const;

    struct result {
        const entry* found = nullptr;
        std::string redirect;  // not empty: go there
        wildcards values;
    };
    [[nodiscard]] result look_up(const request& req) const;
};

void mux::state::insert(const entry& e) {
    node* at = &hosts[e.what.host].methods[e.what.method];
    for (const segment& s : e.what.segments) {
        if (s.multi) {
            at->multi = &e;
            return;
        }
        std::unique_ptr<node>& next = s.wild ? at->wild : at->literals[s.text];
        if (!next) {
            next = std::make_unique<node>();
        }
        at = next.get();
    }
    at->leaf = &e;
}

const entry* mux::state::find(std::string_view host, std::string_view method, std::string_view path,
                              wildcards& found) const {
    if (!host.empty()) {
        if (const auto it = hosts.find(host); it != hosts.end()) {
            if (const entry* const e = match_method(it->second, method, path, found)) {
                return e;
            }
        }
    }
    const auto it = hosts.find("");
    return it != hosts.end() ? match_method(it->second, method, path, found) : nullptr;
}

std::string mux::state::allowed(std::string_view host, std::string_view path) const {
    std::set<std::string> methods;
    wildcards found;
    const std::string slashed = std::string(path) + '/';
    const auto collect = [&](std::string_view name) {
        const auto it = hosts.find(name);
        if (it == hosts.end()) {
            return;
        }
        for (const auto& [method, root] : it->second.methods) {
            if (match_path(root, path, found) != nullptr ||
                (!path.ends_with('/') && match_path(root, slashed, found) != nullptr)) {
                methods.insert(method);
            }
        }
    };
    collect(host);
    if (!host.empty()) {
        collect("");
    }
    if (methods.contains("GET")) {
        methods.insert("HEAD");
    }
    std::string list;
    for (const std::string& method : methods) {
        list += (list.empty() ? "" : ", ") + method;
    }
    return list;
}

mux::state::result mux::state::look_up(const request& req) const {
    result r;
    const bool one_host = hosts.size() == 1 && hosts.begin()->first.empty();
    const std::string_view host = one_host ? std::string_view() : without_port(req.host);
    const std::string_view path = req.url.path;
    if (req.method == "CONNECT") {
        r.found = find(host, req.method, path.empty() ? "/" : path, r.values);
        return r;
    }
    if (path == "*") {
        return r;
    }
    const bool is_clean_path = is_clean(path);
    const std::string cleaned = is_clean_path ? std::string() : clean(path);
    const std::string_view asked = is_clean_path ? path : std::string_view(cleaned);
    r.found = find(host, req.method, asked, r.values);
    if (!asked.ends_with('/') && !is_exact(r.found, asked)) {
        const std::string slashed = std::string(asked) + '/';
        wildcards ignored;
        if (is_exact(find(host, req.method, slashed, ignored), slashed)) {
            r.redirect = with_query(slashed, req.url);
            return r;
        }
    }
    if (!is_clean_path) {
        r.redirect = with_query(cleaned, req.url);
    }
    return r;
}

mux::mux() : state_(std::make_shared<state>()) {}

void mux::handle(std::string_view text, handler h) const {
    if (!h) {
        throw std::invalid_argument("http::mux: pattern '" + std::string(text) + "': no handler");
    }
    auto added = std::make_unique<entry>(entry{pattern::parse(text), std::move(h)});
    for (const std::unique_ptr<entry>& other : state_->entries) {
        if (detail::in_conflict(added->what, other->what)) {
            const bool same =
                detail::compare(added->what, other->what) == detail::relation::equivalent;
            throw std::invalid_argument(
                "http::mux: pattern '" + added->what.text + "' conflicts with pattern '" +
                other->what.text + "': " +
                (same ? "they match the same requests"
                      : "both match some requests, and neither is more specific than the other"));
        }
    }
    state_->entries.push_back(std::move(added));
    state_->insert(*state_->entries.back());
}

void mux::operator()(request& req, response_writer& w) const {
    const state::result r = state_->look_up(req);
    if (!r.redirect.empty()) {
        redirect(req, w, r.redirect, status::temporary_redirect);
        return;
    }
    if (r.found == nullptr) {
        const std::string allowed = state_->allowed(without_port(req.host), req.url.path);
        if (allowed.empty()) {
            not_found(req, w);
        } else {
            w.headers().set("Allow", allowed);
            error(w, status::method_not_allowed, "Method Not Allowed");
        }
        return;
    }
    std::size_t i = 0;
    for (const segment& s : r.found->what.segments) {
        if (s.wild && !s.text.empty()) {
            const std::string_view raw = r.values.at(i++);
            req.set_path_value(s.text, percent_decode(raw).value_or(std::string(raw)));
        }
    }
    req.pattern = r.found->what.text;
    r.found->answer(req, w);
}

std::string_view mux::match(const request& req) const {
    const state::result r = state_->look_up(req);
    return r.found != nullptr && r.redirect.empty() ? std::string_view(r.found->what.text)
                                                    : std::string_view();
}

}  // namespace runnel::http
