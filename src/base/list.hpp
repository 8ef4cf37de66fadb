// base/list.hpp: an intrusive doubly linked list over members `next` and `prev`.
#pragma once

#include <cstddef>

namespace runnel::detail {

/// Owns nothing; a T stands in at most one list. Not synchronised.
template <class T>
class intrusive_list {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* front() const noexcept { return head_; }
    [[nodiscard]] T* back() const noexcept { return tail_; }

    void push_back(T* item) noexcept {
        item->next = nullptr;
        item->prev = tail_;
        (tail_ != nullptr ? tail_->next : head_) = item;
        tail_ = item;
        ++size_;
    }

    void push_front(T* item) noexcept {
        item->prev = nullptr;
        item->next = head_;
        (head_ != nullptr ? head_->prev : tail_) = item;
        head_ = item;
        ++size_;
    }

    T* pop_front() noexcept {
        T* const item = head_;
        if (item != nullptr) {
            head_ = item->next;
            (head_ != nullptr ? head_->prev : tail_) = nullptr;
            --size_;
        }
        return item;
    }

    T* pop_back() noexcept {
        T* const item = tail_;
        if (item != nullptr) {
            tail_ = item->prev;
            (tail_ != nullptr ? tail_->next : head_) = nullptr;
            --size_;
        }
        return item;
    }

    /// Takes out `item`, which is in this list.
    void remove(T* item) noexcept {
        (item->prev != nullptr ? item->prev->next : head_) = item->next;
        (item->next != nullptr ? item->next->prev : tail_) = item->prev;
        --size_;
    }

    /// Appends all of `other`, which is empty afterwards.
    void splice_back(intrusive_list& other) noexcept {
        if (other.empty()) {
            return;
        }
        other.head_->prev = tail_;
        (tail_ != nullptr ? tail_->next : head_) = other.head_;
        tail_ = other.tail_;
        size_ += other.size_;
        other = intrusive_list();
    }

private:
    T* head_ = nullptr;
    T* tail_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace runnel::detail
