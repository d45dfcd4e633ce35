import { formatDuration, terminalNumber, formatShare } from "../../report/format.ts";
import { createProgress } from "../../report/progress.ts";
import type { Interruption } from "../../system/interruption.ts";
import type { TextStream } from "../../system/streams.ts";
import type { RowFile } from "./row-file.ts";
import { scoreRows, type RowFacts, type ScoreOptions } from "./score-rows.ts";

/** Scores and writes; whatever goes wrong, no part of a file stays. */
export async function writeRows(
  file: RowFile,
  about: { options: Omit<ScoreOptions, "onRows">; out: string; interruption: Interruption; stderr: TextStream },
): Promise<void> {
  const { options, out, interruption, stderr } = about;
  const { tokens } = options;
  const progress = createProgress({ stream: stderr, total: tokens.length, label: "scoring" });
  const start = performance.now();
  const gated = gateTotals();
  let [done, kept] = [0, 0];
  try {
    const onRows = async (rows: number): Promise<void> => {
      progress.update({ step: (done += rows) });
      await interruption.check();
    };
    for await (const row of scoreRows({ ...options, onRows })) {
      file.add(row);
      gated.add(row);
      kept += row.weights.reduce((count, weight, t) => count + Number(weight !== 0 && row.response[t] === 1), 0);
    }
    file.finish();
  } finally {
    progress.done();
    file.abandon();
  }
  const seconds = (performance.now() - start) / 1000;
  const { tokens: all, responseTokens } = tokens.stats;
  const share = `${formatShare(kept / responseTokens, 1)} of the response tokens have a weight`;
  const pace = `${formatDuration(seconds)}, ${terminalNumber(Math.round(all / seconds))} tokens/s`;
  stderr.write(`${out}: ${terminalNumber(tokens.length)} rows, ${terminalNumber(all)} tokens, ${share}; ${pace}\n`);
  const gates = gated.text();
  if (gates !== undefined) stderr.write(`${gates}\n`);
}

/** What the gates did, over all rows. */
function gateTotals(): { add(row: RowFacts): void; text(): string | undefined } {
  const sums = { tokens: 0, predicted: 0, kept: 0, gated: 0, full: 0 };
  return {
    add({ gatedNll, keptHeadShare, nll, response }) {
      if (gatedNll === undefined || keptHeadShare === undefined) return;
      sums.tokens += response.length;
      sums.kept += keptHeadShare.reduce((sum, share) => sum + share, 0);
      for (let t = 1; t < response.length; t++) {
        if (!response[t]) continue;
        sums.predicted++;
        sums.gated += gatedNll[t]!;
        sums.full += nll[t]!;
      }
    },
    text() {
      const { tokens, predicted, kept, gated, full } = sums;
      if (tokens === 0) return undefined;
      const [under, without] = [gated, full].map((sum) => terminalNumber(predicted === 0 ? NaN : sum / predicted));
      const share = `the gates keep ${formatShare(kept / tokens, 1)} of all entries`;
      return `${share}; mean loss of response tokens ${under}, with nothing evicted ${without}`;
    },
  };
}
