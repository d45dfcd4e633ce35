import { totalmem } from "node:os";

/** Bytes of memory that this process can have: the machine's, or what the container it runs in is given of it. */
export function memoryOfProcess(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}
