package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// memory is in bytes.
type memory struct {
	resident   int64
	pageTables int64
}

// statusNumber is the number after "key:" in this process's status file; 0 if there is none.
func statusNumber(key string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] == key+":" {
			number, _ := strconv.ParseInt(words[1], 10, 64)
			return number
		}
	}
	return 0
}

func memoryNow() memory {
	const kib = 1024
	now := memory{statusNumber("VmRSS") * kib, statusNumber("VmPTE") * kib}
	if now.resident == 0 {
		fmt.Fprintln(os.Stderr, "cannot read VmRSS from /proc/self/status")
		os.Exit(1)
	}
	return now
}

// consumption is what all threads of this process have used so far, those that have ended included.
type consumption struct {
	cpu      time.Duration // user and system
	switches int64         // voluntary or not
}

func consumed() consumption {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fmt.Fprintln(os.Stderr, "getrusage:", err)
		os.Exit(1)
	}
	return consumption{time.Duration(used.Utime.Nano() + used.Stime.Nano()), used.Nvcsw + used.Nivcsw}
}
