import { Type } from "@sinclair/typebox";
import { amount, count, samplingGroup } from "../../config/groups.ts";
import { choice, existingPath, group } from "../../config/schema.ts";

/** How an iteration's responses come about: drawn, of which questions, or replayed. */
export const orealSampling = group(
  {
    questionsPerStep: count("Questions of an iteration.", { default: 16 }),
    ...samplingGroup({ samples: 8, maxNewTokens: 256 }).properties,
    passRates: Type.Optional(
      group(
        {
          from: existingPath("A run of OREAL, or an Arrow file of judged responses, to the questions of data.train."),
          least: amount("Questions of a lower pass rate are left out.", { default: 0, maximum: 1 }),
          most: amount("Questions of a higher pass rate are left out.", { default: 1, maximum: 1 }),
          repeat: choice(["none", "released"], {
            default: "none",
            description:
              "released: in an epoch a question is asked 6 times where its pass rate is below .2, 4 times below .6, twice " +
              "below .8, else not at all; none: each once.",
          }),
        },
        { description: "Asks questions by how often they were answered right before." },
      ),
    ),
    dynamic: Type.Optional(
      group(
        {
          maxRounds: count("Rounds of drawing at most, each of questionsPerStep questions.", {
            minimum: 2,
            default: 10,
          }),
        },
        {
          description:
            "Dynamic sampling (DAPO): draws on until questionsPerStep questions have right and wrong responses, which alone " +
            "are learnt from. Of objectives that keep pair or all.",
        },
      ),
    ),
    replay: Type.Optional(
      existingPath("A finished run whose stored responses are learnt from, arm by arm, instead of drawing new ones."),
    ),
  },
  { default: {}, description: "How responses are drawn from the policy." },
);
