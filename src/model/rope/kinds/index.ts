import type { RopeScaling } from "../rope.ts";
import { dynamic } from "./dynamic.ts";
import type { RopeKind } from "./kind.ts";
import { linear } from "./linear.ts";
import { llama3 } from "./llama3.ts";
import { longrope } from "./longrope.ts";
import { yarn } from "./yarn.ts";

const kinds: { readonly [T in RopeScaling["type"]]: RopeKind<Extract<RopeScaling, { type: T }>> } = {
  linear,
  dynamic,
  yarn,
  llama3,
  longrope,
};

/** The names of all kinds of scaling, as files write them. */
export const scalingTypes = Object.keys(kinds) as RopeScaling["type"][];

/** What computes, reads and writes a kind of scaling. */
export function kindNamed(type: RopeScaling["type"]): RopeKind<RopeScaling> {
  return kinds[type] as RopeKind<RopeScaling>;
}
