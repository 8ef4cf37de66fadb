#include <runnel/net/address.hpp>

#include <gtest/gtest.h>

#include <string>
#include <system_error>
#include <unordered_set>
#include <vector>

#include <runnel/error.hpp>

namespace runnel {
namespace {

using net::endpoint;
using net::host_port;
using net::ip_address;

struct text_case {
    const char* in;
    const char* out;  ///< null: not an address
};

// The cases of Go's net.ParseIP and of RFC 5952.
constexpr text_case addresses[] = {
    {"127.0.0.1", "127.0.0.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"2001:db8::1", "2001:db8::1"},
    {"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"},
    {"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
    {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
    {"1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"fe80::1%4000000", "fe80::1%4000000"},
    {"", nullptr},
    {"127.0.0", nullptr},
    {"127.0.0.1.2", nullptr},
    {"127.0.0.256", nullptr},
    {"127.0.0.01", nullptr},
    {"127.0.0.0x1", nullptr},
    {"-127.0.0.1", nullptr},
    {"127.0.0.1 ", nullptr},
    {"127..0.1", nullptr},
    {"127.0.0.", nullptr},
    {":", nullptr},
    {":::", nullptr},
    {"1:::2", nullptr},
    {":1::2", nullptr},
    {"1::2:", nullptr},
    {"1::2::3", nullptr},
    {"1:2:3:4:5:6:7", nullptr},
    {"1:2:3:4:5:6:7:8:9", nullptr},
    {"1:2:3:4:5:6:7::8", nullptr},
    {"12345::", nullptr},
    {"g::", nullptr},
    {"::1.2.3", nullptr},
    {"::1.2.3.4:5", nullptr},
    {"1:2:3:4:5:6:7:1.2.3.4", nullptr},
    {"fe80::1%", nullptr},
};

TEST(ip_address, text_is_taken_and_given_as_rfc_5952_has_it) {
    for (const auto& [in, out] : addresses) {
        std::error_code ec;
        const ip_address a = ip_address::parse(in, ec);
        EXPECT_EQ(!ec, out != nullptr) << in;
        if (out != nullptr) {
            EXPECT_EQ(a.to_string(), out);
            EXPECT_EQ(ip_address::parse(a.to_string()), a);
        } else {
            EXPECT_EQ(ec, errc::bad_address) << in;
        }
    }
}

TEST(ip_address, a_zone_is_an_interface_by_name_or_number) {
    const ip_address a = ip_address::parse("fe80::1%lo");
    EXPECT_NE(a.zone(), 0u);
    EXPECT_EQ(a.to_string(), "fe80::1%lo");
    EXPECT_EQ(ip_address::parse("fe80::1%" + std::to_string(a.zone())), a);
    std::error_code ec;
    static_cast<void>(ip_address::parse("fe80::1%nosuch0", ec));
    EXPECT_EQ(ec, std::errc::no_such_device);
}

TEST(ip_address, what_an_address_is_for) {
    EXPECT_TRUE(ip_address::parse("127.1.2.3").is_loopback());
    EXPECT_TRUE(ip_address::parse("::1").is_loopback());
    EXPECT_FALSE(ip_address::parse("::2").is_loopback());
    EXPECT_TRUE(ip_address::any_v6().is_unspecified());
    EXPECT_TRUE(ip_address::any_v4().is_unspecified());
    EXPECT_TRUE(ip_address::parse("224.0.0.1").is_multicast());
    EXPECT_TRUE(ip_address::parse("ff02::1").is_multicast());
    EXPECT_TRUE(ip_address::parse("fe80::1").is_link_local());
    EXPECT_TRUE(ip_address::parse("169.254.0.1").is_link_local());
    EXPECT_FALSE(ip_address::parse("192.0.2.1").is_link_local());
}

TEST(ip_address, bad_text_throws_with_the_text_in_the_message) {
    try {
        static_cast<void>(ip_address::parse("300.1.1.1"));
        FAIL() << "nothing was thrown";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), errc::bad_address);
        EXPECT_NE(std::string(error.what()).find("'300.1.1.1'"), std::string::npos);
    }
}

TEST(host_port, is_split_as_go_splits_it) {
    EXPECT_EQ(net::split_host_port("localhost:http"), (host_port{"localhost", "http"}));
    EXPECT_EQ(net::split_host_port("127.0.0.1:80"), (host_port{"127.0.0.1", "80"}));
    EXPECT_EQ(net::split_host_port("[::1]:80"), (host_port{"::1", "80"}));
    EXPECT_EQ(net::split_host_port("[fe80::1%lo]:80"), (host_port{"fe80::1%lo", "80"}));
    EXPECT_EQ(net::split_host_port(":80"), (host_port{"", "80"}));
    EXPECT_EQ(net::split_host_port("host:"), (host_port{"host", ""}));
    EXPECT_EQ(net::split_host_port("[]:"), (host_port{"", ""}));
    for (const char* const text : {"::1:80", "[::1:80", "::1]:80", "[::1]80:80", "[a[b]:80",
                                   "host:[80", "[::1]:80:90", "a[b]:80", "a]:80"}) {
        std::error_code ec;
        static_cast<void>(net::split_host_port(text, ec));
        EXPECT_EQ(ec, errc::bad_address) << text;
    }
    for (const char* const text : {"", "localhost", "[::1]", "127.0.0.1"}) {
        std::error_code ec;
        static_cast<void>(net::split_host_port(text, ec));
        EXPECT_EQ(ec, errc::missing_port) << text;
    }
}

TEST(host_port, the_message_says_what_is_wrong) {
    const auto message = [](const char* text) {
        try {
            static_cast<void>(net::split_host_port(text));
        } catch (const std::system_error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_NE(message("::1:80").find("too many colons"), std::string::npos);
    EXPECT_NE(message("host").find("missing port"), std::string::npos);
    EXPECT_NE(message("[::1:80").find("missing ']'"), std::string::npos);
}

TEST(host_port, joining_is_the_inverse) {
    EXPECT_EQ(net::join_host_port("::1", "80"), "[::1]:80");
    EXPECT_EQ(net::join_host_port("example.com", "80"), "example.com:80");
    EXPECT_EQ(net::join_host_port("", "80"), ":80");
}

TEST(endpoint, text_and_back) {
    for (const char* const text : {"127.0.0.1:80", "[::1]:65535", "[fe80::1%lo]:0"}) {
        EXPECT_EQ(endpoint::parse(text).to_string(), text);
    }
    std::error_code ec;
    for (const char* const text : {"127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:-1", "x:1"}) {
        static_cast<void>(endpoint::parse(text, ec));
        EXPECT_EQ(ec, errc::bad_address) << text;
    }
    EXPECT_EQ(endpoint::local("/run/x").to_string(), "/run/x");
    EXPECT_EQ(endpoint().to_string(), "");
}

TEST(endpoint, is_a_value_that_can_be_hashed) {
    std::unordered_set<endpoint> all{endpoint::parse("127.0.0.1:1"), endpoint::parse("127.0.0.1:2"),
                                     endpoint::parse("[::1]:1"), endpoint::local("a")};
    EXPECT_EQ(all.size(), 4u);
    EXPECT_TRUE(all.contains(endpoint::parse("[::1]:1")));
}

}  // namespace
}  // namespace runnel
