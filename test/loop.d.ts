declare module "*/oreal.ts?loop" {
  import type { OrealRun } from "tokensift/recipes";

  /** What `trainers/oreal.ts` does in a run. */
  export const loop: (run: OrealRun) => Promise<void>;
}

declare module "*/finetune.ts?loop" {
  import type { FinetuneRun } from "tokensift/recipes";

  /** What `trainers/finetune.ts` does in a run. */
  export const loop: (run: FinetuneRun) => Promise<void>;
}

declare module "*?loop" {
  /** The recipe of a trainer, and what it does in a run. */
  export const recipe: unknown;
  export const loop: unknown;
}
