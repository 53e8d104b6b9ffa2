// Where the gateway before providers of every dialect is, and what is asked of it.
import assert from "node:assert/strict";

export const { DRAGOMAN_ROOT: ROOT, DRAGOMAN_KEY: KEY } = process.env;
export const MODELS = process.env.DRAGOMAN_MODELS.split(",");
export const ASKED = "What is the weather?";
export const TEXT = "Hello.";
export const PLACE = { city: "Paris" };
export const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

export function isWeather(name, args) {
  assert.equal(name, "get_weather");
  assert.deepEqual(typeof args === "string" ? JSON.parse(args) : args, PLACE);
}
