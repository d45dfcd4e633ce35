import { DamagedFile } from "../damaged.ts";
import { readInto } from "../files.ts";
import { readFooter, verifyMessage, type VerifiedMessage } from "./verify.ts";

/** Where one message lies in a file. */
export interface MessagePlace extends VerifiedMessage {
  metadataAt: number;
  metadataLength: number;
  bodyAt: number;
}

/** An Arrow file's messages: the schema's metadata, then for each record batch the dictionaries that precede it. */
export interface Framing {
  schema: Uint8Array;
  dictionaries: MessagePlace[];
  batches: (MessagePlace & { dictionariesBefore: number })[];
}

const MAGIC = "ARROW1";
const CONTINUATION = 0xffffffff;

/** Whether bytes begin as an Arrow file or stream does; streams before Arrow 0.15 have no such mark. */
export function beginsLikeArrow(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  return isArrowFile(bytes) || (bytes.length >= 4 && bytes.readUInt32LE(0) === CONTINUATION);
}

function isArrowFile(head: Buffer): boolean {
  return head.toString("latin1", 0, MAGIC.length) === MAGIC;
}

/** Finds every message of an Arrow IPC stream or file; only lengths and metadata are read, never a body. */
export function frame(fd: number, size: number): Framing {
  return size >= 8 && isArrowFile(bytesAt(fd, 0, 8)) ? frameFile(fd, size) : frameStream(fd, size);
}

function frameStream(fd: number, size: number): Framing {
  let schema: Uint8Array | undefined;
  const framing: Omit<Framing, "schema"> = { dictionaries: [], batches: [] };
  for (let at = 0; ;) {
    if (at >= size) throw new DamagedFile("the stream has no end marker: the file is truncated");
    const message = messageAt(fd, at, size);
    if (message === "end") {
      refuseMore(fd, at, size);
      break;
    }
    if (!schema) {
      if (message.kind !== "schema") throw new DamagedFile("the stream does not start with a schema");
      schema = bytesAt(fd, message.metadataAt, message.metadataLength);
    } else if (message.kind === "dictionary") framing.dictionaries.push(message);
    else if (message.kind === "batch") {
      framing.batches.push({ ...message, dictionariesBefore: framing.dictionaries.length });
    } else throw new DamagedFile("the stream has a second schema");
    at = message.bodyAt + message.bodyLength;
  }
  if (!schema) throw new DamagedFile("the stream has no schema");
  return { schema, ...framing };
}

/** Throws where something stands behind a stream's end marker that is more than padding: readers would not see it. */
function refuseMore(fd: number, end: number, size: number): void {
  for (let at = end + 4; at < size; at += 1 << 20) {
    const bytes = bytesAt(fd, at, Math.min(1 << 20, size - at));
    if (bytes.every((byte) => byte === 0)) continue;
    throw new DamagedFile(
      `the stream ends at byte ${end}, but the file has ${size} bytes: it is damaged, or two streams in one file`,
    );
  }
}

function frameFile(fd: number, size: number): Framing {
  const tail = size >= 24 ? bytesAt(fd, size - 10, 10) : undefined;
  if (tail?.toString("latin1", 4) !== MAGIC) throw new DamagedFile("the file has no footer: it is truncated");
  const footerLength = tail.readInt32LE(0);
  if (footerLength <= 0 || footerLength > size - 18) {
    throw new DamagedFile(`the footer claims ${footerLength} bytes in a file of ${size}`);
  }
  const footer = readFooter(bytesAt(fd, size - 10 - footerLength, footerLength));
  const at = (position: number, kind: MessagePlace["kind"]): MessagePlace => {
    const message = messageAt(fd, position, size);
    if (message === "end" || message.kind !== kind) throw new DamagedFile(`no ${kind} message at byte ${position}`);
    return message;
  };
  const dictionaries = footer.dictionaries.map((position) => at(position, "dictionary"));
  const batches = footer.batches.map((position) => ({
    ...at(position, "batch"),
    dictionariesBefore: dictionaries.length,
  }));
  verifyMessage(footer.schema);
  return { schema: footer.schema, dictionaries, batches };
}

function messageAt(fd: number, at: number, size: number): MessagePlace | "end" {
  if (at < 0 || at + 4 > size) throw new DamagedFile(`a message at byte ${at} lies beyond the end of the file`);
  const prefix = bytesAt(fd, at, Math.min(8, size - at));
  const first = prefix.readUInt32LE(0);
  if (first === CONTINUATION && prefix.length < 8) throw new DamagedFile("the file is truncated");
  const metadataLength = first === CONTINUATION ? prefix.readUInt32LE(4) : first; // streams before Arrow 0.15 have no marker
  if (metadataLength === 0) return "end";
  const metadataAt = at + (first === CONTINUATION ? 8 : 4);
  if (metadataAt + metadataLength > size) {
    throw new DamagedFile(`a message at byte ${at} claims ${metadataLength} bytes of metadata: truncated or not Arrow`);
  }
  const message = verifyMessage(bytesAt(fd, metadataAt, metadataLength));
  const bodyAt = metadataAt + metadataLength;
  if (bodyAt + message.bodyLength > size) {
    throw new DamagedFile(
      `the message at byte ${at} has ${message.bodyLength} bytes of data, the file only ${size - bodyAt}: truncated`,
    );
  }
  return { ...message, metadataAt, metadataLength, bodyAt };
}

/** Reads exactly `length` bytes, which the caller has checked to lie inside the file. */
function bytesAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  readInto(fd, at, bytes);
  return bytes;
}
