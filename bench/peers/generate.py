"""Greedy generation by `transformers`. pip install torch transformers"""

import torch
import transformers

from serve import serve, settings

told = settings()
torch.manual_seed(0)
torch.set_num_threads(told["threads"])
dropped = ("architectures", "model_type", "dtype", "torch_dtype", "eos_token_id", "bos_token_id", "pad_token_id")
config = transformers.LlamaConfig(
    **{k: v for k, v in told["config"].items() if k not in dropped}, eos_token_id=None, bos_token_id=None
)
model = transformers.LlamaForCausalLM._from_config(config, attn_implementation="sdpa")
model.eval()
count = told["newTokens"]


def step(request):
    prompts = torch.randint(config.vocab_size, (request["batch"], told["promptTokens"]))
    with torch.inference_mode():
        rows = model.generate(
            input_ids=prompts,
            attention_mask=torch.ones_like(prompts),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
        )
    return {"newTokens": (rows.shape[1] - told["promptTokens"]) * rows.shape[0]}


step({"batch": 1})
serve(f"PyTorch {torch.__version__}, threads: {told['threads']}, transformers {transformers.__version__}", step)
