import { UserError } from "../../system/errors.ts";
import { show, type Fields } from "../fields.ts";
import { kindNamed, scalingTypes } from "./kinds/index.ts";
import { rotatedSize, type Rope, type RopeScaling } from "./rope.ts";

/** What a family's files leave unsaid, and what its models can do. */
export interface RopeDialect {
  headSize: number;
  maxPositions: number;
  /** The base where the file is silent. Default 10,000. */
  theta?: number;
  /** Its models may turn a part of each head: `partial_rotary_factor`. Default false: another value than 1 is refused. */
  rotatesParts?: boolean;
  /** The `original_max_position_embeddings` of a file that has none: Phi-3. Default: the record's, or `maxPositions`. */
  originalMaxPositions?: number;
  /** Other names under which its files mean longrope: Phi-3. */
  longRopeNames?: readonly string[];
}

/** The keys of one rotation in a file. */
interface Keys {
  /** The key of its base beside the records. */
  theta: string;
  /** `rope_scaling` (transformers 4). */
  older: Fields | undefined;
  /** `rope_parameters` (transformers 5), or what it has for some layers. */
  newer: Fields | undefined;
  where: { older: string; newer: string };
  perLayerType: boolean;
}

const thetaLimits = { min: 1e-6, max: 1e12 };

/**
 * Reads the rotary part of a Hugging Face `config.json`: `rope_parameters` (transformers 5) or `rope_theta` and
 * `rope_scaling` (transformers 4). A file with both must say the same in both.
 * @throws UserError for kinds of scaling that this decoder does not compute, and for values out of range
 */
export function parseRope(fields: Fields, where: string, dialect: RopeDialect): Rope {
  const newer = fields.record("rope_parameters");
  const perLayerType = ["full_attention", "sliding_attention"].some((key) => newer?.raw(key) !== undefined);
  if (perLayerType) {
    throw new UserError("unsupported-model", "rotary parameters per layer type are not supported in this family", {
      where: `${where}, rope_parameters`,
    });
  }
  const places = { older: `${where}, rope_scaling`, newer: `${where}, rope_parameters` };
  const older = fields.record("rope_scaling");
  return readRope(fields, where, { theta: "rope_theta", older, newer, where: places, perLayerType }, dialect);
}

/**
 * The same where layers with a window turn by another base (Gemma 3): `rope_parameters` has a record for
 * `full_attention` and one for `sliding_attention`; in the dialect of transformers 4 the second is only a base,
 * `rope_local_base_freq`.
 * @param dialect `theta` and `localTheta`: bases where the file is silent
 * @throws UserError as `parseRope`
 */
export function parseLayerRopes(
  fields: Fields,
  where: string,
  { localTheta, ...dialect }: RopeDialect & { localTheta: number },
): { rope: Rope; localRope: Rope } {
  const newer = fields.record("rope_parameters");
  const flat = ["rope_type", "type", "rope_theta", "factor"].find((key) => newer?.raw(key) !== undefined);
  if (flat !== undefined) {
    throw new UserError("invalid-model-config", `${flat} stands outside full_attention and sliding_attention`, {
      where: `${where}, rope_parameters`,
      fix: "This family has rotary parameters per layer type: transformers reads nothing beside them.",
    });
  }
  const older = fields.record("rope_scaling");
  if (older !== undefined && older.raw("rope_type") === undefined && older.raw("type") !== undefined) {
    throw new UserError(
      "invalid-model-config",
      "this family's rope_scaling says rope_type; transformers reads no type",
      { where: `${where}, rope_scaling`, fix: "Name the key rope_type if the model was trained with it." },
    );
  }
  const places = (type: string): Keys["where"] => ({
    older: `${where}, rope_scaling`,
    newer: `${where}, rope_parameters, ${type}`,
  });
  const full: Keys = {
    theta: "rope_theta",
    older,
    newer: newer?.record("full_attention"),
    where: places("full_attention"),
    perLayerType: true,
  };
  const local: Keys = {
    theta: "rope_local_base_freq",
    older: undefined,
    newer: newer?.record("sliding_attention"),
    where: places("sliding_attention"),
    perLayerType: true,
  };
  return {
    rope: readRope(fields, where, full, dialect),
    localRope: readRope(fields, where, local, { ...dialect, theta: localTheta }),
  };
}

