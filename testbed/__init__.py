"""A small real Kubernetes on this machine, for tests, the demo and the benchmarks."""
