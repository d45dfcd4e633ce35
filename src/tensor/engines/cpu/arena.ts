import { UserError } from "../../../system/errors.ts";
import { memoryOfProcess } from "../../../system/process-memory.ts";
import type { BlockMemory } from "./memory.ts";
import { createBlockMemory, LARGEST_MEMORY } from "./memory.ts";

/** Bytes now handed out, the most there ever were, and the size the memories have grown to. */
export interface ArenaStatistics {
  bytesInUse: number;
  peakBytes: number;
  capacityBytes: number;
}

export interface ArenaLimits {
  /** Upper bound of all memories together; by default what the process can have, less what it needs beside. */
  bytes?: number;
  /** Upper bound of each memory; by default, and at most, 4 GiB. */
  memoryBytes?: number;
}

/** Places of one memory lie this far from those of the next. */
const SPAN = 2 ** 32;

/** Which memory a place lies in. */
export function memoryOf(place: number): number {
  return place < SPAN ? 0 : Math.floor(place / SPAN);
}

/** The byte offset of a place in its memory. */
export function offsetOf(place: number): number {
  return place < SPAN ? place : place % SPAN;
}

/**
 * Several shared WebAssembly memories from which all tensors of the engine are cut, because one ends at 4 GiB. A *place*
 * is the number of a memory times 2^32 plus a byte offset in it, and never 0. The next memory is opened when those
 * before it have no room.
 */
export interface Arena {
  /** Those opened so far, at least one. */
  readonly memories: readonly WebAssembly.Memory[];
  /** Room in each memory that tensors leave for copies of operands, which kernels need side by side. */
  readonly reserveBytes: number;
  /**
   * Returns the place of a block of at least `bytes` bytes, 64-byte aligned, with arbitrary contents.
   * @param near a place whose memory is tried first; without one it is the first memory
   * @throws UserError where there is no room
   */
  allocate(bytes: number, near?: number): number;
  /**
   * The same for values that may be weights: each memory takes them up to a fifth of its size while there is another,
   * so that gradient and moments of a weight find room beside it.
   */
  allocateWeights(bytes: number): number;
  /** The same in one memory; undefined where it has no room. */
  allocateIn(memory: number, bytes: number): number | undefined;
  /** Gives a block back. The place must come from `allocate` or its like and be freed once. */
  free(place: number): void;
  /** Bytes from a place to the end of its block. */
  bytesFrom(place: number): number;
  float32(place: number, length: number): Float32Array;
  float64(place: number, length: number): Float64Array;
  int32(place: number, length: number): Int32Array;
  uint8(place: number, length: number): Uint8Array;
  /** Throws the UserError that `bytes` more have no room. */
  refuse(bytes: number): never;
  statistics(): ArenaStatistics;
}

/** The part of a memory that weights take before the next one is opened. */
const WEIGHTS = 1 / 5;
/** What Node, its heap and the libraries take of the process's memory. */
const BESIDE = 256 * 2 ** 20;

/** Beyond it the system would end the process, without a word, when the memory is touched. */
function defaultBytes(): number {
  const bytes = memoryOfProcess();
  return Math.max(bytes - BESIDE, bytes / 2);
}

