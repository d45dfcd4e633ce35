import { growing } from "./tokenized.ts";

/** Where a row of a text file is: its bytes, and the number of its line. */
export interface Place {
  readonly start: number;
  /** Behind its last byte. */
  readonly end: number;
  readonly line: number;
}

/** The places of all rows of a file, which take some four bytes each. */
export interface Places {
  readonly length: number;
  at(index: number): Place | undefined;
}

/** Rows whose places are read at once. */
const BLOCK = 64;
const CHUNK_BYTES = 2 ** 20;
const FIRST_BYTES = 2 ** 12;
/** Three numbers of eight bytes a row at most. */
const BLOCK_BYTES = 3 * 8 * BLOCK;

/**
 * Collects places that follow each other. Each is kept as its distances to the one before, in as few bytes as they need;
 * only the first of every 64 is kept whole.
 */
export function collectPlaces(): {
  add(start: number, end: number, line: number): void;
  done(): Places;
  readonly length: number;
} {
  const heads = growing((n) => new Float64Array(n)); // of each block: start, line, and where its distances are
  const chunks: Uint8Array[] = [];
  let [length, used, lastEnd, lastLine] = [0, 0, 0, 0];
  const put = (value: number): void => {
    const chunk = chunks.at(-1)!;
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) chunk[used++] = (rest % 0x80) | 0x80;
    chunk[used++] = rest;
  };
  /** For a block of places. The first chunk is small and grows, as most files are. */
  const makeRoom = (): void => {
    const last = chunks.at(-1);
    if (last !== undefined && used + BLOCK_BYTES <= last.length) return;
    if (last === undefined || last.length === CHUNK_BYTES) {
      chunks.push(new Uint8Array(last === undefined ? FIRST_BYTES : CHUNK_BYTES));
      used = 0;
    } else {
      const larger = new Uint8Array(Math.min(CHUNK_BYTES, 4 * last.length));
      larger.set(last);
      chunks[chunks.length - 1] = larger;
    }
  };
  return {
    get length() {
      return length;
    },
    add(start, end, line) {
      if (length % BLOCK === 0) {
        makeRoom();
        heads.push([start, line, (chunks.length - 1) * CHUNK_BYTES + used]);
        [lastEnd, lastLine] = [start, line];
      }
      put(start - lastEnd);
      put(end - start);
      put(line - lastLine);
      [lastEnd, lastLine] = [end, line];
      length++;
    },
    done: () => placesIn(heads.done(), chunks, length),
  };
}

function placesIn(heads: Float64Array, chunks: readonly Uint8Array[], length: number): Places {
  let open = -1;
  let places: Place[] = [];
  const read = (block: number): Place[] => {
    const [first, firstLine, from] = [heads[3 * block]!, heads[3 * block + 1]!, heads[3 * block + 2]!];
    const chunk = chunks[Math.floor(from / CHUNK_BYTES)]!;
    let at = from % CHUNK_BYTES;
    const next = (): number => {
      let value = 0;
      for (let scale = 1; ; scale *= 0x80) {
        const byte = chunk[at++]!;
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
    };
    let [end, line] = [first, firstLine];
    return Array.from({ length: Math.min(BLOCK, length - block * BLOCK) }, () => {
      const start = end + next();
      end = start + next();
      line += next();
      return { start, end, line };
    });
  };
  return {
    length,
    at(index) {
      if (!(index >= 0 && index < length)) return undefined;
      const block = Math.floor(index / BLOCK);
      if (block !== open) [open, places] = [block, read(block)];
      return places[index % BLOCK];
    },
  };
}
