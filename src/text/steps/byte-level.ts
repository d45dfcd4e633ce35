let next = 256;
/** The character that stands for each byte in a byte-level vocabulary, as GPT-2 chose them. */
const ofByte = Array.from({ length: 256 }, (_, byte) => {
  const isShown = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  return String.fromCharCode(isShown ? byte : next++);
});
const byteOf = new Map(ofByte.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();

export function toBytesAsText(text: string): string {
  let written = "";
  for (const byte of encoder.encode(text)) written += ofByte[byte];
  return written;
}

/** The bytes that a token stands for; those of its own text if a character of it stands for none. */
export function bytesOf(token: string): Uint8Array | number[] {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOf.get(character);
    if (byte === undefined) return encoder.encode(token);
    bytes.push(byte);
  }
  return bytes;
}
