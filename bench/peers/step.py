"""A training step in PyTorch eager, as `transformers` does it. pip install torch transformers

`full`: sdpa attention, loss on the response, clipping, fused AdamW. `sstoken`: the step of the ssToken authors' program,
which keeps the attention maps of all layers (eager attention) and the logits of every token.
"""

import math

import torch
import torch.nn.functional as F
import transformers

from serve import measure_peak, serve, settings

told = settings()
torch.manual_seed(0)
torch.set_num_threads(told["threads"])
published = told["arm"] == "sstoken"
rows, width, prompt = told["rows"], told["width"], told["promptTokens"]
peak = measure_peak(torch)

dropped = ("architectures", "model_type", "use_cache", "dtype", "torch_dtype")
config = transformers.LlamaConfig(**{k: v for k, v in told["config"].items() if k not in dropped}, use_cache=False)
model = transformers.LlamaForCausalLM._from_config(config, attn_implementation="eager" if published else "sdpa")
model.train()
parameters = list(model.parameters())
optimizer = torch.optim.AdamW(parameters, lr=1e-5, weight_decay=0.0, fused=True)

ids = torch.randint(config.vocab_size, (rows, width))
response = torch.zeros(rows, width - 1, dtype=torch.bool)
response[:, prompt - 1 :] = True
history = torch.rand(rows, width - 1) * 3


def selected(attention, losses):
    """60 % of each row's response tokens by min-max scaled excess loss and attention on the prompt."""
    weights = torch.zeros_like(losses)
    mass = attention.mean(1)[:, 1:, :prompt].sum(-1)
    for row in range(rows):
        places = response[row].nonzero()[:, 0]
        excess = (history - losses)[row, places]
        excess = (excess - excess.min()) / (excess.max() - excess.min() + 1e-8)
        score = 0.5 * excess + 0.5 * mass[row, places]
        weights[row, places[score.topk(math.ceil(0.6 * len(places))).indices]] = 1
    return weights


def step(_request):
    output = model(input_ids=ids, output_attentions=published)
    logits = output.logits[:, :-1].float()
    losses = F.cross_entropy(logits.reshape(-1, config.vocab_size), ids[:, 1:].reshape(-1), reduction="none")
    losses = losses.view(rows, width - 1)
    with torch.no_grad():
        weights = selected(output.attentions[-1].float(), losses) if published else response.float()
    loss = (losses * weights).sum() / weights.sum()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


for _ in range(2):
    step(None)
serve(f"PyTorch {torch.__version__}, threads: {told['threads']}, transformers {transformers.__version__}", step, peak)
