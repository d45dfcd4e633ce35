import { openAtomicFile, writeFully, type AtomicFile } from "../../data/atomic.ts";
import { ggufBytes } from "../../model/gguf-file.ts";
import { writeGguf, type GgufContents } from "../../model/weights/gguf-write.ts";
import { createProgress } from "../../report/progress.ts";
import type { TextStream } from "../../system/streams.ts";

export interface Written {
  /** Of the GGUF file. */
  readonly bytes: number;
}

/**
 * Writes a GGUF file and the texts of others. They get their names when all are complete; whatever goes wrong before, no
 * part of a file stays.
 * @param about `check` is called between parts, and may throw to end it
 */
export async function writeFiles(
  path: string,
  contents: GgufContents,
  about: { texts: ReadonlyMap<string, string>; stderr: TextStream; check(): Promise<void> },
): Promise<Written> {
  const { texts, stderr, check } = about;
  const total = Math.ceil(ggufBytes(contents) / 1e6) + 1;
  const progress = stderr.isTTY ? createProgress({ stream: stderr, total, label: "writing MB" }) : undefined;
  const files: AtomicFile[] = [];
  let bytes = 0;
  try {
    const file = openAtomicFile(path);
    files.push(file);
    await writeGguf(contents, async (part) => {
      writeFully(file.fd, part);
      bytes += part.length;
      progress?.update({ step: Math.min(total, Math.ceil(bytes / 1e6)) });
      await check();
    });
    for (const [name, text] of texts) {
      const other = openAtomicFile(name);
      files.push(other);
      writeFully(other.fd, Buffer.from(text));
    }
    for (const each of files) each.commit();
  } finally {
    progress?.done();
    for (const each of files) each.abandon();
  }
  return { bytes };
}
