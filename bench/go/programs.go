package main

import (
	"sync"
	"time"
)

// skynetNode is a tree of goroutines over the leaves [first, first + leaves); each sends the sum
// of its leaves.
func skynetNode(parent chan<- int64, first, leaves, children int64) {
	if leaves == 1 {
		parent <- first
		return
	}
	answers := make(chan int64)
	each := leaves / children
	for c := int64(0); c < children; c++ {
		go skynetNode(answers, first+c*each, each, children)
	}
	sum := int64(0)
	for c := int64(0); c < children; c++ {
		sum += <-answers
	}
	parent <- sum
}

func isPower(number, base int64) bool {
	for number > 1 && number%base == 0 {
		number /= base
	}
	return number == 1
}

func skynet(r row, out report) error {
	children := r.size("children", 2)
	if !isPower(r.count, children) {
		r.refuse("needs a power of %d leaves", children)
	}
	start := time.Now()
	root := make(chan int64)
	go skynetNode(root, 0, r.count, children)
	sum := <-root
	elapsed := time.Since(start)
	if err := check("sum of leaves", sum, sumBelow(r.count)); err != nil {
		return err
	}
	out.ms("", elapsed)
	return nil
}

func generate(out chan<- int64) {
	for i := int64(2); ; i++ {
		out <- i
	}
}

func filter(in <-chan int64, out chan<- int64, prime int64) {
	for {
		candidate := <-in
		if candidate%prime != 0 {
			out <- candidate
		}
	}
}

// nthPrime is the sieve's answer by other means: trial division by the primes so far.
func nthPrime(n int64) int64 {
	primes := []int64{}
	for i := int64(2); int64(len(primes)) < n; i++ {
		prime := true
		for p := 0; prime && p < len(primes) && primes[p]*primes[p] <= i; p++ {
			prime = i%primes[p] != 0
		}
		if prime {
			primes = append(primes, i)
		}
	}
	return primes[len(primes)-1]
}

func sieve(r row, out report) error {
	start := time.Now()
	candidates := make(chan int64)
	go generate(candidates)
	prime := int64(0)
	for n := int64(0); n < r.count; n++ {
		prime = <-candidates
		rest := make(chan int64)
		go filter(candidates, rest, prime)
		candidates = rest
	}
	elapsed := time.Since(start)
	if err := check("last prime", prime, nthPrime(r.count)); err != nil {
		return err
	}
	out.ms("", elapsed)
	return nil
}

// stage starts workers goroutines that turn what comes from in into f(it); it closes out after
// the last.
func stage(workers int64, in <-chan int64, out chan<- int64, f func(int64) int64) {
	var running sync.WaitGroup
	running.Add(int(workers))
	for w := int64(0); w < workers; w++ {
		go func() {
			for value := range in {
				out <- f(value)
			}
			running.Done()
		}()
	}
	go func() {
		running.Wait()
		close(out)
	}()
}

func pipeline(r row, out report) error {
	input := make(chan int64)
	middle := make(chan int64)
	output := make(chan int64)
	start := time.Now()
	go func() {
		sendRange(input, 0, r.count)
		close(input)
	}()
	stage(r.size("first", 1), input, middle, func(value int64) int64 { return 2 * value })
	stage(r.size("second", 1), middle, output, func(value int64) int64 { return value + 1 })
	sum := sumOf(output)
	elapsed := time.Since(start)
	if err := check("sum received", sum, 2*sumBelow(r.count)+r.count); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}
