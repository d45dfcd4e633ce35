"""Reads and tokenizes a file of rows by `datasets` and a fast tokenizer. pip install transformers datasets

Reading is `load_dataset`, which writes an Arrow file of its own, and a pass over its rows; tokenizing a `map` over
batches. The resident size has in it what of the Arrow files is mapped.
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
KINDS = {"jsonl": "json", "parquet": "parquet", "arrow": "arrow"}


def step(request):
    path = os.path.join(folder, request["file"])
    cache = tempfile.mkdtemp(dir=folder)
    kind = KINDS[path.rsplit(".", 1)[1]]
    split = "train" if request.get("rows") is None else f"train[:{request['rows']}]"
    rows = datasets.load_dataset(kind, data_files=path, cache_dir=cache, split=split)
    if request["task"] == "read":
        return {"rows": len(rows), "characters": sum(len(row["text"]) for row in rows)}
    encoded = rows.map(
        lambda batch: {"ids": tokenizer(batch["text"])["input_ids"]},
        batched=True,
        remove_columns=rows.column_names,
        cache_file_name=os.path.join(cache, "tokens.arrow"),
    ).with_format("numpy")
    return {"rows": len(rows), "tokens": sum(len(ids) for piece in encoded.iter(1000) for ids in piece["ids"])}


serve(f"datasets {datasets.__version__}, transformers {transformers.__version__}", step)
