"""A LoRA training step by PEFT: float32, or bf16 autocast over float32 weights. pip install torch transformers peft"""

import contextlib

import peft
import torch
import torch.nn.functional as F
import transformers

from serve import measure_peak, serve, settings

told = settings()
torch.manual_seed(0)
torch.set_num_threads(told["threads"])
peak = measure_peak(torch)

model = transformers.AutoModelForCausalLM.from_pretrained(told["model"], dtype=torch.float32, attn_implementation="sdpa")
model.config.use_cache = False
if told["checkpointing"]:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
rank = told["rank"]
options = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
model = peft.get_peft_model(model, options)
model.train()
parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-5, weight_decay=0.0, fused=True)
vocabulary = model.config.vocab_size
ids = torch.randint(vocabulary, (told["rows"], told["width"]))


def step(_request):
    autocast = torch.autocast("cpu", dtype=torch.bfloat16) if told["autocast"] else contextlib.nullcontext()
    with autocast:
        logits = model(input_ids=ids).logits[:, :-1].float()
        loss = F.cross_entropy(logits.reshape(-1, vocabulary), ids[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


step(None)
serve(f"PyTorch {torch.__version__}, PEFT {peft.__version__}", step, peak)
