/** WebAssembly pages are 64 KiB; a 32-bit memory has at most 65,536 of them (4 GiB). */
const PAGE = 65_536;
/** Bytes of the largest memory there can be. */
export const LARGEST_MEMORY = 65_536 * PAGE;
/** The kernels' own constants lie below this offset, so an offset is never 0. */
export const FIRST_OFFSET = PAGE;
/** Every block starts on a cache line and its size is a multiple of one. */
const LINE = 64;

/**
 * One shared WebAssembly memory from which blocks are cut. Native libraries reach them by address, worker threads by
 * sharing the memory; a shared memory never moves when it grows, so views and addresses stay good.
 */
export interface BlockMemory {
  readonly memory: WebAssembly.Memory;
  /** Upper bound of the memory in bytes. */
  readonly maximumBytes: number;
  /** Bytes of all blocks handed out. */
  readonly bytesInUse: number;
  /** The memory's bytes as far as it has grown. */
  readonly buffer: SharedArrayBuffer;
  /**
   * Returns the byte offset of a block of at least `bytes` bytes, 64-byte aligned, with arbitrary contents; undefined
   * where there is none.
   */
  allocate(bytes: number): number | undefined;
  /** Gives a block back. The offset must come from `allocate` and be freed once. */
  free(offset: number): void;
  /** Start and size in bytes of the block in use that `offset` lies in. */
  blockAt(offset: number): { start: number; bytes: number };
}

interface FreeBlock {
  start: number;
  lines: number;
  previous: FreeBlock | null;
  next: FreeBlock | null;
}

/**
 * Size classes: every count of lines below 16, then eight steps for each doubling, so a block wastes at most an eighth.
 */
function classOf(lines: number): number {
  if (lines < 16) return lines;
  const exponent = 31 - Math.clz32(lines);
  return 16 + (exponent - 4) * 8 + ((lines >>> (exponent - 3)) & 7);
}

/** The smallest size of a class that holds `lines`; every free block filed under that class is at least so large. */
function roundUpToClass(lines: number): number {
  if (lines < 16) return lines;
  const step = 1 << (31 - Math.clz32(lines) - 3);
  return Math.ceil(lines / step) * step;
}

const CLASSES = classOf(2 ** 26) + 1;

/** Free blocks filed by size class, by start and by end, so that neighbours merge and nothing is lost to old sizes. */
function freeLists() {
  const heads: (FreeBlock | null)[] = new Array<FreeBlock | null>(CLASSES).fill(null);
  const byStart = new Map<number, FreeBlock>();
  const byEnd = new Map<number, FreeBlock>();

  function insert(start: number, lines: number): void {
    const index = classOf(lines);
    const head = heads[index]!;
    const block: FreeBlock = { start, lines, previous: null, next: head };
    if (head) head.previous = block;
    heads[index] = block;
    byStart.set(start, block);
    byEnd.set(start + lines * LINE, block);
  }

  function remove(block: FreeBlock): void {
    if (block.previous) block.previous.next = block.next;
    else heads[classOf(block.lines)] = block.next;
    if (block.next) block.next.previous = block.previous;
    byStart.delete(block.start);
    byEnd.delete(block.start + block.lines * LINE);
  }

  return {
    /** Cuts `lines` (a class size) out of the closest class that has a block; undefined when none has. */
    take(lines: number): number | undefined {
      for (let index = classOf(lines); index < CLASSES; index++) {
        const block = heads[index]!;
        if (!block) continue;
        remove(block);
        if (block.lines > lines) insert(block.start + lines * LINE, block.lines - lines);
        return block.start;
      }
      return undefined;
    },
    /** Files a block, merged with the free blocks before and behind it. */
    give(start: number, lines: number): void {
      const before = byEnd.get(start);
      const behind = byStart.get(start + lines * LINE);
      if (before) remove(before);
      if (behind) remove(behind);
      insert(before?.start ?? start, lines + (before?.lines ?? 0) + (behind?.lines ?? 0));
    },
    /** Takes out the free block that ends at `end`, if there is one, and returns its start. */
    takeEndingAt(end: number): number {
      const block = byEnd.get(end);
      if (!block) return end;
      remove(block);
      return block.start;
    },
  };
}

function reserve(maximumPages: number): { memory: WebAssembly.Memory; pages: number } {
  for (let pages = maximumPages; ; pages = Math.floor(pages / 2)) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 16, maximum: pages, shared: true }), pages };
    } catch (error) {
      if (pages <= 1024) throw error;
    }
  }
}

/**
 * @param maximumBytes upper bound of the memory, at most 4 GiB. Address space is reserved, memory is not: it starts at
 *   1 MiB and grows with what is asked of it. Where so much address space is not to be had, the bound is lower.
 */
export function createBlockMemory(maximumBytes: number): BlockMemory {
  const { memory, pages: maximumPages } = reserve(Math.max(16, Math.min(65_536, Math.floor(maximumBytes / PAGE))));
  const free = freeLists();
  const used = new Map<number, number>();
  let buffer = memory.buffer as SharedArrayBuffer;
  let top = FIRST_OFFSET;
  let bytesInUse = 0;

  /** Moves the top of the blocks up, growing the memory by a quarter (at least 1 MiB) or as far as it goes. */
  function extend(lines: number): number | undefined {
    const start = free.takeEndingAt(top);
    const end = start + lines * LINE;
    if (end > buffer.byteLength) {
      const wanted = Math.ceil((end - buffer.byteLength) / PAGE);
      const current = buffer.byteLength / PAGE;
      const generous = Math.min(Math.max(wanted, 16, current >> 2), maximumPages - current);
      try {
        if (generous < wanted) throw new RangeError("beyond the maximum");
        memory.grow(generous);
      } catch {
        if (start < top) free.give(start, (top - start) / LINE);
        return undefined;
      }
      buffer = memory.buffer as SharedArrayBuffer;
    }
    top = end;
    return start;
  }

  return {
    memory,
    maximumBytes: maximumPages * PAGE,
    get bytesInUse() {
      return bytesInUse;
    },
    get buffer() {
      return buffer;
    },
    allocate(bytes) {
      if (!(bytes >= 0 && bytes <= LARGEST_MEMORY)) return undefined;
      const lines = roundUpToClass(Math.max(1, Math.ceil(bytes / LINE)));
      const offset = free.take(lines) ?? extend(lines);
      if (offset === undefined) return undefined;
      used.set(offset, lines);
      bytesInUse += lines * LINE;
      return offset;
    },
    free(offset) {
      const lines = used.get(offset);
      if (lines === undefined) throw new Error(`No block of the memory starts at ${offset}`);
      used.delete(offset);
      bytesInUse -= lines * LINE;
      free.give(offset, lines);
    },
    blockAt(offset) {
      const own = used.get(offset);
      if (own !== undefined) return { start: offset, bytes: own * LINE };
      for (const [start, lines] of used)
        if (start < offset && offset < start + lines * LINE) return { start, bytes: lines * LINE };
      throw new Error(`No block of the memory holds ${offset}`);
    },
  };
}
