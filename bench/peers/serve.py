"""What the peers share: JSON lines over the standard streams, as bench/harness/serve.ts does it for our side."""

import json
import resource
import sys
import time


def settings():
    return json.loads(sys.argv[1])


def peak_bytes():
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def serve(about, step, peak_gflops=None):
    """Says that it is ready, then answers every request with what `step(request)` took and returned."""
    ready = {"about": about}
    if peak_gflops is not None:
        ready["peakGflops"] = peak_gflops
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        cpu, start = time.process_time(), time.perf_counter()
        figures = step(json.loads(line)) or {}
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        answer = {"seconds": seconds, "cpuSeconds": cpu, "wholeCpuSeconds": cpu, "peakBytes": peak_bytes()}
        print(json.dumps({**answer, **figures}), flush=True)


def time_per_call(least_seconds, body):
    """Calls `body` until that time has passed; seconds of one call."""
    cpu, start, calls = time.process_time(), time.perf_counter(), 0
    while True:
        body()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= least_seconds:
            return {"seconds": elapsed / calls, "cpuSeconds": (time.process_time() - cpu) / calls}


def measure_peak(torch):
    """The best of a few products of 1024 x 1024 matrices, in 10^9 operations a second."""
    matrix = torch.rand(1024, 1024) * 2 - 1
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9
