package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A row is one line of workloads.txt.
type row struct {
	name  string
	count int64
	sizes map[string]int64
}

// size returns the size called key; it ends the program if the line has none, or one below least.
func (r row) size(key string, least int64) int64 {
	size, ok := r.sizes[key]
	if !ok || size < least {
		r.refuse("needs %s=N, N at least %d", key, least)
	}
	return size
}

// share returns count / parts; it ends the program unless that divides evenly.
func (r row) share(parts int64) int64 {
	if r.count%parts != 0 {
		r.refuse("%d does not divide by %d", r.count, parts)
	}
	return r.count / parts
}

func (r row) refuse(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", r.name, fmt.Sprintf(format, args...))
	os.Exit(1)
}

func parseNumber(text string, least int64) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < least {
		return 0, fmt.Errorf("'%s' is not a whole number of at least %d", text, least)
	}
	return number, nil
}

func parseRow(words []string) (row, error) {
	r := row{name: words[0], sizes: map[string]int64{}}
	var err error
	if r.count, err = parseNumber(words[1], 1); err != nil {
		return r, err
	}
	for _, word := range words[2:] {
		parts := strings.SplitN(word, "=", 2)
		if len(parts) != 2 {
			return r, fmt.Errorf("%s: '%s' is not key=number", r.name, word)
		}
		if r.sizes[parts[0]], err = parseNumber(parts[1], 0); err != nil {
			return r, err
		}
	}
	return r, nil
}

// findRow reads the row called name from workloads.txt, whose path is in RUNNEL_BENCH_WORKLOADS,
// else in the folder above this one.
func findRow(name string) (row, error) {
	path := os.Getenv("RUNNEL_BENCH_WORKLOADS")
	if path == "" {
		path = "../workloads.txt"
	}
	file, err := os.Open(path)
	if err != nil {
		return row{}, fmt.Errorf("%w; RUNNEL_BENCH_WORKLOADS names the file", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) >= 2 && words[0] == name {
			return parseRow(words)
		}
	}
	return row{}, fmt.Errorf("no row '%s' in %s", name, path)
}

// check returns an error unless got is want.
func check(what string, got, want int64) error {
	if got != want {
		return fmt.Errorf("%s: got %d, want %d", what, got, want)
	}
	return nil
}

// sumBelow is 0 + 1 + ... + (count - 1): what a receiver of the first count numbers adds up to.
func sumBelow(count int64) int64 { return count * (count - 1) / 2 }

// A report prints a workload's figures, one line each: `row value unit`, or `row.part value unit`.
type report struct{ name string }

func (r report) nsEach(total time.Duration, count int64) {
	r.figure("", float64(total.Nanoseconds())/float64(count), "ns")
}

func (r report) ms(part string, total time.Duration) {
	r.figure(part, float64(total.Nanoseconds())/1e6, "ms")
}

func (r report) figure(part string, value float64, unit string) {
	name := r.name
	if part != "" {
		name += "." + part
	}
	fmt.Printf("%s %.3f %s\n", name, value, unit)
}

// latencies prints the median, the 99th percentile and the largest sample, in microseconds.
func (r report) latencies(samples []time.Duration) {
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	us := func(t time.Duration) float64 { return float64(t.Nanoseconds()) / 1e3 }
	r.figure("p50", us(quantile(samples, 0.50)), "us")
	r.figure("p99", us(quantile(samples, 0.99)), "us")
	r.figure("max", us(samples[len(samples)-1]), "us")
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	rank := math.Ceil(q * float64(len(sorted)))
	return sorted[int(math.Max(rank, 1))-1]
}
