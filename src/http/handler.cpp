#include <runnel/http/handler.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "src/http/grammar.hpp"

namespace runnel::http {
namespace {

struct signature {
    std::string_view start;
    std::string_view type;
};

using namespace std::string_view_literals;

constexpr std::array html_tags = {"<!doctype html"sv,
                                  "<html"sv,
                                  "<head"sv,
                                  "<script"sv,
                                  "<iframe"sv,
                                  "<h1"sv,
                                  "<div"sv,
                                  "<font"sv,
                                  "<table"sv,
                                  "<a"sv,
                                  "<style"sv,
                                  "<title"sv,
                                  "<b"sv,
                                  "<body"sv,
                                  "<br"sv,
                                  "<p"sv,
                                  "<!--"sv};

constexpr std::array signatures = {signature{"%PDF-"sv, "application/pdf"sv},
                                   signature{"%!PS-Adobe-"sv, "application/postscript"sv},
                                   signature{"\xfe\xff"sv, "text/plain; charset=utf-16be"sv},
                                   signature{"\xff\xfe"sv, "text/plain; charset=utf-16le"sv},
                                   signature{"\xef\xbb\xbf"sv, "text/plain; charset=utf-8"sv},
                                   signature{"\x00\x00\x01\x00"sv, "image/x-icon"sv},
                                   signature{"BM"sv, "image/bmp"sv},
                                   signature{"GIF87a"sv, "image/gif"sv},
                                   signature{"GIF89a"sv, "image/gif"sv},
                                   signature{"\x89PNG\x0d\x0a\x1a\x0a"sv, "image/png"sv},
                                   signature{"\xff\xd8\xff"sv, "image/jpeg"sv},
                                   signature{"OggS\x00"sv, "application/ogg"sv},
                                   signature{"ID3"sv, "audio/mpeg"sv},
                                   signature{"\x1a\x45\xdf\xa3"sv, "video/webm"sv},
                                   signature{"PK\x03\x04"sv, "application/zip"sv},
                                   signature{"\x1f\x8b\x08"sv, "application/x-gzip"sv},
                                   signature{"wOFF"sv, "font/woff"sv},
                                   signature{"wOF2"sv, "font/woff2"sv},
                                   signature{"\x00\x61\x73\x6d"sv, "application/wasm"sv}};

bool starts_with_tag(std::string_view text, std::string_view tag) noexcept {
    if (text.size() <= tag.size() || !equal_no_case(text.substr(0, tag.size()), tag)) {
        return false;
    }
    const char next = text[tag.size()];
    return tag == "<!--" || next == ' ' || next == '>';
}

bool is_binary(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x08 || byte == 0x0b || (byte >= 0x0e && byte <= 0x1a) ||
           (byte >= 0x1c && byte <= 0x1f);
}

}  // namespace

std::string_view detect_content_type(std::string_view start) noexcept {
    start = start.substr(0, 512);
    const std::size_t first = start.find_first_not_of("\t\n\x0c\r ");
    if (first != std::string_view::npos) {
        const std::string_view text = start.substr(first);
        for (const std::string_view tag : html_tags) {
            if (starts_with_tag(text, tag)) {
                return "text/html; charset=utf-8";
            }
        }
        if (text.starts_with("<?xml")) {
            return "text/xml; charset=utf-8";
        }
    }
    for (const signature& s : signatures) {
        if (start.starts_with(s.start)) {
            return s.type;
        }
    }
    if (start.size() >= 12 && start.starts_with("RIFF")) {
        const std::string_view kind = start.substr(8);
        if (kind.starts_with("WEBPVP")) {
            return "image/webp";
        }
        if (kind.starts_with("WAVE")) {
            return "audio/wave";
        }
    }
    return std::ranges::any_of(start, is_binary) ? "application/octet-stream"
                                                 : "text/plain; charset=utf-8";
}

void response_writer::write(std::string_view part) { write(std::as_bytes(std::span(part))); }

void response_writer::write(std::span<const std::byte> part) {
    std::error_code ec;
    write(part, ec);
    if (ec) {
        detail::throw_error(ec, "http: writing a response");
    }
}

void response_writer::flush() {
    std::error_code ec;
    flush(ec);
    if (ec) {
        detail::throw_error(ec, "http: writing a response");
    }
}

void error(response_writer& w, int code, std::string_view text) {
    http::headers& h = w.headers();
    for (const char* const name :
         {"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Cache-Control"}) {
        h.erase(name);
    }
    h.set("Content-Type", "text/plain; charset=utf-8");
    h.set("X-Content-Type-Options", "nosniff");
    w.write_head(code);
    std::string line(text);
    line += '\n';
    std::error_code ignored;  // nobody is there to hear the error about the error
    w.write(line, ignored);
}

void not_found(request& /*req*/, response_writer& w) {
    error(w, status::not_found, "404 page not found");
}

void redirect(request& req, response_writer& w, std::string_view to, int code) {
    if (code < 300 || code > 399) {
        throw std::invalid_argument("http::redirect: " + std::to_string(code) +
                                    " is not a redirect");
    }
    url base;
    base.path = req.url.path;
    std::error_code ec;
    const url reference = url::parse(to, ec);
    const std::string where = ec ? std::string(to) : base.resolve(reference).to_string();
    w.headers().set("Location", where);
    const bool has_type = w.headers().contains("Content-Type");
    const bool page = !has_type && (req.method == "GET" || req.method == "HEAD");
    if (page) {
        w.headers().set("Content-Type", "text/html; charset=utf-8");
    }
    w.write_head(code);
    if (page && req.method == "GET") {
        std::string link;
        for (const char c : where) {
            constexpr std::string_view special = "<>&\"'";
            if (special.find(c) == std::string_view::npos) {
                link += c;
            } else {
                link += "&#" + std::to_string(static_cast<int>(c)) + ';';
            }
        }
        w.write("<a href=\"" + link + "\">" + std::string(status_text(code)) + "</a>.\n");
    }
}

}  // namespace runnel::http
