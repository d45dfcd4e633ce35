import { expect } from "@jest/globals";

/**
 * Jest compares typed arrays entry by entry, some microseconds each. Equal bytes need no such look; what differs is
 * left to Jest, which says where.
 */
expect.addEqualityTesters([(a, b) => (haveSameBytes(a, b) ? true : undefined)]);

function haveSameBytes(a: unknown, b: unknown): boolean {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return false;
  return bytesOf(a).equals(bytesOf(b));
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
