"""Rows to token ids by the batched `map` of `datasets` and a fast tokenizer. pip install transformers datasets

Question and answer are joined by a line break; or written as a conversation by the chat template, once up to the answer
and once as a whole, as supervised fine-tuning with TRL does it: the answer is what the second has more.
"""

import json
import os
import sys
import tempfile
import time

threads = json.loads(sys.argv[1])["threads"]
os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
os.environ["RAYON_NUM_THREADS"] = str(threads)

import datasets  # noqa: E402
import transformers  # noqa: E402

from serve import serve, settings  # noqa: E402

told = settings()
folder = told["folder"]
datasets.disable_progress_bars()
tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(os.path.join(folder, "tokenizer"))


def joined(batch):
    texts = [f"{question}\n{answer}" for question, answer in zip(batch["question"], batch["answer"])]
    return {"ids": tokenizer(texts)["input_ids"]}


def conversations(batch):
    asked = [[{"role": "user", "content": question}] for question in batch["question"]]
    whole = [q + [{"role": "assistant", "content": answer}] for q, answer in zip(asked, batch["answer"])]
    prompts = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(whole, return_dict=False)
    marks = [[0] * len(prompt) + [1] * (len(all_ids) - len(prompt)) for prompt, all_ids in zip(prompts, ids)]
    return {"ids": ids, "response": marks}


def step(request):
    rows = datasets.Dataset.from_file(os.path.join(folder, f"rows-{request['rows']}.arrow"))
    cache = os.path.join(tempfile.mkdtemp(dir=folder), "tokens.arrow")
    cpu, start = time.process_time(), time.perf_counter()
    work = conversations if told["template"] else joined
    done = rows.map(work, batched=True, remove_columns=rows.column_names, cache_file_name=cache)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    tokens = sum(len(ids) for piece in done.with_format("numpy").iter(1000) for ids in piece["ids"])
    start = time.process_time()
    datasets.Dataset.from_file(cache)[0]
    reopening = time.process_time() - start
    return {"tokens": tokens, "seconds": seconds, "cpuSeconds": cpu, "reopening": reopening}


serve(f"datasets {datasets.__version__}, transformers {transformers.__version__}", step)
