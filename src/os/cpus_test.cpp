// os/cpus_test.cpp: CPU limits, read from files below a temporary directory.
#include "src/os/cpus.hpp"

#include <gtest/gtest.h>

#include <sched.h>
#include <stdlib.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace runnel::os {
namespace {

namespace fs = std::filesystem;

const std::string v1_line = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
const std::string v2_line = "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

// A directory that stands for "/", gone with the object.
class fake_root {
public:
    fake_root() {
        std::string pattern = (fs::temp_directory_path() / "runnel-cpus-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::system_error(errno, std::generic_category(), pattern);
        }
        path_ = pattern;
    }
    fake_root(const fake_root&) = delete;
    fake_root& operator=(const fake_root&) = delete;
    ~fake_root() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    void write(const fs::path& name, std::string_view text) const {
        const fs::path file = path_ / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << text;
    }
    void cgroup(std::string_view text) const { write("proc/self/cgroup", text); }
    void mountinfo(std::string_view text) const { write("proc/self/mountinfo", text); }
    void v1_quota(const fs::path& directory, std::string_view share,
                  std::string_view period) const {
        write(directory / "cpu.cfs_quota_us", share);
        write(directory / "cpu.cfs_period_us", period);
    }

    const fs::path& path() const { return path_; }
    std::optional<double> quota() const { return read_cpu_limits(path_).quota; }

private:
    fs::path path_;
};

// The v2 quota of a process in /app, whose cpu.max holds `text`.
std::optional<double> quota_of_cpu_max(std::string_view text) {
    const fake_root root;
    root.cgroup("0::/app\n");
    root.mountinfo(v2_line);
    root.write("sys/fs/cgroup/app/cpu.max", text);
    return root.quota();
}

// The v1 quota of a process in /app with these two files.
std::optional<double> quota_of_cfs(std::string_view share, std::string_view period) {
    const fake_root root;
    root.cgroup("3:cpu,cpuacct:/app\n");
    root.mountinfo(v1_line);
    root.v1_quota("sys/fs/cgroup/cpu/app", share, period);
    return root.quota();
}

// The mask that a kernel for 5000 CPUs would fill, with every CPU allowed.
int affinity_of_5000_cpus(std::size_t bytes, void* mask) {
    if (bytes < 5000 / 8) {
        errno = EINVAL;
        return -1;
    }
    for (std::size_t cpu = 0; cpu < 5000; ++cpu) {
        CPU_SET_S(cpu, bytes, static_cast<cpu_set_t*>(mask));
    }
    return 0;
}

int affinity_forbidden(std::size_t, void*) {
    errno = EPERM;
    return -1;
}

int affinity_always_invalid(std::size_t, void*) {
    errno = EINVAL;
    return -1;
}

int affinity_empty(std::size_t, void*) { return 0; }

TEST(cpu_affinity, mask_grows_beyond_1024_cpus) {
    EXPECT_EQ(count_affinity(affinity_of_5000_cpus), 5000u);
}

TEST(cpu_affinity, failure_or_an_empty_mask_falls_back_to_the_cpus_online) {
    EXPECT_GE(count_affinity(affinity_forbidden), 1u);
    EXPECT_GE(count_affinity(affinity_always_invalid), 1u);
    EXPECT_GE(count_affinity(affinity_empty), 1u);
}

TEST(cpu_affinity, follows_the_mask_of_the_calling_thread) {
    std::array<cpu_set_t, 64> all{};
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, all.data()), 0);
    EXPECT_EQ(read_cpu_limits().affinity,
              static_cast<std::size_t>(CPU_COUNT_S(sizeof all, all.data())));

    std::size_t pinned = 0;
    int rc = -1;
    // In a thread of its own, so that the pin ends with it.
    std::thread([&] {
        std::array<cpu_set_t, 64> one{};
        CPU_SET_S(static_cast<std::size_t>(::sched_getcpu()), sizeof one, one.data());
        rc = ::sched_setaffinity(0, sizeof one, one.data());
        pinned = read_cpu_limits().affinity;
    }).join();
    ASSERT_EQ(rc, 0);
    EXPECT_EQ(pinned, 1u);
}

