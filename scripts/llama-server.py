"""llama.cpp's server out of the Python package `xllamacpp`, with the flags of `llama-server` that a run gives it.

    pip install xllamacpp
    python scripts/llama-server.py -m MODEL.gguf --lora ADAPTER.gguf --port 8080 --alias NAME
"""

import argparse
import signal
import threading

import xllamacpp

flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
flags.add_argument("-m", "--model", required=True)
flags.add_argument("--lora", help="an adapter as a GGUF file")
flags.add_argument("--port", type=int, default=8080)
flags.add_argument("-a", "--alias", help="what the server says that it is")
flags.add_argument("-c", "--ctx-size", type=int, default=4096, help="tokens of all requests at work together")
flags.add_argument("-np", "--parallel", type=int, default=4, help="requests at work at a time")
flags.add_argument("-t", "--threads", type=int, default=2)
flags.add_argument(
    "--no-cache-prompt", action="store_true", help="compute each prompt anew: an answer depends on no earlier one"
)
given = flags.parse_args()

params = xllamacpp.CommonParams()
params.model.path = given.model
params.port = given.port
params.n_ctx = given.ctx_size
params.n_parallel = given.parallel
params.cpuparams.n_threads = given.threads
params.cpuparams_batch.n_threads = given.threads
params.cache_prompt = not given.no_cache_prompt
params.warmup = False
if given.alias:
    params.model_alias = {given.alias}
if given.lora:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path = given.lora
    adapter.scale = 1.0
    params.lora_adapters = [adapter]

over = threading.Event()
for name in (signal.SIGINT, signal.SIGTERM):
    signal.signal(name, lambda *_: over.set())
server = xllamacpp.Server(params)
print("listening at", server.listening_address, flush=True)
over.wait()
