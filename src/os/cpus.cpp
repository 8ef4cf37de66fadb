// os/cpus.cpp: CPU limits from the affinity mask and from control groups.
//
// Purpose   As many workers as can run at once. More than the quota allows would spend it early in
//           each period and then be throttled, all of them, until the next one.
// Lookup    /proc/self/cgroup says where the process is in each hierarchy, /proc/self/mountinfo
//           which part of a hierarchy is mounted where. A mount whose root is the process's cgroup,
//           or an ancestor of it, makes the directories between the two readable, and each of them
//           may carry a quota that binds the process. All such mounts are read, v1 and v2: a hybrid
//           system has both, and in the hierarchy without the cpu controller the files are missing.
// Invariants
//   I1  Only a quota that binds this process counts: a mount of some other part of the hierarchy is
//       left alone, even where its files can be read.                               (names_below)
//   I2  What cannot be read or parsed sets no limit; it never throws and never becomes 0.
// Threads   No state. The mask is the calling thread's.
// Tests     cpus_test.cpp, with files below a temporary directory.
#include "src/os/cpus.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace runnel::os {
namespace {

namespace fs = std::filesystem;

// A cgroup's path in one hierarchy. What lies outside of the cgroup namespace starts with "..".
struct cgroup_path {
    std::size_t ups = 0;
    std::vector<std::string> names;
};

struct cgroup_mount {
    bool is_v2 = false;
    cgroup_path root;  // the part of the hierarchy that is mounted
    fs::path point;    // where, below the injected root
};

struct membership {
    std::optional<cgroup_path> v1;  // in the hierarchy of the cpu controller
    std::optional<cgroup_path> v2;
};

using quota = std::optional<double>;

// Reads by system calls rather than by a stream: a stream that meets a directory throws.
std::optional<std::string> read_file(const fs::path& path) {
    int fd = -1;
    do {
        fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return std::nullopt;
    }
    struct closer {
        int fd;
        ~closer() { ::close(fd); }
    } const on_exit{fd};

    std::string text;
    std::array<char, 4096> part;
    for (;;) {
        const ssize_t got = ::read(fd, part.data(), part.size());
        if (got > 0) {
            text.append(part.data(), static_cast<std::size_t>(got));
        } else if (got == 0) {
            return text;
        } else if (errno != EINTR) {
            return std::nullopt;
        }
    }
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// The whole of `text` as a decimal integer. A sign is for signed types only, and only '-'.
template <class Integer>
std::optional<Integer> parse_integer(std::string_view text) {
    Integer value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) {
        return std::nullopt;
    }
    return value;
}

std::string_view without_newline(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    return text;
}

// mountinfo writes space, tab, newline and backslash as a backslash and three octal digits.
std::string unescape(std::string_view text) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    while (!text.empty()) {
        if (text.size() >= 4 && text[0] == '\\' && std::all_of(&text[1], &text[1] + 3, is_octal)) {
            const int code = (text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0');
            plain.push_back(static_cast<char>(code));
            text.remove_prefix(4);
        } else {
            plain.push_back(text[0]);
            text.remove_prefix(1);
        }
    }
    return plain;
}

std::optional<cgroup_path> parse_cgroup_path(std::string_view text) {
    if (!text.starts_with('/')) {
        return std::nullopt;
    }
    cgroup_path path;
    for (const std::string_view name : split(text, '/')) {
        if (name.empty()) {
            continue;
        }
        if (name != "..") {
            path.names.emplace_back(name);
        } else if (path.names.empty()) {
            ++path.ups;
        } else {
            return std::nullopt;  // the kernel writes ".." in front only
        }
    }
    return path;
}

// The names that lead from a mount's root down to `own`; nullopt when `own` is not below it (I1).
std::optional<std::vector<std::string>> names_below(const cgroup_path& root,
                                                    const cgroup_path& own) {
    if (root.ups > own.ups && root.names.empty()) {
        // An ancestor, and the namespace hides the names between: only the root itself is readable.
        return std::vector<std::string>{};
    }
    if (root.ups != own.ups || root.names.size() > own.names.size()) {
        return std::nullopt;
    }
    const auto [differs, rest] =
        std::mismatch(root.names.begin(), root.names.end(), own.names.begin());
    if (differs != root.names.end()) {
        return std::nullopt;
    }
    return std::vector<std::string>(rest, own.names.end());
}

// Lines are "id:controllers:path"; v2's has id 0 and no controllers. A path may contain colons.
membership read_membership(const fs::path& root) {
    membership own;
    const std::string text = read_file(root / "proc/self/cgroup").value_or("");
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first == line.npos ? first : first + 1);
        if (second == line.npos) {
            continue;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        if (line.substr(0, first) == "0" && controllers.empty()) {
            own.v2 = parse_cgroup_path(path);
        } else if (contains(split(controllers, ','), "cpu")) {
            own.v1 = parse_cgroup_path(path);
        }
    }
    return own;
}

// A line is "id parent device root point options [tag]... - type source super-options". Returns
// nullopt unless it is about a cgroup hierarchy that can hold a CPU quota.
std::optional<cgroup_mount> parse_mount(std::string_view line, const fs::path& root) {
    constexpr std::size_t root_field = 3;
    constexpr std::size_t point_field = 4;
    constexpr std::ptrdiff_t first_tag = 6;
    const std::vector<std::string_view> fields = split(line, ' ');
    if (std::cmp_less(fields.size(), first_tag)) {
        return std::nullopt;
    }
    const auto dash = std::find(fields.begin() + first_tag, fields.end(), "-");
    if (fields.end() - dash < 4) {
        return std::nullopt;
    }
    const bool is_v2 = dash[1] == "cgroup2";
    if (!is_v2 && !(dash[1] == "cgroup" && contains(split(dash[3], ','), "cpu"))) {
        return std::nullopt;
    }
    std::optional<cgroup_path> mounted = parse_cgroup_path(unescape(fields[root_field]));
    const fs::path point = unescape(fields[point_field]);
    if (!mounted || !point.is_absolute()) {
        return std::nullopt;
    }
    return cgroup_mount{is_v2, *std::move(mounted), root / point.relative_path()};
}

