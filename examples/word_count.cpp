// Counts words in parallel. Reader goroutines put lines into a channel, counters count the words of
// the lines they get, and their tables are merged at the end.
//
//   word_count [FILE...]    without files: a built-in text, whose counts are checked
#include <cctype>
#include <cstdio>
#include <fstream>
#include <istream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

namespace {

using table = std::map<std::string, int>;

constexpr int counter_count = 4;
constexpr int copies = 1000;
constexpr const char* verse =
    "To send, or to receive:\nthat is the question; to select, the answer.\n";

void send_lines(std::istream& text, const runnel::send_chan<std::string>& lines) {
    for (std::string line; std::getline(text, line);) {
        lines.send(std::move(line));
    }
}

/// False, with a message, if the file cannot be opened.
bool send_file(const std::string& path, const runnel::send_chan<std::string>& lines) {
    // A disk can be slow: blocking() keeps the wait away from the workers that run goroutines.
    return runnel::blocking([&] {
        std::ifstream file(path);
        if (!file) {
            std::fprintf(stderr, "word_count: cannot open '%s'\n", path.c_str());
            return false;
        }
        send_lines(file, lines);
        return true;
    });
}

bool send_verses(const runnel::send_chan<std::string>& lines) {
    for (int i = 0; i < copies; ++i) {
        std::istringstream text(verse);
        send_lines(text, lines);
    }
    return true;
}

/// The words of the lines, in lower case, until `lines` is closed.
table count_words(const runnel::recv_chan<std::string>& lines) {
    table counts;
    for (std::string line : lines) {
        for (char& c : line) {
            const auto byte = static_cast<unsigned char>(c);
            c = std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : ' ';
        }
        std::istringstream words(line);
        for (std::string word; words >> word;) {
            ++counts[word];
        }
    }
    return counts;
}

struct outcome {
    table counts;
    bool all_read = true;
};

outcome count_in_parallel(const std::vector<std::string>& paths) {
    auto lines = runnel::make_chan<std::string>(64);
    std::vector<runnel::join_handle<bool>> readers;
    readers.reserve(paths.size() + 1);
    for (const std::string& path : paths) {
        readers.push_back(runnel::spawn(send_file, path, lines));
    }
    if (paths.empty()) {
        readers.push_back(runnel::spawn(send_verses, lines));
    }
    std::vector<runnel::join_handle<table>> counters;
    counters.reserve(counter_count);
    for (int i = 0; i < counter_count; ++i) {
        counters.push_back(runnel::spawn(count_words, lines));
    }

    outcome total;
    for (auto& reader : readers) {
        total.all_read = reader.join() && total.all_read;
    }
    lines.close();  // all lines are in: the counters end when they have taken the last one
    for (auto& counter : counters) {
        for (const auto& [word, count] : counter.join()) {
            total.counts[word] += count;
        }
    }
    return total;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> paths(argv + 1, argv + argc);
    return runnel::run([&] {
        const outcome total = count_in_parallel(paths);
        for (const auto& [word, count] : total.counts) {
            std::printf("%8d %s\n", count, word.c_str());
        }
        if (!paths.empty()) {
            return total.all_read ? 0 : 1;
        }
        return total.counts.size() == 10 && total.counts.at("to") == 3 * copies ? 0 : 1;
    });
}
