import type { KnownRules } from "./config.ts";
import { catalogue } from "../../selection/catalogue.ts";
import { comparisonArm, optionsSchema, ruleFromConfig } from "../../selection/rule-from-config.ts";

/** The catalogue as a configuration's schema needs it. */
export const knownRules: KnownRules = {
  methods: Object.keys(catalogue),
  optionsSchema,
  comparisonArm,
  demands: ruleFromConfig,
};
