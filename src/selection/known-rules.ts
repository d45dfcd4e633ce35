import type { KnownRules } from "../config/index.ts";
import { catalogue } from "./catalogue.ts";
import { comparisonArm, optionsSchema, ruleFromConfig } from "./rule-from-config.ts";

/** The catalogue as a configuration's schema needs it. */
export const knownRules: KnownRules = {
  methods: Object.keys(catalogue),
  optionsSchema,
  comparisonArm,
  demands: ruleFromConfig,
};
