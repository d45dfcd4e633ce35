import { spawnSync } from "node:child_process";

const INSTALL = "pip install torch transformers tokenizers datasets peft";

/** A Python to compare with, or why there is none. */
export type Python = { path: string } | { path: undefined; reason: string };

const NAMES = { torch: "PyTorch", datasets: "Python", peft: "PEFT" };

/** The package by which a Python is known to be fit. */
export type NeededPackage = keyof typeof NAMES;

/** Tries the flag's value, else `TOKENSIFT_PYTHON`, else `python3`; "none" is never tried. */
export function findPython(flag: string | undefined, needed: NeededPackage = "torch"): Python {
  const path = flag ?? process.env["TOKENSIFT_PYTHON"] ?? "python3";
  if (path === "none") return { path: undefined, reason: `Without ${NAMES[needed]}, as asked for.` };
  if (spawnSync(path, ["-c", `import ${needed}`]).status === 0) return { path };
  return {
    path: undefined,
    reason: `Without ${NAMES[needed]}: ${path} has no ${needed}. To compare, name a Python by --python PATH after ${INSTALL}`,
  };
}
