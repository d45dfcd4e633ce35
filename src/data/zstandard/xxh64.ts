/** Low and high halves of the primes of the hash. */
const [P1L, P1H] = [0x85ebca87, 0x9e3779b1];
const [P2L, P2H] = [0x27d4eb4f, 0xc2b2ae3d];
const [P3L, P3H] = [0x9e3779f9, 0x165667b1];
const [P4L, P4H] = [0xc2b2ae63, 0x85ebca77];
const [P5L, P5H] = [0x165667c5, 0x27d4eb2f];
const STRIPE = 32;

/** The hash of bytes that come in pieces. */
export interface Xxh64 {
  update(bytes: Uint8Array): void;
  /** Of all bytes so far, in 16 hexadecimal digits. */
  digest(): string;
}

/**
 * XXH64 with seed 0, which ends frames of Zstandard. Numbers of 64 bits are kept in two halves: `BigInt` takes some ten
 * times as long. Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
export function xxh64(): Xxh64 {
  // lane i has its low half at 2 i: P1 + P2, P2, 0 and -P1
  const lanes = Int32Array.of(...added(P1L, P1H, P2L, P2H), P2L, P2H, 0, 0, ...added(~P1L, ~P1H, 1, 0));
  const rest = new Uint8Array(STRIPE);
  const restView = new DataView(rest.buffer);
  let waiting = 0;
  let length = 0;

  const stripe = (view: DataView, at: number): void => {
    for (let lane = 0; lane < 8; lane += 2)
      mix(lanes, lane, view.getInt32(at + 4 * lane, true), view.getInt32(at + 4 * lane + 4, true));
  };
  return {
    update(bytes) {
      length += bytes.length;
      let at = 0;
      if (waiting > 0) {
        at = Math.min(STRIPE - waiting, bytes.length);
        rest.set(bytes.subarray(0, at), waiting);
        waiting += at;
        if (waiting < STRIPE) return;
        stripe(restView, 0);
      }
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (; at + STRIPE <= bytes.length; at += STRIPE) stripe(view, at);
      waiting = bytes.length - at;
      rest.set(bytes.subarray(at));
    },
    digest: () => digest(lanes, restView, waiting, length),
  };
}

type Halves = [low: number, high: number];

function digest(lanes: Int32Array, rest: DataView, waiting: number, length: number): string {
  let hash: Halves = [P5L, P5H];
  if (length >= STRIPE) {
    hash = [0, 0];
    for (const [i, turn] of [1, 7, 12, 18].entries())
      hash = added(...hash, ...rotated(lanes[2 * i]!, lanes[2 * i + 1]!, turn));
    for (let i = 0; i < 8; i += 2) {
      const [low, high] = round(lanes[i]!, lanes[i + 1]!);
      hash = added(...times(hash[0] ^ low, hash[1] ^ high, P1L, P1H), P4L, P4H);
    }
  }
  hash = added(...hash, length | 0, Math.floor(length / 2 ** 32));
  let at = 0;
  for (; at + 8 <= waiting; at += 8) {
    const [low, high] = round(rest.getInt32(at, true), rest.getInt32(at + 4, true));
    hash = added(...times(...rotated(hash[0] ^ low, hash[1] ^ high, 27), P1L, P1H), P4L, P4H);
  }
  if (at + 4 <= waiting) {
    const [low, high] = times(rest.getInt32(at, true), 0, P1L, P1H);
    hash = added(...times(...rotated(hash[0] ^ low, hash[1] ^ high, 23), P2L, P2H), P3L, P3H);
    at += 4;
  }
  for (; at < waiting; at++) {
    const [low, high] = times(rest.getUint8(at), 0, P5L, P5H);
    hash = times(...rotated(hash[0] ^ low, hash[1] ^ high, 11), P1L, P1H);
  }
  hash = [hash[0] ^ (hash[1] >>> 1), hash[1]]; // x ^ x >> 33
  hash = times(...hash, P2L, P2H);
  const shifted: Halves = [(hash[0] >>> 29) | (hash[1] << 3), hash[1] >>> 29];
  hash = times(hash[0] ^ shifted[0], hash[1] ^ shifted[1], P3L, P3H);
  hash = [hash[0] ^ hash[1], hash[1]]; // x ^ x >> 32
  return [hash[1], hash[0]].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

/** Eight more bytes into a lane. Without lists: all bytes of a file go through here. */
function mix(lanes: Int32Array, lane: number, inputLow: number, inputHigh: number): void {
  const before = lanes[lane]!;
  const low = (before + Math.imul(inputLow, P2L)) | 0;
  const carry = low >>> 0 < before >>> 0 ? 1 : 0;
  const high = (lanes[lane + 1]! + highTimes(inputLow, inputHigh, P2L, P2H) + carry) | 0;
  const turnedLow = (low << 31) | (high >>> 1);
  const turnedHigh = (high << 31) | (low >>> 1);
  lanes[lane] = Math.imul(turnedLow, P1L);
  lanes[lane + 1] = highTimes(turnedLow, turnedHigh, P1L, P1H);
}

/** A lane that was 0 after eight bytes. */
function round(inputLow: number, inputHigh: number): Halves {
  const lane = new Int32Array(2);
  mix(lane, 0, inputLow, inputHigh);
  return [lane[0]!, lane[1]!];
}

function added(low: number, high: number, otherLow: number, otherHigh: number): Halves {
  const sum = (low + otherLow) | 0;
  const carry = sum >>> 0 < low >>> 0 ? 1 : 0;
  return [sum, (high + otherHigh + carry) | 0];
}

function rotated(low: number, high: number, by: number): Halves {
  return [(low << by) | (high >>> (32 - by)), (high << by) | (low >>> (32 - by))];
}

function times(low: number, high: number, otherLow: number, otherHigh: number): Halves {
  return [Math.imul(low, otherLow), highTimes(low, high, otherLow, otherHigh)];
}

/** The high half of a product. */
function highTimes(low: number, high: number, otherLow: number, otherHigh: number): number {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = otherLow & 0xffff;
  const b1 = otherLow >>> 16;
  const cross = Math.imul(a1, b0);
  const other = Math.imul(a0, b1);
  const middle = (Math.imul(a0, b0) >>> 16) + (cross & 0xffff) + (other & 0xffff);
  const carried = Math.imul(a1, b1) + (cross >>> 16) + (other >>> 16) + (middle >>> 16);
  return (carried + Math.imul(low, otherHigh) + Math.imul(high, otherLow)) | 0;
}