function readRope(fields: Fields, where: string, keys: Keys, dialect: RopeDialect): Rope {
  const theta = fields.number(keys.theta, { ...thetaLimits, fallback: dialect.theta ?? 10_000 });
  const share = readShare(fields, where, dialect, 1);
  const beside = { theta, share, original: readOriginalLength(fields, dialect) };
  const read = (record: Fields | undefined, place: string): Rope =>
    record === undefined
      ? ropeOf(theta, share)
      : readRecord(record, place, beside, { dialect, perLayerType: keys.perLayerType });

  const fromOlder = read(keys.older, keys.where.older);
  const fromNewer = read(keys.newer, keys.where.newer);
  if (keys.newer === undefined) return fromOlder;
  const saysOlder = fields.raw(keys.theta) !== undefined || keys.older !== undefined;
  const thetasDiffer = saysOlder && fromOlder.theta !== fromNewer.theta;
  const sharesDiffer =
    fields.raw("partial_rotary_factor") !== undefined && fromOlder.rotatedShare !== fromNewer.rotatedShare;
  const scalingsDiffer =
    keys.older !== undefined && JSON.stringify(fromOlder.scaling) !== JSON.stringify(fromNewer.scaling);
  if (thetasDiffer || sharesDiffer || scalingsDiffer) {
    const older = sharesDiffer ? "partial_rotary_factor" : `${keys.theta}/rope_scaling`;
    throw new UserError("invalid-model-config", `rope_parameters and ${older} contradict each other`, {
      where,
      fix: "Remove the one that the model was not trained with.",
    });
  }
  return fromNewer;
}

function readRecord(
  record: Fields,
  where: string,
  beside: { theta: number; share: number; original: number | undefined },
  { dialect, perLayerType }: { dialect: RopeDialect; perLayerType: boolean },
): Rope {
  const share = readShare(record, where, dialect, beside.share);
  const theta = record.number("rope_theta", { ...thetaLimits, fallback: beside.theta });
  const named = record.raw("rope_type") ?? record.raw("type") ?? "default";
  if (named === "default") return ropeOf(theta, share);
  const facts = {
    where,
    theta,
    rotated: rotatedSize({ headSize: dialect.headSize, rope: ropeOf(theta, share) }),
    maxPositions: dialect.maxPositions,
    ...(beside.original !== undefined && { originalMaxPositions: beside.original }),
    perLayerType,
  };
  return ropeOf(theta, share, kindNamed(scalingType(named, where, dialect)).parse(record, facts));
}

function scalingType(named: unknown, where: string, { longRopeNames = [] }: RopeDialect): RopeScaling["type"] {
  const type = longRopeNames.some((name) => name === named) ? "longrope" : named;
  const known = scalingTypes.find((name) => name === type);
  if (known !== undefined) return known;
  throw new UserError("unsupported-model", `the rotary scaling ${show(named)} is not supported`, {
    where,
    fix: `Supported are default, ${scalingTypes.join(", ")}. Choose a model with one of these.`,
  });
}

/** What the file says beside the records. */
function readOriginalLength(fields: Fields, { originalMaxPositions }: RopeDialect): number | undefined {
  const key = "original_max_position_embeddings";
  return fields.raw(key) === undefined ? originalMaxPositions : fields.integer(key, { min: 1 });
}

/** `partial_rotary_factor`. */
function readShare(fields: Fields, where: string, dialect: RopeDialect, fallback: number): number {
  const share = fields.number("partial_rotary_factor", { min: 0, max: 1, fallback });
  if (share === 1) return share;
  if (dialect.rotatesParts !== true) {
    throw new UserError("unsupported-model", `partial_rotary_factor ${share} is not supported: whole heads rotate`, {
      where,
    });
  }
  const size = rotatedSize({ headSize: dialect.headSize, rope: ropeOf(1, share) });
  if (size >= 2 && size % 2 === 0) return share;
  throw new UserError(
    "invalid-model-config",
    `partial_rotary_factor ${share} turns ${size} of ${dialect.headSize} dimensions: they are turned in pairs`,
    { where },
  );
}

function ropeOf(theta: number, share: number, scaling?: RopeScaling): Rope {
  return { theta, ...(scaling && { scaling }), ...(share === 1 ? {} : { rotatedShare: share }) };
}
