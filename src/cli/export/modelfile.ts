import { basename, extname } from "node:path";

/** The path of the Modelfile beside a GGUF file. */
export function modelfilePath(gguf: string): string {
  return `${gguf.slice(0, -extname(gguf).length)}.Modelfile`;
}

/**
 * A Modelfile with which Ollama takes up a GGUF file that lies beside it
 * (https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx). It has no TEMPLATE, as Ollama makes one of the chat
 * template in the GGUF file.
 * @param ends texts at which an answer ends
 */
export function modelfile(gguf: string, ends: readonly string[]): string {
  const stops = ends.filter((end) => !end.includes('"""')).map((end) => `PARAMETER stop ${quoted(end)}\n`);
  return `FROM ${plain(`./${basename(gguf)}`)}\n${stops.join("")}`;
}

/** Within three quotes everything stands for itself. */
function quoted(text: string): string {
  return /["\n]/.test(text) ? `"""${text}"""` : `"${text}"`;
}

function plain(path: string): string {
  return /\s|"/.test(path) ? quoted(path) : path;
}
