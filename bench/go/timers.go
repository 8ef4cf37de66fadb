package main

import (
	"sync"
	"time"
)

// timeOf is a time below longest for each sleeper, the same on every side.
func timeOf(sleeper int64, longest time.Duration) time.Duration {
	mixed := uint64(sleeper) * 0x9e3779b97f4a7c15 >> 33
	return time.Duration(mixed % uint64(longest))
}

func longestOf(r row) time.Duration {
	return time.Duration(r.size("longest_ms", 1)) * time.Millisecond
}

// sleepLate sleeps for d; it returns how much longer it took.
func sleepLate(d time.Duration) time.Duration {
	start := time.Now()
	time.Sleep(d)
	return time.Since(start) - d
}

func checkNoneEarly(late []time.Duration) error {
	early := int64(0)
	for _, l := range late {
		if l < 0 {
			early++
		}
	}
	return check("sleeps that ended early", early, 0)
}

func timers(r row, out report) error {
	longest := longestOf(r)
	late := make([]time.Duration, r.count)
	var running sync.WaitGroup
	running.Add(int(r.count))
	before := consumed()
	for i := range late {
		go func() {
			late[i] = sleepLate(timeOf(int64(i), longest))
			running.Done()
		}()
	}
	running.Wait()
	after := consumed()
	if err := checkNoneEarly(late); err != nil {
		return err
	}
	out.ms("cpu", after.cpu-before.cpu)
	return nil
}

func timersGate(r row, out report) error {
	longest := longestOf(r)
	late := make([]time.Duration, r.count)
	gate := make(chan struct{})
	var waiting, running sync.WaitGroup
	waiting.Add(int(r.count))
	running.Add(int(r.count))
	for i := range late {
		go func() {
			waiting.Done()
			<-gate
			late[i] = sleepLate(timeOf(int64(i), longest))
			running.Done()
		}()
	}
	waiting.Wait()
	before := consumed()
	close(gate)
	running.Wait()
	after := consumed()
	if err := checkNoneEarly(late); err != nil {
		return err
	}
	out.ms("cpu", after.cpu-before.cpu)
	out.latencies(late)
	return nil
}

func afterStop(r row, out report) error {
	stopped := int64(0)
	start := time.Now()
	for i := int64(0); i < r.count; i++ {
		if time.NewTimer(time.Hour).Stop() {
			stopped++
		}
	}
	elapsed := time.Since(start)
	if err := check("timers stopped", stopped, r.count); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}
