declare module "*/oreal.ts?loop" {
  import type { RunOf } from "tokensift/recipes";

  /** What `trainers/oreal.ts` does in a run. */
  export const loop: (run: RunOf<"oreal">) => Promise<void>;
}

declare module "*/finetune.ts?loop" {
  import type { RunOf } from "tokensift/recipes";

  /** What `trainers/finetune.ts` does in a run. */
  export const loop: (run: RunOf<"finetune">) => Promise<void>;
}

declare module "*?loop" {
  /** What a trainer does in a run. */
  export const loop: unknown;
}

declare module "*?loops" {
  /** What the trainer of each recipe does in a run. */
  export const loops: Readonly<Record<string, () => Promise<{ loop: (run: unknown) => Promise<void> }>>>;
}
