package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func yield(r row, out report) error {
	goroutines := r.size("goroutines", 1)
	each := r.share(goroutines)
	yields := make([]int64, goroutines)
	var running sync.WaitGroup
	running.Add(int(goroutines))
	start := time.Now()
	for g := range yields {
		mine := &yields[g]
		go func() {
			done := int64(0)
			for ; done < each; done++ {
				runtime.Gosched()
			}
			*mine = done
			running.Done()
		}()
	}
	running.Wait()
	elapsed := time.Since(start)
	total := int64(0)
	for _, mine := range yields {
		total += mine
	}
	if err := check("yields", total, r.count); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

// A goroutine that is waited for hands its result over in a channel of its own.
func spawn(f func() int64) <-chan int64 {
	done := make(chan int64, 1)
	go func() { done <- f() }()
	return done
}

func spawnJoin(r row, out report) error {
	sum := int64(0)
	start := time.Now()
	for i := int64(0); i < r.count; i++ {
		result := i
		sum += <-spawn(func() int64 { return result })
	}
	elapsed := time.Since(start)
	if err := check("sum of results", sum, sumBelow(r.count)); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func spawnMany(r row, out report) error {
	batch := r.size("batch", 1)
	batches := r.count / batch
	if err := check("goroutines", batches*batch, r.count); err != nil {
		return err
	}
	ran := make([]int32, batch)
	start := time.Now()
	for b := int64(0); b < batches; b++ {
		var running sync.WaitGroup
		running.Add(int(batch))
		for g := range ran {
			mine := &ran[g]
			go func() {
				*mine++
				running.Done()
			}()
		}
		running.Wait()
	}
	elapsed := time.Since(start)
	for _, times := range ran {
		if err := check("runs of a goroutine", int64(times), batches); err != nil {
			return err
		}
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func mem(r row, out report) error {
	gate := make(chan struct{})
	var started, finished sync.WaitGroup
	closed := int64(0)
	started.Add(int(r.count))
	finished.Add(int(r.count))
	before := memoryNow()
	creation := time.Now()
	for i := int64(0); i < r.count; i++ {
		go func() {
			started.Done()
			if _, open := <-gate; !open {
				atomic.AddInt64(&closed, 1)
			}
			finished.Done()
		}()
	}
	started.Wait()
	createTime := time.Since(creation)
	parked := memoryNow()
	ending := time.Now()
	close(gate)
	finished.Wait()
	finishTime := time.Since(ending)
	if err := check("goroutines that saw the close", closed, r.count); err != nil {
		return err
	}
	each := func(bytes int64) float64 { return float64(bytes) / float64(r.count) }
	out.figure("resident", each(parked.resident-before.resident), "bytes")
	out.figure("page_tables", each(parked.pageTables-before.pageTables), "bytes")
	out.ms("create", createTime)
	out.ms("finish", finishTime)
	return nil
}

func mutex(r row, out report) error {
	goroutines := r.size("goroutines", 1)
	each := r.share(goroutines)
	var lock sync.Mutex
	counter := int64(0) // protected by lock
	var running sync.WaitGroup
	running.Add(int(goroutines))
	start := time.Now()
	for g := int64(0); g < goroutines; g++ {
		go func() {
			for i := int64(0); i < each; i++ {
				lock.Lock()
				counter++
				lock.Unlock()
			}
			running.Done()
		}()
	}
	running.Wait()
	elapsed := time.Since(start)
	if err := check("counter", counter, r.count); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func rwmutex(r row, out report) error {
	goroutines := r.size("goroutines", 1)
	writeEvery := r.size("write_every", 1)
	each := r.share(goroutines)
	var lock sync.RWMutex
	counter := int64(0)    // protected by lock
	var ahead atomic.Int64 // looks that saw more than there will be
	writes := goroutines * ((each + writeEvery - 1) / writeEvery)
	var running sync.WaitGroup
	running.Add(int(goroutines))
	start := time.Now()
	for g := int64(0); g < goroutines; g++ {
		go func() {
			most := int64(0)
			for i := int64(0); i < each; i++ {
				if i%writeEvery == 0 {
					lock.Lock()
					counter++
					lock.Unlock()
				} else {
					lock.RLock()
					most = max(most, counter)
					lock.RUnlock()
				}
			}
			if most > writes {
				ahead.Add(1)
			}
			running.Done()
		}()
	}
	running.Wait()
	elapsed := time.Since(start)
	if err := check("counter", counter, writes); err != nil {
		return err
	}
	if err := check("goroutines that saw too much", ahead.Load(), 0); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}
