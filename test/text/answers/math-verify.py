# python test/text/answers/math-verify.py
#
# Judges the pairs of pairs.json with math-verify 0.9.0 (pip install "math-verify[antlr4_13_2]==0.9.0"), each pair both
# ways round, as ours are, and writes into math-verify.json where its verdict is not the one that pairs.json states.
import json
from importlib.metadata import version
from pathlib import Path

from math_verify import parse, verify

here = Path(__file__).parent


def is_equal(answer: str, reference: str) -> bool:
    said, right = (parse(f"\\boxed{{{text}}}") for text in (answer, reference))
    return verify(right, said)


pairs = json.loads((here / "pairs.json").read_text())
counts = {"pairs": 0, "rightly": 0}
other = []
for side, kinds in pairs.items():
    for kind, entries in kinds.items():
        for a, b in entries:
            # A reference is taken to be true.
            ways = [(a, b)] if kind == "false chains" else [(a, b), (b, a)]
            verdicts = [is_equal(*way) for way in ways]
            counts["pairs"] += 1
            if all(verdict == (side == "equal") for verdict in verdicts):
                counts["rightly"] += 1
            else:
                other.append([side, kind, a, b])
text = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in other)
head = json.dumps({"version": version("math-verify"), **counts}, indent=2)[:-2]
(here / "math-verify.json").write_text(head + ',\n  "disagrees": [\n' + text + "\n  ]\n}\n")
print(counts)
