"""The selection rules as PyTorch code would have them, vectorised over rows. pip install torch"""

import math

import torch

from serve import serve, settings, time_per_call

told = settings()
torch.manual_seed(0)
torch.set_num_threads(told["threads"])
rows, width = told["rows"], told["width"]
shape = (rows, width)
nll, history, reference, attention, entropy, top20, column = (torch.rand(shape) for _ in range(7))
response = (torch.arange(width) >= 0.4 * width).expand(shape)
counts = response.sum(1)


def keep_of_rows(score, ratio=0.6):
    order = score.masked_fill(~response, -torch.inf).argsort(dim=1, descending=True)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(width).expand(shape))
    return (ranks < torch.ceil(ratio * counts - 1e-9)[:, None]).float()


def keep_of_step(score, ratio=0.6):
    flat = score.masked_fill(~response, -torch.inf).flatten()
    best = flat.topk(math.ceil(ratio * int(counts.sum()) - 1e-9)).indices
    return torch.zeros_like(flat).scatter_(0, best, 1.0).view(shape)


def sstoken():
    excess = history - nll
    low = excess.masked_fill(~response, torch.inf).amin(1, keepdim=True)
    high = excess.masked_fill(~response, -torch.inf).amax(1, keepdim=True)
    return keep_of_rows(0.5 * (excess - low) / (high - low + 1e-8) + 0.5 * attention)


def high_entropy():
    return ((entropy >= torch.quantile(entropy[response], 0.8)) & response).float()


rules = {
    "full": lambda: response.float(),
    "random": lambda: keep_of_rows(torch.rand(shape)),
    "loss-top": lambda: keep_of_rows(nll),
    "sstoken": sstoken,
    "rho1": lambda: keep_of_step(nll - reference),
    "token-cleaning": lambda: keep_of_step(history - reference),
    "high-entropy": high_entropy,
    "profit": lambda: ((torch.exp(-nll) >= 0.3) & response).float(),
    "dft": lambda: torch.exp(-nll) * response,
    "focal": lambda: (1 - torch.exp(-nll)) ** 2 * response,
    "eaft": lambda: top20 / math.log(20) * response,
    "iw-sft": lambda: torch.exp(reference - nll).clamp(0.2, 1.8) * response,
    "dataset-weights": lambda: column * response,
}


def step(request):
    with torch.no_grad():
        return time_per_call(told["seconds"], rules[request["rule"]])


serve(f"PyTorch {torch.__version__}, threads: {told['threads']}", step)
