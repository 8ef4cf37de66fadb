package main

import (
	"sync"
	"time"
)

// sendRange sends first, first + 1, ... and count values in all.
func sendRange(to chan<- int64, first, count int64) {
	for i := first; i < first+count; i++ {
		to <- i
	}
}

func sumOf(from <-chan int64) int64 {
	sum := int64(0)
	for value := range from {
		sum += value
	}
	return sum
}

func pingpong(r row, out report) error {
	ping := make(chan int64)
	pong := make(chan int64)
	go func() {
		for value := range ping {
			pong <- value + 1
		}
		close(pong)
	}()
	sum := int64(0)
	start := time.Now()
	for i := int64(0); i < r.count; i++ {
		ping <- i
		sum += <-pong
	}
	elapsed := time.Since(start)
	close(ping)
	if err := check("sum of answers", sum, sumBelow(r.count)+r.count); err != nil {
		return err
	}
	for range pong {
		return check("answers left over", 1, 0)
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func oneToOne(r row, out report) error {
	values := make(chan int64, r.size("buffer", 0))
	start := time.Now()
	go func() {
		sendRange(values, 0, r.count)
		close(values)
	}()
	sum := sumOf(values)
	elapsed := time.Since(start)
	if err := check("sum received", sum, sumBelow(r.count)); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func mpmc(r row, out report) error {
	producers := r.size("producers", 1)
	consumers := r.size("consumers", 1)
	each := r.share(producers)
	values := make(chan int64, r.size("buffer", 0))
	sums := make(chan int64, consumers)
	var sending sync.WaitGroup
	sending.Add(int(producers))
	start := time.Now()
	for p := int64(0); p < producers; p++ {
		first := p * each
		go func() {
			sendRange(values, first, each)
			sending.Done()
		}()
	}
	for c := int64(0); c < consumers; c++ {
		go func() { sums <- sumOf(values) }()
	}
	sending.Wait()
	close(values)
	sum := int64(0)
	for c := int64(0); c < consumers; c++ {
		sum += <-sums
	}
	elapsed := time.Since(start)
	if err := check("sum received", sum, sumBelow(r.count)); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

// passOn is one node of the ring: it hands on what is left of the hops; who gets none left says so.
func passOn(self int64, in <-chan int64, out, last chan<- int64) {
	for left := range in {
		if left == 0 {
			last <- self
			break
		}
		out <- left - 1
	}
	close(out)
}

func ring(r row, out report) error {
	nodes := r.size("nodes", 1)
	links := make([]chan int64, nodes)
	for n := range links {
		links[n] = make(chan int64)
	}
	last := make(chan int64)
	var ended sync.WaitGroup
	ended.Add(int(nodes))
	start := time.Now()
	for n := int64(0); n < nodes; n++ {
		self, in, next := n, links[n], links[(n+1)%nodes]
		go func() {
			passOn(self, in, next, last)
			ended.Done()
		}()
	}
	links[0] <- r.count
	reached := <-last
	elapsed := time.Since(start)
	ended.Wait()
	if err := check("node reached", reached, r.count%nodes); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}