TEST(cpu_quota, none_without_any_file) {
    const fake_root root;
    EXPECT_EQ(root.quota(), std::nullopt);
    EXPECT_GE(read_cpu_limits(root.path()).affinity, 1u);
    EXPECT_EQ(read_cpu_limits(root.path() / "missing").quota, std::nullopt);
}

TEST(cpu_quota, real_system_is_readable) {
    const cpu_limits limits = read_cpu_limits();
    EXPECT_GE(limits.affinity, 1u);
    EXPECT_GT(limits.quota.value_or(1.0), 0.0);
    EXPECT_GE(default_workers(limits), 1u);
    EXPECT_LE(default_workers(limits), limits.affinity);
}

TEST(cpu_quota, v2_is_quota_over_period) {
    EXPECT_EQ(quota_of_cpu_max("150000 100000\n"), 1.5);
    EXPECT_EQ(quota_of_cpu_max("50000 200000\n"), 0.25);
    EXPECT_EQ(quota_of_cpu_max("300000 100000"), 3.0);
}

TEST(cpu_quota, v2_max_is_no_limit) {
    EXPECT_EQ(quota_of_cpu_max("max 100000\n"), std::nullopt);
    EXPECT_EQ(quota_of_cpu_max("max\n"), std::nullopt);
}

TEST(cpu_quota, v2_garbage_is_no_limit) {
    for (const char* text :
         {"", "\n", " ", "100000", "100000\n", "0 100000\n", "100000 0\n", "-1 100000\n",
          "100000 -1\n", "abc 100000\n", "100000 abc\n", "100000 max\n", "1e5 100000\n",
          "100000  100000\n", "100000 100000 1\n", "100000us 100000\n", " 100000 100000\n",
          "99999999999999999999 100000\n", "100000 100000\n\n"}) {
        EXPECT_EQ(quota_of_cpu_max(text), std::nullopt) << '"' << text << '"';
    }
}

