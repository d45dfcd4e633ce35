"""Reads the files that differential.ts changed with Python's own libraries and says where the two disagree.

    python differential.py FOLDER KIND
"""

import hashlib
import json
import math
import os
import re
import resource
import signal
import struct
import sys
from collections import defaultdict
from pathlib import Path

folder, kind = Path(sys.argv[1]), sys.argv[2]
about = json.loads((folder / f"{kind}.json").read_text(errors="surrogatepass"))


def canonical(value):
    """As `canonical` of differential.ts writes it."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return '"nan"'
        if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        return f'"f{struct.pack(">d", value).hex()}"'
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return canonical(in_order(value))
    return "[" + ",".join(canonical(each) for each in value) + "]"


def in_order(named):
    return sorted(([name, value] for name, value in named.items()), key=lambda pair: pair[0].encode("utf-8", "surrogatepass"))


def cells(array):
    """Plain values; "?" for types that are not read."""
    import pyarrow as pa

    type_ = array.type
    kept = array.is_valid().to_pylist()
    types = pa.types
    if types.is_dictionary(type_):
        return cells(array.dictionary_decode())
    if types.is_struct(type_):
        parts = {type_.field(i).name: cells(array.field(i)) for i in range(type_.num_fields)}
        return [{name: part[i] for name, part in parts.items()} if kept[i] else None for i in range(len(array))]
    if types.is_fixed_size_list(type_):
        inner, size = cells(array.values), type_.list_size
        return [inner[(array.offset + i) * size : (array.offset + i + 1) * size] if kept[i] else None for i in range(len(array))]
    if types.is_list(type_) or types.is_large_list(type_):
        inner, offsets = cells(array.values), array.offsets.to_pylist()
        return [inner[offsets[i] : offsets[i + 1]] if kept[i] else None for i in range(len(array))]
    if types.is_list_view(type_) or types.is_large_list_view(type_):
        inner, offsets, sizes = cells(array.values), array.offsets.to_pylist(), array.sizes.to_pylist()
        return [inner[offsets[i] : offsets[i] + sizes[i]] if kept[i] else None for i in range(len(array))]
    read = [types.is_null, types.is_boolean, types.is_integer, types.is_floating]
    read += [types.is_string, types.is_large_string, types.is_string_view]
    if any(test(type_) for test in read):
        return array.to_pylist()
    # of Parquet such columns are not looked at, not even for nulls
    return ["?" if here or kind == "parquet" else None for here in kept]


def rows_of(table):
    table.validate(full=True)
    columns = [[cell for chunk in column.chunks for cell in cells(chunk)] for column in table.columns]
    return canonical([table.column_names, [list(row) for row in zip(*columns)] if columns else [[]] * table.num_rows])


def read_arrow(path):
    import pyarrow as pa

    data = Path(path).read_bytes()
    opened = pa.ipc.open_file(data) if data[:6] == b"ARROW1" else pa.ipc.open_stream(data)
    return rows_of(opened.read_all())


def read_parquet(path):
    import pyarrow.parquet as pq

    return rows_of(pq.ParquetFile(path).read())


def read_safetensors(path):
    import safetensors

    tensors = {name: t for name, t in safetensors.deserialize(Path(path).read_bytes())}
    named = {name: [t["dtype"], t["shape"], hashlib.sha256(bytes(t["data"])).hexdigest()] for name, t in tensors.items()}
    return json.dumps(in_order(named), ensure_ascii=False, separators=(",", ":"))


def read_gguf(path):
    import gguf

    reader = gguf.GGUFReader(path)
    entries = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    tensors = {
        t.name: [[int(size) for size in reversed(t.shape.tolist())], t.tensor_type.name, int(t.data_offset), int(t.n_bytes)]
        for t in reader.tensors
    }
    return canonical([in_order(entries), in_order(tensors)])


def read_tokenizer(path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(Path(path).read_bytes().decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    both = [[tokenizer.encode(text, add_special_tokens=special).ids for special in (False, True)] for text in about["texts"]]
    return json.dumps(both, separators=(",", ":"))


read = {
    "arrow": read_arrow,
    "parquet": read_parquet,
    "safetensors": read_safetensors,
    "gguf": read_gguf,
    "tokenizer": read_tokenizer,
}[kind]


def verdict(path):
    try:
        text = read(str(path))
        return {"digest": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), "text": text}
    except BaseException as error:  # the libraries written in Rust panic with one that is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"refused": f"{type(error).__name__}: {str(error)[:200]}"}


def in_child(ats, out):
    """Reads file after file, in a process that a damaged one may end."""
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where panics are told
    for at in ats:
        signal.alarm(20)
        out.write(json.dumps({"at": at, **verdict(folder / kind / str(at))}) + "\n")
        out.flush()
    os._exit(0)


def theirs(count):
    found = {}
    results = folder / f"{kind}.python.jsonl"
    while len(found) < count:
        child = os.fork()
        if child == 0:
            with open(results, "a") as out:
                in_child([at for at in range(count) if at not in found], out)
        _, status = os.waitpid(child, 0)
        for line in results.read_text().splitlines():
            said = json.loads(line)
            found[said["at"]] = said
        if os.WIFSIGNALED(status):
            at = min(at for at in range(count) if at not in found)
            found[at] = {"at": at, "refused": f"ended by signal {os.WTERMSIG(status)}"}
            with open(results, "a") as out:
                out.write(json.dumps(found[at]) + "\n")
    return found


{
    "arrow": lambda: __import__("pyarrow"),
    "parquet": lambda: __import__("pyarrow.parquet"),
    "safetensors": lambda: __import__("safetensors"),
    "gguf": lambda: __import__("gguf"),
    "tokenizer": lambda: __import__("tokenizers"),
}[kind]()
def is_but_for_unread(ours, other):
    """Alike but for cells that one of the two does not read."""
    if ours == "?" or other == "?":
        return True
    if isinstance(ours, list) and isinstance(other, list):
        return len(ours) == len(other) and all(map(is_but_for_unread, ours, other))
    return ours == other


found = theirs(len(about["verdicts"]))
classes = defaultdict(list)
alike = 0
for ours in about["verdicts"]:
    other = found[ours["at"]]
    if "refused" in ours and "refused" in other:
        classes["both refuse", ""].append((ours, other))
    elif "refused" in ours:
        classes["we refuse, they accept", ours["code"] + " " + re.sub(r'"[^"]*"|\d+', "…", ours["refused"])].append((ours, other))
    elif "refused" in other:
        classes["we accept, they refuse", re.sub(r'"[^"]*"|\d+', "…", other["refused"])[:100]].append((ours, other))
    elif ours["digest"] == other["digest"]:
        alike += 1
    elif kind in ("arrow", "parquet") and is_but_for_unread(json.loads(ours["text"]), json.loads(other["text"])):
        classes["they read what we do not", "values of a type that is not read"].append((ours, other))
    else:
        classes["values differ", ""].append((ours, other))
print(f"{kind}: {len(about['verdicts'])} files, {alike} read alike, {len(classes['both refuse', ''])} refused by both")
for (name, reason), cases in sorted(classes.items(), key=lambda item: (item[0][0], -len(item[1]))):
    if name == "both refuse":
        continue
    ours, other = cases[0]
    print(f"  {name}: {len(cases)}  {reason}  (input {ours['at']})")
    if name == "values differ":
        for ours, other in cases[:8]:
            a, b = ours["text"], other["text"]
            at = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
            print(f"    input {ours['at']}: ours …{a[max(0, at - 40) : at + 40]}… theirs …{b[max(0, at - 40) : at + 40]}…")
sys.exit(1 if classes["values differ", ""] else 0)
