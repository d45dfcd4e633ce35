import { kindNamed } from "./kinds/index.ts";
import { leastLongRope } from "./kinds/longrope.ts";
import type { Rope } from "./rope.ts";

/**
 * The rotary part of `config.json`, said twice: as transformers 5 and as transformers 4 read it. A dynamic or longrope
 * scaling is not whole without the file's `max_position_embeddings`.
 */
export function writeRope(rope: Rope, file: { maxPositions: number }): Record<string, unknown> {
  return { ...olderKeys(rope, file), rope_parameters: newerRecord(rope, file) };
}

/** The same where layers with a window turn by another base (Gemma 3). */
export function writeLayerRopes(rope: Rope, localRope: Rope, file: { maxPositions: number }): Record<string, unknown> {
  return {
    ...olderKeys(rope, file),
    rope_local_base_freq: localRope.theta,
    rope_parameters: { full_attention: newerRecord(rope, file), sliding_attention: newerRecord(localRope, file) },
  };
}

function olderKeys(rope: Rope, file: { maxPositions: number }): Record<string, unknown> {
  const { theta, scaling, rotatedShare } = rope;
  return {
    rope_theta: theta,
    rope_scaling: olderRecord(rope, file),
    ...(rotatedShare === undefined ? {} : { partial_rotary_factor: rotatedShare }),
    ...(scaling?.type === "longrope" ? { original_max_position_embeddings: scaling.originalMaxPositions } : {}),
  };
}

function olderRecord({ scaling }: Rope, file: { maxPositions: number }): Record<string, unknown> | null {
  if (scaling === undefined) return null;
  if (scaling.type === "longrope") return { type: "longrope", ...leastLongRope(scaling, file) };
  return { rope_type: scaling.type, ...kindNamed(scaling.type).write(scaling, file) };
}

function newerRecord({ theta, scaling, rotatedShare }: Rope, file: { maxPositions: number }): Record<string, unknown> {
  return {
    rope_theta: theta,
    ...(rotatedShare === undefined ? {} : { partial_rotary_factor: rotatedShare }),
    ...(scaling === undefined
      ? { rope_type: "default" }
      : { rope_type: scaling.type, ...kindNamed(scaling.type).write(scaling, file) }),
  };
}
