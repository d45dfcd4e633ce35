"""Why llama.cpp's losses of 8-bit files are not those of float32: python scripts/llama_activations.py FILE.gguf ROWS.jsonl

Computes the mean loss of texts from one GGUF file three times: by llama.cpp, by PyTorch in float32, and by PyTorch with the
inputs of every product rounded to blocks of 32 whole numbers of 8 bits, as llama.cpp rounds them on a CPU. ROWS.jsonl has
question and answer. Needs torch, transformers, gguf and xllamacpp.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

path, texts = sys.argv[1:3]
folder, name = os.path.split(os.path.abspath(path))
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
with open(texts) as file:
    read = [json.loads(line) for line, _ in zip(file, range(10))]
rows = [tokenizer(row["question"] + "\n" + row["answer"]).input_ids[:160] for row in read]


def in_llama():
    with tempfile.TemporaryDirectory() as work:
        asked, answered = os.path.join(work, "request.json"), os.path.join(work, "answer.json")
        with open(asked, "w") as file:
            json.dump([{"gguf": path, "rows": rows}], file)
        script = os.path.join(os.path.dirname(__file__), "gguf_in_llama.py")
        subprocess.run([sys.executable, script, asked, answered], check=True)
        with open(answered) as file:
            return [np.array(row["nll"]) for row in json.load(file)[0]["rows"]]


@torch.no_grad()
def in_torch():
    losses = []
    for row in rows:
        ids = torch.tensor([row])
        log_p = torch.log_softmax(model(ids).logits[0].double(), -1)
        losses.append(-log_p[:-1].gather(1, ids[0, 1:, None])[:, 0].numpy())
    return losses


def rounded(x):
    blocks = x.reshape(-1, 32)
    scale = blocks.abs().amax(1, keepdim=True) / 127
    whole = torch.round(blocks * torch.where(scale > 0, 1 / scale, torch.zeros_like(scale)))
    return (whole * scale.half().float()).reshape(x.shape)


def say(what, losses):
    print(f"{what}: mean loss {np.concatenate(losses).mean():.5f} of {sum(map(len, losses))} tokens")


say("llama.cpp", in_llama())
say("PyTorch, float32", in_torch())
for module in model.modules():
    if isinstance(module, torch.nn.Linear):
        module.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]),))
say("PyTorch, inputs of products in 8 bits", in_torch())
