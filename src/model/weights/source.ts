import type { StoredWeight } from "../../tensor/stored-weight.ts";
import type { DecoderConfig } from "../config.ts";
import type { Origin } from "./origin.ts";

/** The weights of a decoder in a file or folder; tensors are read one at a time, nothing is kept. */
export interface WeightSource {
  config: DecoderConfig;
  format: "safetensors" | "gguf";
  /** Names as in Hugging Face models (`model.layers.0.self_attn.q_proj.weight`); exactly those the decoder needs. */
  names(): string[];
  /** Row-major shape; throws a UserError for an unknown name. */
  shape(name: string): number[];
  /** Values as float32, row-major, q and k in the row order of Hugging Face. */
  read(name: string): Promise<Float32Array>;
  /**
   * The matrix as it stays in its file, which must be open as long as it is used; undefined for what is float32 there,
   * is no matrix, or lies there the other way round.
   */
  stored(name: string): StoredWeight | undefined;
  /** Looks through a matrix of `stored`: a UserError names it if one of its numbers is NaN or infinite. */
  checkStored(name: string): Promise<void>;
  /** How the tensor lies in its file: the number format as the file calls it ("BF16", "Q4_K"), and its bytes. */
  held(name: string): { format: string; bytes: number };
  /** Key-values of a GGUF file, tokenizer included. */
  metadata?: Record<string, unknown>;
  /**
   * Names this content: sha-256 in hex over configuration, names, types and shapes, and of every tensor up to 16
   * stretches of 4 KiB spread evenly (all of it up to 64 KiB). Where the files lie and how they are split does not count.
   * Not a defence against forgery, and a change confined to bytes between the stretches goes unseen.
   */
  fingerprint: string;
  /** What is written back with the model as it came. */
  origin: Origin;
  /** @throws UserError where a file was written to since it was opened */
  requireUnchanged(): void;
  close(): Promise<void>;
}