TEST(cpu_quota, v2_takes_the_smallest_from_the_own_cgroup_to_the_mount_root) {
    const fake_root root;
    root.cgroup("0::/a/b/c\n");
    root.mountinfo(v2_line);
    root.write("sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
    EXPECT_EQ(root.quota(), 4.0);
    root.write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    EXPECT_EQ(root.quota(), 4.0);
    root.write("sys/fs/cgroup/a/cpu.max", "600000 300000\n");
    EXPECT_EQ(root.quota(), 2.0);
    root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
    EXPECT_EQ(root.quota(), 1.0);
    root.write("sys/fs/cgroup/a/b/c/cpu.max", "50000 100000\n");
    EXPECT_EQ(root.quota(), 0.5);
}

TEST(cpu_quota, reads_neither_siblings_nor_children_nor_what_is_above_the_mount) {
    const fake_root root;
    root.cgroup("0::/a\n");
    root.mountinfo(v2_line);
    for (const char* other :
         {"sys/fs/cgroup/b", "sys/fs/cgroup/a/child", "sys/fs/cgroup/ab", "sys/fs", "sys", ""}) {
        root.write(fs::path(other) / "cpu.max", "10000 100000\n");
    }
    EXPECT_EQ(root.quota(), std::nullopt);
    root.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, v2_process_in_the_root_cgroup_reads_the_mount_point) {
    const fake_root root;
    root.cgroup("0::/\n");
    root.mountinfo(v2_line);
    EXPECT_EQ(root.quota(), std::nullopt);  // the real root cgroup has no cpu.max
    root.write("sys/fs/cgroup/cpu.max", "250000 100000\n");
    EXPECT_EQ(root.quota(), 2.5);
}

TEST(cpu_quota, a_removed_cgroup_still_has_the_limits_of_its_ancestors) {
    const fake_root root;
    root.cgroup("0::/a/b (deleted)\n");
    root.mountinfo(v2_line);
    root.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, v1_is_quota_over_period) {
    EXPECT_EQ(quota_of_cfs("150000\n", "100000\n"), 1.5);
    EXPECT_EQ(quota_of_cfs("20000", "40000"), 0.5);
}

TEST(cpu_quota, v1_minus_one_is_no_limit) {
    EXPECT_EQ(quota_of_cfs("-1\n", "100000\n"), std::nullopt);
}

TEST(cpu_quota, v1_garbage_is_no_limit) {
    for (const char* text : {"", "\n", "0\n", "-5\n", "abc\n", "max\n", "100000 100000\n", "+5\n",
                             "1.5\n", "99999999999999999999\n"}) {
        EXPECT_EQ(quota_of_cfs(text, "100000\n"), std::nullopt) << "quota \"" << text << '"';
        EXPECT_EQ(quota_of_cfs("100000\n", text), std::nullopt) << "period \"" << text << '"';
    }
}

TEST(cpu_quota, v1_needs_both_files) {
    const fake_root root;
    root.cgroup("3:cpu:/\n");
    root.mountinfo(v1_line);
    root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    EXPECT_EQ(root.quota(), std::nullopt);
    root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, v1_takes_the_smallest_from_the_own_cgroup_to_the_mount_root) {
    const fake_root root;
    root.cgroup("5:cpuset:/elsewhere\n3:cpu,cpuacct:/a/b\n");
    root.mountinfo(v1_line);
    root.v1_quota("sys/fs/cgroup/cpu/a/b", "-1\n", "100000\n");
    root.v1_quota("sys/fs/cgroup/cpu/a", "300000\n", "100000\n");
    EXPECT_EQ(root.quota(), 3.0);
    root.v1_quota("sys/fs/cgroup/cpu", "100000\n", "100000\n");
    EXPECT_EQ(root.quota(), 1.0);
    root.v1_quota("sys/fs/cgroup/cpu/a/b", "50000\n", "100000\n");
    EXPECT_EQ(root.quota(), 0.5);
}

TEST(cpu_quota, v1_looks_at_the_cpu_controller_only) {
    const fake_root root;
    root.cgroup("4:cpuset,cpuacct:/a\n9:name=cpu:/a\n");
    root.mountinfo("33 31 0:30 / /sys/fs/cgroup/x rw - cgroup cgroup rw,cpuset,cpuacct\n");
    root.v1_quota("sys/fs/cgroup/x/a", "100000\n", "100000\n");
    EXPECT_EQ(root.quota(), std::nullopt);
    root.cgroup("4:cpuset,cpu:/a\n");
    EXPECT_EQ(root.quota(), std::nullopt);  // still mounted without it
    root.mountinfo("33 31 0:30 / /sys/fs/cgroup/x rw - cgroup cgroup rw,cpuset,cpu\n");
    EXPECT_EQ(root.quota(), 1.0);
}

TEST(cpu_quota, v1_files_are_not_read_from_a_v2_mount_nor_the_reverse) {
    const fake_root root;
    root.cgroup("3:cpu:/\n0::/\n");
    root.mountinfo(v1_line + v2_line);
    root.v1_quota("sys/fs/cgroup", "100000\n", "100000\n");
    root.write("sys/fs/cgroup/cpu/cpu.max", "100000 100000\n");
    EXPECT_EQ(root.quota(), std::nullopt);
}

TEST(cpu_quota, hybrid_systems_keep_the_quota_in_the_v1_hierarchy) {
    const fake_root root;
    root.cgroup("3:cpu,cpuacct:/slice/app\n1:name=systemd:/slice/app\n0::/slice/app\n");
    root.mountinfo("31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
                   "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
                   "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n" +
                   v1_line);
    root.write("sys/fs/cgroup/unified/slice/app/cgroup.procs", "1\n");
    EXPECT_EQ(root.quota(), std::nullopt);
    root.v1_quota("sys/fs/cgroup/cpu/slice/app", "70000\n", "100000\n");
    EXPECT_EQ(root.quota(), 0.7);
    // Never both in practice; if it were, both would bind.
    root.write("sys/fs/cgroup/unified/slice/app/cpu.max", "20000 100000\n");
    EXPECT_EQ(root.quota(), 0.2);
}

TEST(cpu_quota, a_container_that_mounts_its_own_cgroup_reads_the_mount_point) {
    const fake_root root;
    root.cgroup("3:cpu,cpuacct:/docker/f00d\n");
    root.mountinfo(
        "700 690 0:29 /docker/f00d /sys/fs/cgroup/cpu,cpuacct ro master:9 propagate_from:2"
        " - cgroup cgroup rw,cpu,cpuacct\n");
    root.v1_quota("sys/fs/cgroup/cpu,cpuacct", "250000\n", "100000\n");
    EXPECT_EQ(root.quota(), 2.5);
}

TEST(cpu_quota, a_container_inside_a_container_is_found_relative_to_the_mounted_part) {
    const fake_root root;
    root.cgroup("0::/docker/outer/docker/inner/task\n");
    root.mountinfo("700 690 0:29 /docker/outer /sys/fs/cgroup ro - cgroup2 cgroup rw,nsdelegate\n");
    root.write("sys/fs/cgroup/docker/inner/task/cpu.max", "400000 100000\n");
    EXPECT_EQ(root.quota(), 4.0);
    root.write("sys/fs/cgroup/docker/inner/cpu.max", "300000 100000\n");
    EXPECT_EQ(root.quota(), 3.0);
    root.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
    // The path from the host's point of view is not a path in here.
    root.write("sys/fs/cgroup/docker/outer/docker/inner/task/cpu.max", "100000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, a_mount_of_another_part_of_the_hierarchy_does_not_bind) {
    // "/docker/f00d" is no prefix of "/docker/f00dbeef" component by component.
    for (const char* mounted : {"/docker/cafe", "/docker/f00d", "/docker/f00dbeef/child"}) {
        const fake_root root;
        root.cgroup("0::/docker/f00dbeef\n");
        root.mountinfo("7 6 0:29 " + std::string(mounted) +
                       " /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
        root.write("sys/fs/cgroup/docker/f00dbeef/cpu.max", "100000 100000\n");
        EXPECT_EQ(root.quota(), std::nullopt) << mounted;
    }
}

TEST(cpu_quota, a_mount_rooted_above_the_cgroup_namespace_binds_by_its_root_only) {
    const fake_root root;
    root.cgroup("0::/\n");
    root.mountinfo("7 6 0:29 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    root.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
    EXPECT_EQ(root.quota(), 3.0);
    root.write("sys/fs/cpu.max", "100000 100000\n");  // ".." is never followed
    root.write("sys/cpu.max", "100000 100000\n");
    EXPECT_EQ(root.quota(), 3.0);
}

TEST(cpu_quota, a_process_outside_of_its_cgroup_namespace_is_matched_outside) {
    const fake_root root;
    root.cgroup("0::/../job/task\n");
    root.mountinfo("7 6 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
    root.write("sys/fs/job/task/cpu.max", "100000 100000\n");
    EXPECT_EQ(root.quota(), std::nullopt);  // the namespace's root is not its ancestor
    root.mountinfo("7 6 0:29 /../job /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    root.write("sys/fs/cgroup/task/cpu.max", "50000 100000\n");
    EXPECT_EQ(root.quota(), 0.5);
    root.mountinfo("7 6 0:29 /../other /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    EXPECT_EQ(root.quota(), std::nullopt);
}

TEST(cpu_quota, dots_inside_a_path_are_garbage) {
    const fake_root root;
    root.cgroup("0::/a/../b\n");
    root.mountinfo(v2_line);
    root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");
    root.write("sys/fs/cgroup/b/cpu.max", "100000 100000\n");
    EXPECT_EQ(root.quota(), std::nullopt);
}

TEST(cpu_quota, every_mount_that_shows_the_process_counts) {
    const fake_root root;
    root.cgroup("0::/a/b\n");
    root.mountinfo("7 6 0:29 /a/b /run/own rw - cgroup2 cgroup rw\n" + v2_line);
    root.write("run/own/cpu.max", "300000 100000\n");
    root.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, a_mount_over_another_hides_it) {
    const fake_root root;
    root.cgroup("0::/a\n");
    root.mountinfo(v2_line + "42 41 0:38 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    root.write("sys/fs/cgroup/cpu.max", "100000 100000\n");  // this is /other's
    EXPECT_EQ(root.quota(), std::nullopt);
}

TEST(cpu_quota, mount_points_and_roots_are_unescaped) {
    const fake_root root;
    root.cgroup("0::/my slice/a\\b\n");
    root.mountinfo("7 6 0:29 /my\\040slice /mnt/c\\040g\\134\\9 rw - cgroup2 cgroup rw\n");
    root.write("mnt/c g\\\\9/a\\b/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, cgroup_names_may_contain_colons_and_commas) {
    const fake_root root;
    root.cgroup("3:cpu:/a:b,c:d\n0::/x::y\n");
    root.mountinfo(v1_line + v2_line);
    root.v1_quota("sys/fs/cgroup/cpu/a:b,c:d", "400000\n", "100000\n");
    EXPECT_EQ(root.quota(), 4.0);
    root.write("sys/fs/cgroup/x::y/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, mountinfo_tags_may_be_absent_or_many) {
    for (const char* tags : {"", "shared:1 ", "shared:1 master:2 propagate_from:3 unbindable "}) {
        const fake_root root;
        root.cgroup("0::/\n");
        root.mountinfo("7 6 0:29 / /cg rw " + std::string(tags) + "- cgroup2 none rw\n");
        root.write("cg/cpu.max", "200000 100000\n");
        EXPECT_EQ(root.quota(), 2.0) << tags;
    }
}

TEST(cpu_quota, garbage_lines_are_skipped_and_the_others_count) {
    const fake_root root;
    root.cgroup("\n:\n::\nx\n0:\n0:cpu\n3::/no\n7:memory:/m\n0::relative\n0::/a\n");
    root.mountinfo("\n \n-\n - - -\n1 2 3 4 5 6 7 8 9\n1 2 0:1 / /x rw - cgroup2\n"
                   "1 2 0:1 / relative rw - cgroup2 cgroup2 rw\n"
                   "1 2 0:1 relative /x rw - cgroup2 cgroup2 rw\n" +
                   v2_line + std::string("\0\xff\xfe\n", 4));
    root.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(cpu_quota, files_cut_short_anywhere_give_the_quota_or_none) {
    const std::string cgroup = "3:cpu,cpuacct:/\n0::/\n";
    const std::string mountinfo = v1_line + v2_line;
    const fake_root root;
    root.v1_quota("sys/fs/cgroup/cpu", "200000\n", "100000\n");
    root.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
    root.mountinfo(mountinfo);
    for (std::size_t size = 0; size <= cgroup.size(); ++size) {
        root.cgroup(std::string_view(cgroup).substr(0, size));
        EXPECT_EQ(root.quota().value_or(2.0), 2.0) << size;
    }
    for (std::size_t size = 0; size <= mountinfo.size(); ++size) {
        root.mountinfo(std::string_view(mountinfo).substr(0, size));
        EXPECT_EQ(root.quota().value_or(2.0), 2.0) << size;
    }
}

TEST(cpu_quota, a_directory_in_place_of_a_file_is_no_limit) {
    const fake_root root;
    root.cgroup("0::/\n");
    root.mountinfo(v2_line);
    fs::create_directories(root.path() / "sys/fs/cgroup/cpu.max");
    EXPECT_EQ(root.quota(), std::nullopt);
    fs::remove(root.path() / "proc/self/mountinfo");
    fs::create_directories(root.path() / "proc/self/mountinfo");
    EXPECT_EQ(root.quota(), std::nullopt);
}

TEST(cpu_quota, files_longer_than_one_read_are_read_to_the_end) {
    const fake_root root;
    std::string many;
    for (int i = 0; i < 2000; ++i) {
        many += "9 8 0:7 / /overlay/" + std::to_string(i) + " rw - overlay overlay rw\n";
    }
    root.cgroup("0::/\n");
    root.mountinfo(many + v2_line);
    root.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
    EXPECT_EQ(root.quota(), 2.0);
}

TEST(default_workers, is_the_affinity_without_a_quota) {
    EXPECT_EQ(default_workers({.affinity = 1, .quota = std::nullopt}), 1u);
    EXPECT_EQ(default_workers({.affinity = 48, .quota = std::nullopt}), 48u);
}

TEST(default_workers, rounds_the_quota_up) {
    EXPECT_EQ(default_workers({.affinity = 8, .quota = 0.01}), 1u);
    EXPECT_EQ(default_workers({.affinity = 8, .quota = 1.0}), 1u);
    EXPECT_EQ(default_workers({.affinity = 8, .quota = 1.001}), 2u);
    EXPECT_EQ(default_workers({.affinity = 8, .quota = 3.0}), 3u);
    EXPECT_EQ(default_workers({.affinity = 8, .quota = 7.5}), 8u);
}

TEST(default_workers, is_the_affinity_when_the_quota_is_larger) {
    EXPECT_EQ(default_workers({.affinity = 2, .quota = 2.5}), 2u);
    EXPECT_EQ(default_workers({.affinity = 2, .quota = 1e300}), 2u);
    EXPECT_EQ(default_workers({.affinity = 2, .quota = std::numeric_limits<double>::infinity()}),
              2u);
}

TEST(default_workers, stays_between_one_and_the_maximum) {
    EXPECT_EQ(default_workers({.affinity = 0, .quota = std::nullopt}), 1u);
    EXPECT_EQ(default_workers({.affinity = 4, .quota = 0.0}), 1u);
    EXPECT_EQ(default_workers({.affinity = 4, .quota = -3.0}), 1u);
    EXPECT_EQ(default_workers({.affinity = 4, .quota = std::numeric_limits<double>::quiet_NaN()}),
              4u);
    EXPECT_EQ(default_workers({.affinity = 5000, .quota = std::nullopt}), max_workers);
    EXPECT_EQ(default_workers({.affinity = 5000, .quota = 3000.0}), max_workers);
}

TEST(parse_workers, accepts_decimal_integers_in_range) {
    EXPECT_EQ(parse_workers("1"), 1u);
    EXPECT_EQ(parse_workers("8"), 8u);
    EXPECT_EQ(parse_workers("008"), 8u);
    EXPECT_EQ(parse_workers("1024"), max_workers);
}

TEST(parse_workers, names_variable_value_and_range_when_it_rejects) {
    for (const std::string text : {"", "0", "-1", "-0", "+4", "abc", "1025", "100000", "4x", " 4",
                                   "4 ", "4\n", "4.0", "1e2", "0x4", "4,", "18446744073709551616",
                                   "18446744073709551617", "99999999999999999999999999999999"}) {
        try {
            const std::size_t workers = parse_workers(text);
            ADD_FAILURE() << '"' << text << "\" was accepted as " << workers;
        } catch (const std::invalid_argument& e) {
            const std::string_view what = e.what();
            EXPECT_NE(what.find("RUNNEL_MAXPROCS"), what.npos) << what;
            EXPECT_NE(what.find('"' + text + '"'), what.npos) << what;
            EXPECT_NE(what.find("from 1 to 1024"), what.npos) << what;
        }
    }
}

TEST(parse_workers, rejects_a_zero_byte_after_the_digits) {
    EXPECT_THROW(static_cast<void>(parse_workers(std::string_view("4\0", 2))),
                 std::invalid_argument);
}

TEST(max_map_count, is_what_the_kernel_says) {
    const fake_root root;
    root.write("proc/sys/vm/max_map_count", "262144\n");
    EXPECT_EQ(max_map_count(root.path()), 262144u);
    EXPECT_GT(max_map_count(), 0u);
}

TEST(max_map_count, is_the_kernel_default_when_unreadable) {
    const fake_root root;
    EXPECT_EQ(max_map_count(root.path()), 65530u);
    for (const char* text : {"", "\n", "abc\n", "-1\n", "65536 1\n", "99999999999999999999\n"}) {
        root.write("proc/sys/vm/max_map_count", text);
        EXPECT_EQ(max_map_count(root.path()), 65530u) << '"' << text << '"';
    }
}

}  // namespace
}  // namespace runnel::os
