module runnel_bench

go 1.27
