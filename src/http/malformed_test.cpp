// Requests that are not HTTP/1.1, or that two implementations could read in two ways: each is
// refused with the status that says so, the connection is closed, and whatever comes behind it is
// never taken for a request.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include <runnel/http/server.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/wire.hpp"

namespace runnel::http {
namespace {

struct bad_case {
    std::string request;
    int status = 400;
    bool reaches_handler = false;  ///< the head is good, the body is not
};

const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

std::string get(const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}
std::string post(const std::string& fields, const std::string& body = "") {
    return "POST / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}
std::string chunked(const std::string& body) {
    return post("Transfer-Encoding: chunked\r\n", body);
}

std::vector<bad_case> request_lines() {
    std::vector<bad_case> cases;
    for (const char* const line : {"",
                                   " ",
                                   "GET",
                                   "GET ",
                                   "GET /",
                                   "GET / ",
                                   "GET /  HTTP/1.1",
                                   "GET  / HTTP/1.1",
                                   " GET / HTTP/1.1",
                                   "GET / HTTP/1.1 ",
                                   "GET / HTTP/1.1\t",
                                   "GET\t/\tHTTP/1.1",
                                   "GET / / HTTP/1.1",
                                   "GET / HTTP/1.1 x",
                                   "GET / HTTP",
                                   "GET / HTTP/",
                                   "GET / HTTP/1",
                                   "GET / HTTP/1.",
                                   "GET / HTTP/.1",
                                   "GET / HTTP/11",
                                   "GET / HTTP/1.10",
                                   "GET / HTTP/01.1",
                                   "GET / HTTP/1.1.1",
                                   "GET / http/1.1",
                                   "GET / HTTP/a.b",
                                   "GET / HTTP 1.1",
                                   "GET / XTTP/1.1",
                                   "GET / HTTP/1,1",
                                   "GET / HTTP/-1.1",
                                   "GET / HTTP/+1.1",
                                   "/ HTTP/1.1",
                                   "HTTP/1.1 200 OK",
                                   "GET / HTTPS/1.1",
                                   "G(T / HTTP/1.1",
                                   "G{T / HTTP/1.1",
                                   "\"GET\" / HTTP/1.1",
                                   "GET/ HTTP/1.1",
                                   "GET: / HTTP/1.1",
                                   "G\xc3\x84T / HTTP/1.1",
                                   "GET example HTTP/1.1",
                                   "GET ?a HTTP/1.1",
                                   "GET * HTTP/1.1",
                                   "GET http:// HTTP/1.1",
                                   "GET http:/x HTTP/1.1",
                                   "GET //[ HTTP/1.0x",
                                   "GET http://[::1/ HTTP/1.1",
                                   "GET http://x:99999/ HTTP/1.1",
                                   "GET http://x:a/ HTTP/1.1",
                                   "GET /a#b HTTP/1.1",
                                   "GET /% HTTP/1.1",
                                   "GET /%a HTTP/1.1",
                                   "GET /%zz HTTP/1.1",
                                   "GET /a%2 HTTP/1.1",
                                   "CONNECT / HTTP/1.1",
                                   "CONNECT x HTTP/1.1",
                                   "GET /\x7f HTTP/1.1",
                                   "GET /\x01 HTTP/1.1"}) {
        cases.push_back({std::string(line) + "\r\nHost: x\r\n\r\n"});
    }
    for (const char* const version : {"2.0", "0.9", "1.2", "1.9", "3.0", "9.9", "0.0"}) {
        cases.push_back({"GET / HTTP/" + std::string(version) + "\r\nHost: x\r\n\r\n", 505});
    }
    return cases;
}

/// Each control character, wherever one can stand.
std::vector<bad_case> control_characters() {
    std::vector<bad_case> cases;
    for (int c = 0; c <= 0x1f; ++c) {
        const std::string one(1, static_cast<char>(c));
        if (c != '\t' && c != '\n' && c != '\r') {
            cases.push_back({get("A: b" + one + "c\r\n")});
            cases.push_back({"GET /a" + one + "b HTTP/1.1\r\nHost: x\r\n\r\n"});
        }
        if (c != '\n' && c != '\r') {
            cases.push_back({get("A" + one + "b: c\r\n")});
        }
        if (c != '\n') {
            cases.push_back({"GE" + one + "T / HTTP/1.1\r\nHost: x\r\n\r\n"});
        }
    }
    cases.push_back({get("A: b\x7f\r\n")});
    return cases;
}

/// Each character that no name may have.
std::vector<bad_case> names() {
    std::vector<bad_case> cases;
    for (const char c : std::string_view("\"(),/;<=>?@[\\]{}\x80\xff ")) {
        cases.push_back({get("A" + std::string(1, c) + "b: c\r\n")});
    }
    for (const char* const line :
         {": b", "A", "A b", "A\t: b", "A : b", " A: b", "\tA: b", "Host : y", "Content-Length : 3",
          "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "=: b", "A: b\r\n c: d",
          "A: b\r\n\tc", "A: b\r\n \r\n", "A: b\r\n c"}) {
        cases.push_back({get(std::string(line) + "\r\n")});
    }
    return cases;
}

/// A line that ends in another way than with CRLF.
std::vector<bad_case> line_ends() {
    std::vector<bad_case> cases;
    for (const char* const text :
         {"GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n",
          "GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\nHost: x\n\n", "\nGET / HTTP/1.1\r\n",
          "GET / HTTP/1.1\rHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
          "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: x\r\n\rA: b\r\n\r\n", "\n", "\r\n", "\r\n\r\n"}) {
        cases.push_back({text});
    }
    return cases;
}

std::vector<bad_case> lengths() {
    std::vector<bad_case> cases;
    for (const char* const value : {"",
                                    "-1",
                                    "+1",
                                    "1 ,1",
                                    "1,1",
                                    "1, 1",
                                    "1,2",
                                    "0x1",
                                    "1a",
                                    "a",
                                    "1.0",
                                    "1e1",
                                    "1 1",
                                    " 1 1",
                                    "99999999999999999999",
                                    "18446744073709551616",
                                    "9223372036854775808",
                                    "\"1\"",
                                    "1;",
                                    "١",
                                    "--1",
                                    "0-1",
                                    "1_0",
                                    "NaN",
                                    "infinity"}) {
        cases.push_back({post("Content-Length: " + std::string(value) + "\r\n", "abc")});
    }
    for (const char* const fields :
         {"Content-Length: 3\r\nContent-Length: 3\r\n",
          "Content-Length: 3\r\nContent-Length: 4\r\n",
          "Content-Length: 0\r\ncontent-length: 0\r\n",
          "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
          "Content-Length: 3\r\nTransfer-Encoding: identity\r\n"}) {
        cases.push_back({post(fields, "abc")});
    }
    for (const char* const coding :
         {"identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked,",
          ",chunked", "xchunked", "chunkedx", "chunked;q=1", "\"chunked\"", "chun ked", "cow", "",
          "chunked\x0b"}) {
        const bool control = std::string_view(coding).find('\x0b') != std::string_view::npos;
        cases.push_back({post("Transfer-Encoding: " + std::string(coding) + "\r\n", "0\r\n\r\n"),
                         control ? 400 : 501});
    }
    cases.push_back({"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"});
    return cases;
}

std::vector<bad_case> hosts() {
    std::vector<bad_case> cases = {
        {"GET / HTTP/1.1\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n"},
        {"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"},
        {"GET http://a/ HTTP/1.1\r\n\r\n"},
    };
    for (const char* const host : {"a b", "a/b", "a@b", "a\\b", "a\"b", "<a>", "a{b", "a?b"}) {
        cases.push_back({"GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"});
    }
    for (const char* const value : {"100", "continue", "100-continue, x", "x"}) {
        cases.push_back(
            {post("Expect: " + std::string(value) + "\r\nContent-Length: 1\r\n", "a"), 417});
    }
    return cases;
}

std::vector<bad_case> chunks() {
    std::vector<bad_case> cases;
    for (const char* const size : {"",
                                   " 3",
                                   "3 ",
                                   "+3",
                                   "-3",
                                   "0x3",
                                   "x",
                                   "g",
                                   "3g",
                                   "3,",
                                   "3 ;a",
                                   "3\t",
                                   "3\r",
                                   "\r3",
                                   "10000000000000000",
                                   "ffffffffffffffff",
                                   "00000000000000003",
                                   "3;\x01",
                                   "3;a\x7f",
                                   "3:a",
                                   "3\"",
                                   "3 4",
                                   "3.0",
                                   "3\n"}) {
        cases.push_back({chunked(std::string(size) + "\r\nabc\r\n0\r\n\r\n"), 400, true});
    }
    for (const char* const body : {"3\nabc\r\n0\r\n\r\n",
                                   "3\r\nabc\n0\r\n\r\n",
                                   "3\r\nabc0\r\n\r\n",
                                   "3\r\nabcd\r\n0\r\n\r\n",
                                   "3\r\nabc\r0\r\n\r\n",
                                   "3\r\nab\r\n0\r\n\r\n",
                                   "3\r\nabc\r\n0\n\r\n",
                                   "3\r\nabc\r\n0\r\n\n",
                                   "3\rabc\r\n0\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nA : b\r\n\r\n",
                                   "3\r\nabc\r\n0\r\n A: b\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nA\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nA: b\n\r\n",
                                   "3\r\nabc\r\n0\r\n: b\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nA: \x01\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nHost: y\r\n\r\n",
                                   "3\r\nabc\r\n0\r\nTrailer: a\r\n\r\n",
                                   "3\r\nabc\r\n\r\n0\r\n\r\n",
                                   "\r\n3\r\nabc\r\n0\r\n\r\n"}) {
        cases.push_back({chunked(body), 400, true});
    }
    std::string many_extensions;
    for (int i = 0; i < 100; ++i) {
        many_extensions += "1;" + std::string(200, 'a') + "\r\nx\r\n";
    }
    std::string many_trailers = "0\r\n";
    for (int i = 0; i < 200; ++i) {
        many_trailers += "A: b\r\n";
    }
    cases.push_back({chunked(many_extensions), 400, true});
    cases.push_back({chunked("3;" + std::string(5000, 'a') + "\r\nabc\r\n0\r\n\r\n"), 400, true});
    cases.push_back({chunked(std::string(5000, '0') + "3\r\nabc\r\n0\r\n\r\n"), 400, true});
    cases.push_back({chunked(many_trailers + "\r\n"), 400, true});
    cases.push_back({chunked("0\r\nA: " + std::string(5000, 'a') + "\r\n\r\n"), 400, true});
    return cases;
}

std::vector<bad_case> limits() {
    std::vector<bad_case> cases = {
        {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
        {"GET /" + std::string(80'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
        {std::string(9000, 'A'), 414},
        {std::string(9000, 'A') + " / HTTP/1.1\r\nHost: x\r\n\r\n", 414},
        {get("A: " + std::string(70'000, 'b') + "\r\n"), 431},
        {get(std::string(70'000, 'b') + ": a\r\n"), 431},
        {post("Content-Length: 33554433\r\n"), 413},
        {post("Content-Length: 4611686018427387904\r\n"), 413},
    };
    for (const int count : {128, 129, 1000}) {
        std::string fields;
        for (int i = 0; i < count; ++i) {
            fields += "A: b\r\n";
        }
        cases.push_back({get(fields), 431});
    }
    return cases;
}

std::vector<bad_case> all_cases() {
    std::vector<bad_case> all;
    for (const auto& family : {request_lines(), control_characters(), names(), line_ends(),
                               lengths(), hosts(), chunks(), limits()}) {
        all.insert(all.end(), family.begin(), family.end());
    }
    return all;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + 1)) {
        ++n;
    }
    return n;
}

std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 160)) {
        const bool plain = c >= ' ' && c < 0x7f;
        out +=
            plain ? std::string(1, c) : '<' + std::to_string(static_cast<unsigned char>(c)) + '>';
    }
    return out;
}

class malformed_request : public ::testing::TestWithParam<bool> {};

/// Sends each case, whole or byte by byte, with a second request behind it.
TEST_P(malformed_request, request_is_refused_and_hides_no_other) {
    const std::vector<bad_case> cases = all_cases();
    EXPECT_GE(cases.size(), 300U);
    testing::bubble bubble({.workers = 1});
    bubble.run([&] {
        int handled = 0;
        bool smuggled_one = false;
        server s([&](request& req, response_writer& w) {
            ++handled;
            smuggled_one |= req.url.path == "/smuggled";
            w.write(req.body.read_all());
        });
        for (const bad_case& c : cases) {
            SCOPED_TRACE(shown(c.request));
            handled = 0;
            smuggled_one = false;
            test::wire client(s);
            const bool bytes = GetParam() && c.request.size() < 1000;
            const std::string whole = c.request + smuggled;
            for (std::size_t i = 0; i < whole.size(); i += bytes ? 1 : whole.size()) {
                client.send(std::string_view(whole).substr(i, bytes ? 1 : whole.size()));
            }
            const std::string answer = client.read_all();
            EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(c.status) + ' ')) << answer;
            EXPECT_EQ(count_of(answer, "HTTP/1.1 "), 1U) << answer;
            EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
            EXPECT_TRUE(client.hung_up());
            EXPECT_EQ(handled, c.reaches_handler ? 1 : 0);
            EXPECT_FALSE(smuggled_one);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(feeding, malformed_request, ::testing::Bool(), [](const auto& tested) {
    return tested.param ? "byte_by_byte" : "at_once";
});

TEST(malformed, head_that_ends_early_gets_no_answer) {
    testing::bubble bubble({.workers = 1});
    bubble.run([&] {
        int handled = 0;
        server s([&](request&, response_writer&) { ++handled; });
        const std::string whole = get("A: b\r\n");
        for (std::size_t i = 0; i < whole.size(); ++i) {
            test::wire client(s);
            client.send(std::string_view(whole).substr(0, i));
            client.end();
            EXPECT_EQ(client.read_all(), "") << i;
            EXPECT_TRUE(client.hung_up());
        }
        EXPECT_EQ(handled, 0);
    });
}

}  // namespace
}  // namespace runnel::http
