// npm run build:explorer
//
// Bundles what runs in a report's page, src/report/explorer/browser/main.ts with the rules that it asks, into
// src/report/explorer/script.min.ts.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const folder = join(import.meta.dirname, "../src/report/explorer");

/** The file as it has to be. */
export async function explorerSource(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(folder, "browser/main.ts")],
    ...{ bundle: true, minify: true, write: false, platform: "browser", format: "iife", target: "es2022" },
    ...{ charset: "ascii", legalComments: "none", logLevel: "warning" },
  });
  // never the end of the element that holds it
  const script = outputFiles[0]!.text.trimEnd().replaceAll("</", "<\\/").replaceAll("<!--", "<\\!--");
  return `/** What runs in a report's page. Written by \`npm run build:explorer\`. */\nexport const explorerScript = ${JSON.stringify(script)};\n`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(join(folder, "script.min.ts"), await explorerSource());
