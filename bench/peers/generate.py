"""Text generation by transformers, for comparison with `generate`: float32, eager, on the CPU.

pip install torch==2.9.1 transformers==5.23.0 gguf

python bench/peers/generate.py --model FOLDER|FILE.gguf [--batch 1] [--prompt-tokens 40] [--new-tokens 64]
    [--sample] [--rounds 3] [--threads N]

Prompts are made of ids that depend on their place alone: row i, token j is `5 + (i * 977 + j * 131) % (vocabulary - 5)`.
No row ends before it has all its new tokens. Prints one line of JSON: seconds and CPU seconds of each round (the first
one, which warms up, is not counted), new tokens a second by the best of each, and the ids of the first row.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import transformers

TOP_P = 0.9


def load(model: str) -> transformers.PreTrainedModel:
    path = Path(model)
    where = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    folder = path.parent if where else path
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", **where
    ).eval()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--prompt-tokens", type=int, default=40)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--sample", action="store_true", help=f"temperature 1, top-p {TOP_P}, instead of greedy")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    transformers.logging.set_verbosity_error()

    model = load(given.model)
    rows = torch.arange(given.batch)[:, None]
    columns = torch.arange(given.prompt_tokens)[None, :]
    ids = 5 + (rows * 977 + columns * 131) % (model.config.vocab_size - 5)
    drawing = {"do_sample": True, "temperature": 1.0, "top_p": TOP_P, "top_k": 0} if given.sample else {"do_sample": False}
    seconds, cpu_seconds, first = [], [], []
    for _ in range(given.rounds + 1):
        torch.manual_seed(0)
        start, cpu_start = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            output = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=given.new_tokens,
                min_new_tokens=given.new_tokens,
                pad_token_id=0,
                **drawing,
            )
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        first = output[0, given.prompt_tokens :].tolist()
    new_tokens = given.batch * given.new_tokens
    print(
        json.dumps(
            {
                "peer": f"transformers {transformers.__version__}, torch {torch.__version__}",
                "threads": torch.get_num_threads(),
                "batch": given.batch,
                "sampling": given.sample,
                "promptTokens": given.batch * given.prompt_tokens,
                "newTokens": new_tokens,
                "seconds": seconds[1:],
                "cpuSeconds": cpu_seconds[1:],
                "tokensPerSecond": new_tokens / min(seconds[1:]),
                "tokensPerCpuSecond": new_tokens / min(cpu_seconds[1:]),
                "firstRow": first,
            }
        )
    )


if __name__ == "__main__":
    main()
