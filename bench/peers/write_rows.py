"""Writes rows {id, text} of about so many bytes: python write_rows.py FILE ROWS BYTES. pip install pyarrow

A block of rows is made once and written again and again, so that files of many gigabytes take no longer than the disk.
"""

import json
import random
import sys

import pyarrow as pa
import pyarrow.parquet as pq

BLOCK = 20_000
WORDS = "Sami Ada Ben has had gives takes buys sells bags ropes books coins in each of them how many does now 2 3 6 12 36 .".split()


def block_of(size):
    draw = random.Random(0)
    texts = []
    for _ in range(BLOCK):
        text = " ".join(draw.choices(WORDS, k=size // 5 + 1))
        texts.append(text[: max(1, size - 25)])
    return {"id": list(range(BLOCK)), "text": texts}


def main(path, rows, size):
    block = block_of(size)
    pieces = [BLOCK] * (rows // BLOCK) + ([rows % BLOCK] if rows % BLOCK else [])
    if path.endswith(".jsonl"):
        lines = [json.dumps({"id": i, "text": text}) + "\n" for i, text in zip(block["id"], block["text"])]
        whole = "".join(lines).encode()
        with open(path, "wb") as file:
            for count in pieces:
                file.write(whole if count == BLOCK else "".join(lines[:count]).encode())
        return
    table = pa.table(block)
    if path.endswith(".parquet"):
        writer = pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False)
    else:
        writer = pa.ipc.new_stream(path, table.schema)
    with writer:
        for count in pieces:
            writer.write_table(table.slice(0, count))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
