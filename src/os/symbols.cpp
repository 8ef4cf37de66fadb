#include "src/os/symbols.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace runnel::os {
namespace {

std::string hex(std::uintptr_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%zx", value);
    return text;
}

std::string demangle(const char* symbol) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
    return name ? name.get() : symbol;
}

}  // namespace

std::string describe_address(const void* address) {
    Dl_info module{};
    ElfW(Sym)* symbol = nullptr;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (address == nullptr ||
        ::dladdr1(address, &module, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0) {
        return hex(at);
    }
    const char* const slash = std::strrchr(module.dli_fname, '/');
    std::string place = std::string(slash != nullptr ? slash + 1 : module.dli_fname) + "+" +
                        hex(at - reinterpret_cast<std::uintptr_t>(module.dli_fbase));
    const auto start = reinterpret_cast<std::uintptr_t>(module.dli_saddr);
    // The nearest exported symbol is a guess unless the address lies inside it.
    if (module.dli_sname == nullptr || symbol == nullptr || at >= start + symbol->st_size) {
        return place;
    }
    return demangle(module.dli_sname) + "+" + hex(at - start) + " (" + place + ")";
}

}  // namespace runnel::os
