// go_bench runs one workload and prints what it measured: the Go half of the comparison.
//
// usage: go_bench NAME [COUNT]      the row of that name in workloads.txt
//
//	go_bench list              the names
//	go_bench about             how it was built
package main

import (
	"fmt"
	"os"
	"runtime"
)

type workload struct {
	name string
	run  func(row, report) error
}

var workloads = []workload{
	{"yield", yield},
	{"pingpong", pingpong},
	{"chan_buf128", oneToOne},
	{"chan_buf1", oneToOne},
	{"chan_unbuf", oneToOne},
	{"mpmc", mpmc},
	{"spawn_join", spawnJoin},
	{"spawn_many", spawnMany},
	{"select2_unbuf", select2},
	{"select2_buf16", select2},
	{"select8_unbuf", select8},
	{"select8_buf16", select8},
	{"select_default", selectDefault},
	{"ring", ring},
	{"skynet", skynet},
	{"sieve", sieve},
	{"mem", mem},
	{"mutex", mutex},
	{"rwmutex", rwmutex},
	{"pipeline", pipeline},
	{"saturated_sleep", saturatedSleep},
	{"saturated_pipe", saturatedPipe},
	{"timers", timers},
	{"timers_gate", timersGate},
	{"after_stop", afterStop},
	{"idle", idle},
}

func usage() int {
	fmt.Fprintln(os.Stderr, "usage: go_bench NAME [COUNT] | list | about")
	return 2
}

func runWorkload(w workload, words []string) int {
	r, err := findRow(w.name)
	if err == nil && len(words) == 2 {
		r.count, err = parseNumber(words[1], 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_bench:", err)
		return 2
	}
	if err := w.run(r, report{r.name}); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", w.name, err)
		return 1
	}
	return 0
}

func dispatch(words []string) int {
	if len(words) == 0 || len(words) > 2 {
		return usage()
	}
	switch words[0] {
	case "list":
		for _, w := range workloads {
			fmt.Println(w.name)
		}
		return 0
	case "about":
		fmt.Println("compiler", runtime.Version())
		return 0
	case "write_times":
		return writeTimes(words[1:])
	}
	for _, w := range workloads {
		if w.name == words[0] {
			return runWorkload(w, words)
		}
	}
	fmt.Fprintf(os.Stderr, "go_bench: no workload '%s'\n", words[0])
	return usage()
}

func main() {
	os.Exit(dispatch(os.Args[1:]))
}
