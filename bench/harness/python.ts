import { spawnSync } from "node:child_process";

const INSTALL = "pip install torch transformers tokenizers datasets";

/** A Python that has torch, or why there is none to compare with. */
export type Python = { path: string; torch: string } | { path: undefined; reason: string };

/** Tries the flag's value, else `TOKENSIFT_PYTHON`, else `python3`; "none" is never tried. */
export function findPython(flag: string | undefined): Python {
  const path = flag ?? process.env["TOKENSIFT_PYTHON"] ?? "python3";
  if (path === "none") return { path: undefined, reason: "Without PyTorch, as asked for." };
  const { status, stdout } = spawnSync(path, ["-c", "import torch; print(torch.__version__)"], { encoding: "utf8" });
  if (status === 0) return { path, torch: stdout.trim() };
  return {
    path: undefined,
    reason: `Without PyTorch: ${path} has no torch. To compare, name a Python by --python PATH after ${INSTALL}`,
  };
}
