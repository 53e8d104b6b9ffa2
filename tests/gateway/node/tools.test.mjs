import assert from "node:assert/strict";
import { test } from "node:test";

import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { ASK, client } from "./gateway.mjs";

const openai = client();
const parameters = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["C", "F"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};
const weather = { type: "function", function: { name: "weather", parameters, strict: true } };
const CALL = { model: "demo", messages: ASK, tools: [weather], tool_choice: "required" };

test("a tool is called and its result taken", async () => {
  const { choices } = await openai.chat.completions.create(CALL);
  assert.equal(choices[0].finish_reason, "tool_calls");
  const [call] = choices[0].message.tool_calls;
  assert.equal(call.function.name, "weather");
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ["city", "unit"]);
  const result = { role: "tool", tool_call_id: call.id, content: "Fair, 21 C." };
  const messages = [...ASK, choices[0].message, result];
  const answer = await openai.chat.completions.create({ model: "demo", messages, tools: [weather] });
  assert.ok(answer.choices[0].message.content);
});

test("a streamed tool call", async () => {
  const runner = openai.chat.completions.stream(CALL);
  const { choices } = await runner.finalChatCompletion();
  const [call] = choices[0].message.tool_calls;
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ["city", "unit"]);
});

test("tools are run by the SDK until there is an answer", async () => {
  const asked = [];
  const run = (given) => asked.push(given) && "Fair, 21 C.";
  const tool = { type: "function", function: { ...weather.function, function: run, parse: JSON.parse } };
  const runner = openai.chat.completions.runTools({ model: "demo", messages: ASK, tools: [tool] });
  assert.ok(await runner.finalContent());
  assert.ok(asked.every((given) => given.city));
});

const Weather = z.object({ city: z.string(), degrees: z.number().int(), rainy: z.boolean(), days: z.array(z.string()) });
const FORMAT = { model: "demo", messages: ASK, response_format: zodResponseFormat(Weather, "weather") };

test("a schema is kept to", async () => {
  const { choices } = await openai.chat.completions.parse(FORMAT);
  assert.equal(typeof choices[0].message.parsed.degrees, "number");
});

test("a schema is kept to in a stream", async () => {
  const { choices } = await openai.chat.completions.stream(FORMAT).finalChatCompletion();
  assert.ok(Array.isArray(choices[0].message.parsed.days));
});
