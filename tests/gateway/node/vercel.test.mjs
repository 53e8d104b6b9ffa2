// Vercel's AI SDK, unmodified: a loop with a tool, asked in the dialects of its providers' packages.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { ASKED, KEY, MODELS, PLACE, ROOT, TEXT } from "./polyglot.mjs";

const openai = createOpenAI({ baseURL: `${ROOT}/v1`, apiKey: KEY });
const CLIENTS = {
  "openai chat": openai.chat,
  "openai responses": openai.responses,
  anthropic: createAnthropic({ baseURL: `${ROOT}/v1`, apiKey: KEY }),
  google: createGoogleGenerativeAI({ baseURL: `${ROOT}/v1beta`, apiKey: KEY }),
};

for (const [client, model] of Object.entries(CLIENTS)) {
  for (const name of MODELS) {
    test(`${client}, ${name}`, async () => {
      const asked = [];
      const weather = tool({
        description: "The weather in a city.",
        inputSchema: z.object({ city: z.string() }),
        execute: (place) => asked.push(place) && "sunny",
      });
      const loop = { prompt: ASKED, tools: { get_weather: weather }, stopWhen: stepCountIs(3), maxRetries: 0 };
      const whole = await generateText({ model: model(name), ...loop });
      assert.deepEqual([whole.text, whole.finishReason, whole.steps.length], [TEXT, "stop", 2]);
      assert.equal(whole.steps[1].usage.outputTokens, 3);
      const streamed = streamText({ model: model(name), ...loop });
      let text = "";
      for await (const piece of streamed.textStream) text += piece;
      assert.deepEqual([text, await streamed.finishReason], [TEXT, "stop"]);
      assert.deepEqual(asked, [PLACE, PLACE]);
    });
  }
}
