import { Type } from "@sinclair/typebox";
import { largestInteger } from "./schema.ts";

export const count = (description: string, options: { default?: number; minimum?: number; maximum?: number } = {}) =>
  Type.Integer({ minimum: 1, maximum: largestInteger, ...options, description });
export const amount = (
  description: string,
  options: { default?: number; maximum?: number; exclusiveMaximum?: number } = {},
) => Type.Number({ minimum: 0, ...options, description });
export const onOff = (description: string, value: boolean) => Type.Boolean({ default: value, description });
