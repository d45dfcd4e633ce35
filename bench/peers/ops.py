"""The decoder's operations in PyTorch, forward and backward. pip install torch"""

import torch
import torch.nn.functional as F

from serve import measure_peak, serve, settings, time_per_call

told = settings()
torch.manual_seed(0)
torch.set_num_threads(told["threads"])
peak = measure_peak(torch)
rows, width, hidden, heads = told["rows"], told["width"], told["hidden"], told["heads"]
inner, vocabulary = told["feedForward"], told["vocabulary"]
tokens = rows * width


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


x, weight, gain, table = leaf(tokens, hidden), leaf(inner, hidden), leaf(hidden), leaf(vocabulary, hidden)
gate, up = leaf(tokens, inner), leaf(tokens, inner)
dx, d_gated = torch.randn(tokens, hidden), torch.randn(tokens, inner)
ids, targets = torch.randint(vocabulary, (tokens,)), torch.randint(vocabulary, (tokens,))
cos, sin = torch.randn(tokens, 1, hidden // heads), torch.randn(tokens, 1, hidden // heads)
parameter = leaf(vocabulary, hidden)
parameter.grad = torch.randn(vocabulary, hidden)
optimizer = torch.optim.AdamW([parameter], lr=1e-5, weight_decay=0.0, fused=True)


def both_ways(forward, dy, *inputs):
    def call():
        for each in inputs:
            each.grad = None
        forward().backward(dy)

    return call


def attention(batch, length):
    q, k, v = (leaf(batch, heads, length, hidden // heads) for _ in range(3))
    dy = torch.randn(batch, heads, length, hidden // heads)
    return both_ways(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True), dy, q, k, v)


def rotated():
    """As transformers' Llama: every head's second half negated and put first."""
    split = x.view(tokens, heads, -1)
    half = split.shape[-1] // 2
    turned = torch.cat((-split[..., half:], split[..., :half]), dim=-1)
    return (split * cos + turned * sin).view(tokens, hidden)


operations = {
    "linear": both_ways(lambda: F.linear(x, weight), d_gated, x, weight),
    "attention": attention(rows, width),
    "attentionLong": attention(1, told["longWidth"]),
    "targetLogProbs": both_ways(lambda: F.cross_entropy(x @ table.T, targets), None, x, table),
    "rmsNorm": both_ways(lambda: F.rms_norm(x, (hidden,), gain, 1e-5), dx, x, gain),
    "swiglu": both_ways(lambda: F.silu(gate) * up, d_gated, gate, up),
    "rotary": both_ways(rotated, dx, x),
    "embed": both_ways(lambda: F.embedding(ids, table), dx, table),
    "adamw": optimizer.step,
    "sumOfSquares": lambda: torch.linalg.vector_norm(parameter.grad),
}


def step(request):
    return time_per_call(told["seconds"], operations[request["operation"]])


for call in operations.values():
    call()
serve(f"PyTorch {torch.__version__}, threads: {told['threads']}", step, peak)
