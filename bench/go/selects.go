package main

import "time"

// startSenders makes cases channels, each with a goroutine that sends its share of
// 0, 1, ... count - 1.
func startSenders(r row, cases int64) []chan int64 {
	each := r.share(cases)
	channels := make([]chan int64, cases)
	for c := range channels {
		to := make(chan int64, r.size("buffer", 0))
		channels[c] = to
		go sendRange(to, int64(c)*each, each)
	}
	return channels
}

func select2(r row, out report) error {
	sum := int64(0)
	start := time.Now()
	from := startSenders(r, 2)
	a, b := from[0], from[1]
	for i := int64(0); i < r.count; i++ {
		select {
		case value := <-a:
			sum += value
		case value := <-b:
			sum += value
		}
	}
	elapsed := time.Since(start)
	if err := check("sum received", sum, sumBelow(r.count)); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func select8(r row, out report) error {
	sum := int64(0)
	start := time.Now()
	from := startSenders(r, 8)
	for i := int64(0); i < r.count; i++ {
		select {
		case value := <-from[0]:
			sum += value
		case value := <-from[1]:
			sum += value
		case value := <-from[2]:
			sum += value
		case value := <-from[3]:
			sum += value
		case value := <-from[4]:
			sum += value
		case value := <-from[5]:
			sum += value
		case value := <-from[6]:
			sum += value
		case value := <-from[7]:
			sum += value
		}
	}
	elapsed := time.Since(start)
	if err := check("sum received", sum, sumBelow(r.count)); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}

func selectDefault(r row, out report) error {
	empty := make(chan int64)
	received, defaults := int64(0), int64(0)
	start := time.Now()
	for i := int64(0); i < r.count; i++ {
		select {
		case <-empty:
			received++
		default:
			defaults++
		}
	}
	elapsed := time.Since(start)
	if err := check("received", received, 0); err != nil {
		return err
	}
	if err := check("defaults", defaults, r.count); err != nil {
		return err
	}
	out.nsEach(elapsed, r.count)
	return nil
}
