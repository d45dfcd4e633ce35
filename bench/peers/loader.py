"""Rows to token ids with a mask of the response, by `datasets` and a fast tokenizer. pip install transformers datasets

As supervised fine-tuning with TRL does it: `map` over the rows, the chat template applied to the question alone and to
the whole conversation; the response is what the second has more.
"""

import os
import tempfile

import datasets
import transformers

from serve import serve, settings

told = settings()
folder = told["folder"]
datasets.disable_progress_bars()
tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(os.path.join(folder, "tokenizer"))


def tokenize(row):
    question = [{"role": "user", "content": row["question"]}]
    answer = [{"role": "assistant", "content": row["answer"]}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(question + answer, return_dict=False)
    return {"ids": ids, "response": [0] * len(prompt) + [1] * (len(ids) - len(prompt))}


def load(file, cache):
    path = os.path.join(folder, file)
    if file.endswith(".jsonl"):
        rows = datasets.load_dataset("json", data_files=path, cache_dir=cache, split="train")
    else:
        rows = datasets.Dataset.from_file(path)
    cache_file = os.path.join(cache, f"tokens-{file}.arrow")
    return rows.map(tokenize, remove_columns=rows.column_names, cache_file_name=cache_file)


def step(request):
    cache = warm if request["cached"] else tempfile.mkdtemp(dir=folder)
    tokens = load(request["file"], cache).with_format("numpy")
    return {"tokens": sum(len(batch) for piece in tokens.iter(1000) for batch in piece["ids"])}


warm = tempfile.mkdtemp(dir=folder)
for name in ("rows.jsonl", "rows.arrow"):
    load(name, warm)
serve(f"datasets {datasets.__version__}, transformers {transformers.__version__}", step)
