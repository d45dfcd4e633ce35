"""Opens models that compare-saved.ts saved and compares them with the one that they were saved from."""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

source, folder = Path(sys.argv[1]), Path(sys.argv[2])


def opened(path):
    model, info = AutoModelForCausalLM.from_pretrained(path, dtype="auto", output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    return model.eval()


def generated(model, tokenizer):
    question = "Question: Ada has 35 cards . Ada buys 2 more cards . How many cards does Ada have now ? Answer:"
    ids = tokenizer(question, return_tensors="pt").input_ids
    return model.generate(ids, max_new_tokens=20, do_sample=False)[0].tolist()


author = opened(source)
author_tokenizer = AutoTokenizer.from_pretrained(source)
wrong = 0
for path in sorted(folder.iterdir()):
    model, tokenizer = opened(path), AutoTokenizer.from_pretrained(path)
    name = path.name.split()[0]
    dtype = author.dtype if name == "as-read" else getattr(torch, name)
    weights, expected = model.state_dict(), author.state_dict()
    equal = sum(
        weights[key].dtype == dtype and torch.equal(weights[key], value.float().to(dtype)) for key, value in expected.items()
    )
    shards = len(list(path.glob("model*.safetensors")))
    index = path / "model.safetensors.index.json"
    metadata = json.loads(index.read_text())["metadata"] if index.exists() else {}
    sizes = {
        "total_parameters": model.num_parameters(),
        "total_size": sum(value.nbytes for value in model.parameters()),
    }
    right = {
        "weights": equal == len(expected) == len(weights),
        "config": AutoConfig.from_pretrained(path).dtype == dtype,
        "index": (shards > 1) == path.name.endswith("shards") and metadata in ({}, sizes),
        "generation": GenerationConfig.from_pretrained(path) == GenerationConfig.from_pretrained(source),
        "tokenizer": tokenizer.get_vocab() == author_tokenizer.get_vocab()
        and tokenizer.chat_template == author_tokenizer.chat_template,
        "ids": dtype != author.dtype or generated(model, tokenizer) == generated(author, author_tokenizer),
    }
    print(f"{path.name}: {equal} of {len(expected)} weights, {shards} files,", tokenizer.decode(generated(model, tokenizer)[-6:]), right)
    wrong += not all(right.values())
sys.exit(1 if wrong else 0)
