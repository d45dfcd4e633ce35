/** A number of a log for TensorBoard: a tag's part before `/` is its group on the page, `time` are seconds since 1970. */
export type Scalar = Readonly<Record<"step" | "time" | "value", number>> & { readonly tag: string };

/**
 * The bytes of a TensorBoard event file: TFRecords of `tensorflow.Event` messages, the first of which names the version.
 * https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto and, of the records,
 * https://www.tensorflow.org/tutorials/load_data/tfrecord
 */
export function eventFile(scalars: readonly Scalar[]): Buffer {
  const first = [double(1, scalars[0]?.time ?? 0), bytes(3, Buffer.from("brain.Event:2"))];
  return Buffer.concat([first, ...scalars.map(eventOf)].map((event) => record(Buffer.concat(event))));
}

/** `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }` */
function eventOf({ tag, step, time, value }: Scalar): Buffer[] {
  const number = Buffer.alloc(5, (2 << 3) | 5);
  number.writeFloatLE(value, 1);
  const summary = bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), number]));
  const at = step === 0 ? [] : [Buffer.of(2 << 3), varint(step)]; // a 0 is left out, as by every writer of proto3
  return [double(1, time), ...at, bytes(5, summary)];
}

/** The message's length in 8 bytes, their checksum, the message, its checksum. */
function record(message: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeUInt32LE(message.length);
  return Buffer.concat([length, maskedCrc(length), message, maskedCrc(message)]);
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0x82f63b78 : byte >>> 1; // Castagnoli's polynomial
  return byte;
});

/** CRC-32C, turned by 15 bits and with a constant added. */
function maskedCrc(content: Buffer): Buffer {
  let crc = ~0;
  for (const byte of content) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  crc = ~crc;
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

function double(field: number, value: number): Buffer {
  const written = Buffer.alloc(9, (field << 3) | 1);
  written.writeDoubleLE(value, 1);
  return written;
}

function bytes(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of((field << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const digits: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) digits.push((value % 128) | 128);
  return Buffer.from([...digits, value]);
}