/** @param onOpen is told the number of each further memory before anything lies in it */
export function createArena(limits: ArenaLimits = {}, onOpen?: (memory: number) => void): Arena {
  const { bytes: mostBytes = defaultBytes(), memoryBytes = LARGEST_MEMORY } = limits;
  const reserveBytes = Math.min(64 * 2 ** 20, memoryBytes / 8);
  const opened: BlockMemory[] = [];
  const memories: WebAssembly.Memory[] = [];
  /** Bytes of weights by memory, and which blocks they are. */
  const weightBytes: number[] = [];
  const weights = new Map<number, number>();
  let peakBytes = 0;

  /** Whether there is a memory of that number; the next one is opened for it. */
  function has(memory: number): boolean {
    if (memory < opened.length) return true;
    const left = mostBytes - memory * memoryBytes;
    if (left <= 0) return false;
    try {
      opened.push(createBlockMemory(Math.min(left, memoryBytes)));
    } catch (error) {
      if (memory === 0) throw error;
      return false; // so much address space is not to be had
    }
    memories.push(opened[memory]!.memory);
    weightBytes.push(0);
    if (memory > 0) onOpen?.(memory);
    return true;
  }

  function bytesInUse(): number {
    let sum = 0;
    for (const memory of opened) sum += memory.bytesInUse;
    return sum;
  }

  function allocateIn(memory: number, bytes: number): number | undefined {
    const offset = opened[memory]!.allocate(bytes);
    if (offset === undefined) return undefined;
    peakBytes = Math.max(peakBytes, bytesInUse());
    return memory * SPAN + offset;
  }

  /** In a memory that keeps its reserve. */
  function allocateTensor(memory: number, bytes: number): number | undefined {
    const chosen = opened[memory]!;
    if (chosen.bytesInUse + bytes > chosen.maximumBytes - reserveBytes) return undefined;
    return allocateIn(memory, bytes);
  }

  function allocateAnywhere(bytes: number): number {
    if (bytes <= memoryBytes) {
      for (let memory = 0; has(memory); memory++) {
        const place = allocateTensor(memory, bytes);
        if (place !== undefined) return place;
      }
      for (let memory = 0; memory < opened.length; memory++) {
        const place = allocateIn(memory, bytes);
        if (place !== undefined) return place;
      }
    }
    return refuse(bytes);
  }

  /** The first memory in which weights have room by their share, or else the one with the fewest. */
  function memoryForWeights(bytes: number): number {
    for (let memory = 0; has(memory); memory++) {
      const held = weightBytes[memory]!;
      if (held === 0 || held + bytes <= opened[memory]!.maximumBytes * WEIGHTS) return memory;
    }
    return weightBytes.indexOf(Math.min(...weightBytes));
  }

  function refuse(bytes: number): never {
    const mebibytes = (n: number): string => `${Math.ceil(n / 2 ** 20)} MiB`;
    const total = mebibytes(opened.reduce((sum, { maximumBytes }) => sum + maximumBytes, 0));
    const fix =
      "Lower training.microBatchSize (the update stays the same) or data.maxTokens, train an adapter, or take a smaller " +
      "model or a machine with more memory.";
    if (bytes > memoryBytes)
      throw new UserError(
        "engine-memory-full",
        `In the cpu engine one tensor has at most ${mebibytes(memoryBytes)}, and ${mebibytes(bytes)} were asked for`,
        { fix },
      );
    throw new UserError(
      "engine-memory-full",
      `The cpu engine's memory is full: ${mebibytes(bytesInUse())} of ${total} are in use and ${mebibytes(bytes)} more ` +
        "were asked for",
      { fix },
    );
  }

  const bufferAt = (place: number): SharedArrayBuffer => opened[memoryOf(place)]!.buffer;

  has(0);
  return {
    memories,
    reserveBytes,
    allocate(bytes, near = 0) {
      return allocateTensor(memoryOf(near), bytes) ?? allocateAnywhere(bytes);
    },
    allocateWeights(bytes) {
      const place = this.allocate(bytes, memoryForWeights(bytes) * SPAN);
      weights.set(place, bytes);
      weightBytes[memoryOf(place)]! += bytes;
      return place;
    },
    allocateIn,
    free(place) {
      const memory = memoryOf(place);
      opened[memory]!.free(offsetOf(place));
      const bytes = weights.get(place);
      if (bytes === undefined) return;
      weightBytes[memory]! -= bytes;
      weights.delete(place);
    },
    bytesFrom(place) {
      const { start, bytes } = opened[memoryOf(place)]!.blockAt(offsetOf(place));
      return start + bytes - offsetOf(place);
    },
    float32: (place, length) => new Float32Array(bufferAt(place), offsetOf(place), length),
    float64: (place, length) => new Float64Array(bufferAt(place), offsetOf(place), length),
    int32: (place, length) => new Int32Array(bufferAt(place), offsetOf(place), length),
    uint8: (place, length) => new Uint8Array(bufferAt(place), offsetOf(place), length),
    refuse,
    statistics: () => ({
      bytesInUse: bytesInUse(),
      peakBytes,
      capacityBytes: opened.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
    }),
  };
}
