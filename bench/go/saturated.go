package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// saturate keeps every worker busy, by goroutines that only yield, until the returned function is
// called.
func saturate(goroutines int64) (release func()) {
	var started, running sync.WaitGroup
	stop := int32(0)
	started.Add(int(goroutines))
	running.Add(int(goroutines))
	for g := int64(0); g < goroutines; g++ {
		go func() {
			started.Done()
			for atomic.LoadInt32(&stop) == 0 {
				runtime.Gosched()
			}
			running.Done()
		}()
	}
	started.Wait()
	return func() {
		atomic.StoreInt32(&stop, 1)
		running.Wait()
	}
}

func saturatedSleep(r row, out report) error {
	release := saturate(r.size("per_worker", 1) * int64(runtime.GOMAXPROCS(0)))
	late := make([]time.Duration, 0, r.count)
	early := int64(0)
	for i := int64(0); i < r.count; i++ {
		start := time.Now()
		time.Sleep(time.Millisecond)
		late = append(late, time.Since(start)-time.Millisecond)
		if late[i] < 0 {
			early++
		}
	}
	release()
	if err := check("sleeps that ended early", early, 0); err != nil {
		return err
	}
	out.latencies(late)
	return nil
}

// monotonicNs reads CLOCK_MONOTONIC, which is the same clock in both processes.
func monotonicNs() int64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// readAges reads times until the writer has ended; how old was each when it was read?
func readAges(from io.Reader, ages []time.Duration) ([]time.Duration, error) {
	var sent [8]byte
	for {
		got, err := from.Read(sent[:])
		if err == io.EOF {
			return ages, nil
		}
		if err != nil || got != len(sent) {
			return ages, fmt.Errorf("read answered %d, %v", got, err)
		}
		age := monotonicNs() - int64(binary.LittleEndian.Uint64(sent[:]))
		ages = append(ages, time.Duration(age))
	}
}

// The writer is a process, not a thread: then it is the same for every runtime measured, and none
// has a hand in it.
func saturatedPipe(r row, out report) error {
	reading, writing, err := os.Pipe()
	if err != nil {
		return err
	}
	release := saturate(r.size("per_worker", 1) * int64(runtime.GOMAXPROCS(0)))
	writer := exec.Command("/proc/self/exe", "write_times", strconv.FormatInt(r.count, 10))
	writer.Stdout = writing
	writer.Stderr = os.Stderr
	if err := writer.Start(); err != nil {
		return err
	}
	writing.Close()
	ages, err := readAges(reading, make([]time.Duration, 0, r.count))
	if err == nil {
		err = writer.Wait()
	}
	release()
	if err != nil {
		return err
	}
	if err := check("times read", int64(len(ages)), r.count); err != nil {
		return err
	}
	out.latencies(ages)
	return nil
}

// writeTimes writes so many times of CLOCK_MONOTONIC, in nanoseconds, to standard output, one
// about every millisecond.
func writeTimes(words []string) int {
	if len(words) != 1 {
		return usage()
	}
	count, err := parseNumber(words[0], 1)
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_bench:", err)
		return 2
	}
	runtime.LockOSThread()
	var now [8]byte
	for i := int64(0); i < count; i++ {
		pause := syscall.Timespec{Nsec: 1000000}
		syscall.Nanosleep(&pause, nil)
		binary.LittleEndian.PutUint64(now[:], uint64(monotonicNs()))
		if _, err := syscall.Write(1, now[:]); err != nil {
			fmt.Fprintln(os.Stderr, "go_bench:", err)
			return 1
		}
	}
	return 0
}