std::vector<cgroup_mount> read_mounts(const fs::path& root) {
    std::vector<cgroup_mount> mounts;
    const std::string text = read_file(root / "proc/self/mountinfo").value_or("");
    for (const std::string_view line : split(text, '\n')) {
        std::optional<cgroup_mount> mount = parse_mount(line, root);
        if (!mount) {
            continue;
        }
        // A later mount at the same point hides the earlier one: those files are the later one's.
        std::erase_if(mounts, [&](const cgroup_mount& m) { return m.point == mount->point; });
        mounts.push_back(*std::move(mount));
    }
    return mounts;
}

template <class Integer>
quota ratio(std::optional<Integer> share, std::optional<Integer> period) {
    if (!share || !period || *share <= 0 || *period <= 0) {
        return std::nullopt;
    }
    return static_cast<double>(*share) / static_cast<double>(*period);
}

// cpu.max is "quota period", in microseconds, and "max" for no quota.
quota read_v2_quota(const fs::path& directory) {
    const std::optional<std::string> text = read_file(directory / "cpu.max");
    if (!text) {
        return std::nullopt;
    }
    const std::vector<std::string_view> fields = split(without_newline(*text), ' ');
    if (fields.size() != 2) {
        return std::nullopt;
    }
    return ratio(parse_integer<std::uint64_t>(fields[0]), parse_integer<std::uint64_t>(fields[1]));
}

// Two files, in microseconds; a quota of -1 is none.
quota read_v1_quota(const fs::path& directory) {
    const auto read_number = [&](const char* name) -> std::optional<std::int64_t> {
        const std::optional<std::string> text = read_file(directory / name);
        return text ? parse_integer<std::int64_t>(without_newline(*text)) : std::nullopt;
    };
    return ratio(read_number("cpu.cfs_quota_us"), read_number("cpu.cfs_period_us"));
}

quota smaller(quota a, quota b) {
    if (!a || !b) {
        return a ? a : b;
    }
    return std::min(*a, *b);
}

// The smallest quota from the mount's root down to the process's own cgroup. Directories may be
// missing: a cgroup that was removed under its process is listed as "name (deleted)".
quota read_quota(const cgroup_mount& mount, const cgroup_path& own) {
    const std::optional<std::vector<std::string>> names = names_below(mount.root, own);
    if (!names) {
        return std::nullopt;
    }
    const auto read = mount.is_v2 ? read_v2_quota : read_v1_quota;
    fs::path directory = mount.point;
    quota smallest = read(directory);
    for (const std::string& name : *names) {
        directory /= name;
        smallest = smaller(smallest, read(directory));
    }
    return smallest;
}

int thread_affinity(std::size_t bytes, void* mask) {
    constexpr pid_t this_thread = 0;
    return ::sched_getaffinity(this_thread, bytes, static_cast<cpu_set_t*>(mask));
}

std::size_t online_cpus() {
    return static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

std::size_t count_affinity(affinity_call call) {
    // One cpu_set_t holds 1024 CPUs. The end, a million, is far beyond what kernels are built for;
    // it is there because EINVAL could have another reason, which growing would not cure.
    constexpr std::size_t most_sets = 1024;
    for (std::size_t sets = 1; sets <= most_sets; sets *= 2) {
        std::vector<cpu_set_t> mask(sets);
        const std::size_t bytes = sets * sizeof(cpu_set_t);
        if (call(bytes, mask.data()) == 0) {
            const int count = CPU_COUNT_S(bytes, mask.data());
            return count > 0 ? static_cast<std::size_t>(count) : online_cpus();
        }
        if (errno != EINVAL) {
            break;
        }
    }
    return online_cpus();
}

cpu_limits read_cpu_limits(const fs::path& root) {
    cpu_limits limits{.affinity = count_affinity(thread_affinity), .quota = std::nullopt};
    const membership own = read_membership(root);
    for (const cgroup_mount& mount : read_mounts(root)) {
        const std::optional<cgroup_path>& path = mount.is_v2 ? own.v2 : own.v1;
        if (path) {
            limits.quota = smaller(limits.quota, read_quota(mount, *path));
        }
    }
    return limits;
}

std::size_t default_workers(const cpu_limits& limits) noexcept {
    std::size_t workers = limits.affinity;
    // Compared before it is converted: a quota may be larger than any integer.
    if (limits.quota && *limits.quota < static_cast<double>(workers)) {
        workers = static_cast<std::size_t>(std::ceil(std::max(0.0, *limits.quota)));
    }
    return std::clamp(workers, std::size_t{1}, max_workers);
}

std::size_t parse_workers(std::string_view text) {
    const std::optional<std::size_t> workers = parse_integer<std::size_t>(text);
    if (!workers || *workers < 1 || *workers > max_workers) {
        throw std::invalid_argument("RUNNEL_MAXPROCS is \"" + std::string(text) +
                                    "\", but must be an integer from 1 to " +
                                    std::to_string(max_workers));
    }
    return *workers;
}

std::size_t max_map_count(const fs::path& root) {
    const std::optional<std::string> text = read_file(root / "proc/sys/vm/max_map_count");
    const auto count = text ? parse_integer<std::size_t>(without_newline(*text)) : std::nullopt;
    return count.value_or(default_max_map_count);
}

}  // namespace runnel::os
