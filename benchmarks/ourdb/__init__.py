"""OurDB beside the stores that people would pick instead. `python -m benchmarks.ourdb` runs this question alone."""
