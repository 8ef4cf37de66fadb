package main

import "time"

// burst runs goroutines of which half send and half receive.
func burst(r row) int64 {
	pairs := r.size("goroutines", 2) / 2
	each := r.share(pairs)
	values := make(chan int64, r.size("buffer", 0))
	sums := make(chan int64, pairs)
	for p := int64(0); p < pairs; p++ {
		go sendRange(values, p*each, each)
		go func() {
			sum := int64(0)
			for i := int64(0); i < each; i++ {
				sum += <-values
			}
			sums <- sum
		}()
	}
	sum := int64(0)
	for p := int64(0); p < pairs; p++ {
		sum += <-sums
	}
	return sum
}

func idle(r row, out report) error {
	if err := check("sum received", burst(r), sumBelow(r.count)); err != nil {
		return err
	}
	before := consumed()
	time.Sleep(2 * time.Second)
	after := consumed()
	out.ms("cpu", after.cpu-before.cpu)
	out.figure("switches", float64(after.switches-before.switches), "count")
	return nil
}
