"""What llama.cpp makes of GGUF files: python scripts/gguf_in_llama.py REQUEST.json ANSWER.json (scripts/compare-gguf.ts).

Uses llama.cpp as the wheel xllamacpp holds it, by its C interface, on the CPU; caches of keys and values are in float32.
A request has: gguf, lora (or null), texts (to tokenize, special tokens found), rows (of token ids).
The answer has: tokens of each text without what stands around it; whole, with it; and of each row, for every token but the
first, nll, and for every token best (the most likely next token) and gap (between the two best logits).
"""

import ctypes
import json
import os
import sys

import gguf
import numpy as np
import xllamacpp

library = ctypes.CDLL(os.path.join(os.path.dirname(xllamacpp.__file__), "xllamacpp.abi3.so"))


class Parameters(ctypes.Structure):
    """Room for a structure whose layout differs from version to version; it is passed back as it came."""

    _fields_ = [("words", ctypes.c_uint32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.POINTER(ctypes.c_float)),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


def declare(name, result, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
model_parameters = declare("llama_model_default_params", Parameters)
context_parameters = declare("llama_context_default_params", Parameters)
load_model = declare("llama_model_load_from_file", pointer, text, Parameters)
new_context = declare("llama_init_from_model", pointer, pointer, Parameters)
vocabulary_of = declare("llama_model_get_vocab", pointer, pointer)
vocabulary_size = declare("llama_vocab_n_tokens", number, pointer)
tokenize = declare(
    "llama_tokenize", number, pointer, text, number, ctypes.POINTER(number), number, ctypes.c_bool, ctypes.c_bool
)
new_batch = declare("llama_batch_init", Batch, number, number, number)
decode = declare("llama_decode", number, pointer, Batch)
logits_of = declare("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), pointer, number)
memory_of = declare("llama_get_memory", pointer, pointer)
clear = declare("llama_memory_clear", None, pointer, ctypes.c_bool)
load_lora = declare("llama_adapter_lora_init", pointer, pointer, text)
set_loras = declare(
    "llama_set_adapters_lora", number, pointer, ctypes.POINTER(pointer), ctypes.c_size_t, ctypes.POINTER(ctypes.c_float)
)
log_type = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@log_type
def log(level, message, _):
    if level == 4 and message:  # errors
        sys.stderr.write(message.decode(errors="replace"))


library.llama_log_set(log, None)
library.llama_backend_init()

context_size = 1024


def tokens_of(vocabulary, content, around):
    raw = content.encode()
    room = len(raw) + 8
    ids = (number * room)()
    count = tokenize(vocabulary, raw, len(raw), ids, room, around, True)
    assert count >= 0, content
    return list(ids[:count])


def open_context(model):
    parameters = context_parameters()
    words = parameters.words
    assert words[0] == 512 and words[26] == 1 and words[27] == 1, "another layout of llama_context_params"
    words[0] = context_size
    words[13] = 0  # no flash attention
    words[26] = words[27] = 0  # caches in float32
    return new_context(model, parameters)


def run(context, size, ids):
    clear(memory_of(context), True)
    batch = new_batch(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    assert decode(context, batch) == 0
    logits = np.stack([np.ctypeslib.as_array(logits_of(context, i), (size,)) for i in range(len(ids))]).astype(np.float64)
    largest = logits.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    two = np.sort(np.partition(logits, -2, axis=1)[:, -2:], axis=1)
    return {
        "nll": [float(log_sum[i] - logits[i, ids[i + 1]]) for i in range(len(ids) - 1)],
        "best": logits.argmax(axis=1).tolist(),
        "gap": (two[:, 1] - two[:, 0]).tolist(),
    }


def answer(request):
    reader = gguf.GGUFReader(request["gguf"])  # llama.cpp's own package reads it, too
    types = sorted({tensor.tensor_type.name for tensor in reader.tensors})
    model = load_model(request["gguf"].encode(), model_parameters())
    assert model, f"llama.cpp does not load {request['gguf']}"
    vocabulary = vocabulary_of(model)
    context = open_context(model)
    if request.get("lora"):
        lora = load_lora(model, request["lora"].encode())
        assert lora, f"llama.cpp does not load {request['lora']}"
        assert set_loras(context, (pointer * 1)(lora), 1, (ctypes.c_float * 1)(1.0)) == 0
    return {
        "types": types,
        "tokens": [tokens_of(vocabulary, content, False) for content in request.get("texts", [])],
        "whole": [tokens_of(vocabulary, content, True) for content in request.get("texts", [])],
        "rows": [run(context, vocabulary_size(vocabulary), ids) for ids in request.get("rows", [])],
    }


with open(sys.argv[1]) as file:
    requests = json.load(file)
with open(sys.argv[2], "w") as file:
    json.dump([answer(request) for request in requests], file)
