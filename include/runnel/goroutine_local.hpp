// runnel/goroutine_local.hpp: one value per goroutine, as thread_local is one per thread.
#pragma once

#include <utility>

#include <runnel/detail/locals.hpp>

namespace runnel {

/// One T per goroutine (per thread on a plain thread), value-initialised on first use there, and
/// destroyed when the goroutine ends. The goroutine_local itself must outlive the goroutines that
/// use it: make it a static, or a member of something that outlives them.
template <class T>
class goroutine_local {
public:
    goroutine_local() = default;
    goroutine_local(const goroutine_local&) = delete;
    goroutine_local& operator=(const goroutine_local&) = delete;

    /// The calling goroutine's value. A reference stays valid until that goroutine ends.
    [[nodiscard]] T& operator*() const { return get(); }
    [[nodiscard]] T* operator->() const { return &get(); }

private:
    T& get() const {
        detail::goroutine_locals& locals = detail::current_locals();
        void* object = locals.find(this);
        if (object == nullptr) {
            auto made = new T();
            try {
                locals.add({this, made, [](void* p) { delete static_cast<T*>(p); }});
            } catch (...) {
                delete made;
                throw;
            }
            object = made;
        }
        return *static_cast<T*>(object);
    }
};

}  // namespace runnel
