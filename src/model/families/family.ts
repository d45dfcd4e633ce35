import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import type { GgufEntries } from "../gguf-entries.ts";
import type { GgufHeader } from "../rope/index.ts";
import type { Layout } from "./layout.ts";

/** One family of decoders: how its files say what a `DecoderConfig` says. What it computes follows from that alone. */
export interface Family {
  /** The `model_type` of its `config.json`, and the family's name in a `DecoderConfig`. */
  readonly modelType: string;
  /** What is written as `architectures`: the classes of transformers that hold such a model. */
  readonly architectures: readonly [string, ...string[]];
  /** Models of it that people know by name, for messages. */
  readonly models: string;
  /** What it has that a plain Llama has not, for pages. */
  readonly features: string;
  /** What its authors trained it with and a training here leaves out, for messages: "its dropout (...)". */
  readonly trainedWithout?: string;
  /**
   * Reads the keys of a `config.json`. What is left out takes the value that transformers gives it.
   * @param where the file, for messages
   * @throws UserError for anything that this decoder would compute differently
   */
  parse(fields: Fields, where: string): FamilyFacts;
  /**
   * The keys of a `config.json` that transformers 5 and 4 both read, but for `model_type`, `architectures` and the
   * number format.
   * @throws UserError for a configuration that no model of the family has
   */
  write(config: DecoderConfig): Record<string, unknown>;
  /** What its files call the tensors. */
  readonly layout: Layout;
  /** How GGUF files hold the family, if they have a name for it. */
  readonly gguf?: GgufFamily;
  /** How it is written to GGUF files, if llama.cpp computes it. */
  readonly ggufWriting?: GgufWriting;
}

/** A family as GGUF files hold it. */
export interface GgufFamily {
  /** The `general.architecture` of its files. */
  readonly architecture: string;
  /** Models that such files hold, for messages. Default: the family's. */
  readonly models?: string;
  /**
   * Reads the key-values of the header.
   * @throws UserError for settings that this decoder would compute differently
   */
  parse(header: GgufHeader, facts: GgufTensorFacts): FamilyFacts;
  /** A tensor's values as Hugging Face has them, whose name for it is `name`. Default: as they are. */
  huggingFaceValues?(name: string, values: Float32Array, config: DecoderConfig): Float32Array;
  /** Rows of a head of a tensor whose rows that order changes; 0 of the others. Absent: it changes none. */
  pairedHead?(name: string, config: DecoderConfig): number;
}

/** How a family is written to GGUF files, so that llama.cpp computes what this decoder does. */
export interface GgufWriting {
  /** Their `general.architecture`. */
  readonly architecture: string;
  /**
   * What the header says of the configuration, the keys of the architecture under their full names.
   * @throws UserError for what llama.cpp would compute differently
   */
  entries(config: DecoderConfig): GgufEntries;
  /**
   * A tensor's values as the file holds them, row-major. `name` is the Hugging Face name. Rows of another length than the
   * weight's are those of an adapter's matrix B. Default: as they are.
   */
  ggufValues?(name: string, values: Float32Array, config: DecoderConfig): Float32Array;
  /** What llama.cpp computes otherwise all the same, as sentences. */
  notes?(config: DecoderConfig): readonly string[];
  /** Tensors of the file that no tensor of the model stands for; they stay in single precision. */
  moreTensors?(config: DecoderConfig): readonly { name: string; values: Float32Array }[];
}

/** What the tensors of a GGUF file say about its configuration. */
export interface GgufTensorFacts {
  /** Shapes by Hugging Face name. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** `rope_freqs.weight`: by how much each pair's frequency is divided (Llama 3.1 and later). */
  ropeFactors?: Float32Array;
  /** `rope_factors_short.weight` and `rope_factors_long.weight`: the same in short and in long texts (Phi-3, Phi-4). */
  longRopeFactors?: { short: Float32Array; long: Float32Array };
}

/** What files say of a model of a known family. */
export type FamilyFacts = Omit<DecoderConfig, "family">;

/** What files say in the same keys whatever the family. */
export type SharedFacts = Omit<FamilyFacts, "biases" | "window" | "windowLayers">;
