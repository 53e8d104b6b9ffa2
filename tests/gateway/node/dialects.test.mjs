// Vendors' SDKs, unmodified, each before providers of every dialect: a text, a stream of it, and a loop with a tool.
import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import { Mistral } from "@mistralai/mistralai";
import { CohereClientV2 } from "cohere-ai";
import { Ollama } from "ollama";
import OpenAI from "openai";

import { ASKED, isWeather, KEY, MODELS, PLACE, ROOT, SCHEMA, TEXT } from "./polyglot.mjs";

const HI = [{ role: "user", content: "Hi" }];
const QUESTION = { role: "user", content: ASKED };
const FUNCTION = { type: "function", function: { name: "get_weather", parameters: SCHEMA } };

const openai = new OpenAI({ baseURL: `${ROOT}/v1`, apiKey: KEY, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: ROOT, apiKey: KEY, maxRetries: 0 });
const google = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: ROOT } });
const bedrock = new BedrockRuntimeClient({
  endpoint: ROOT,
  region: "us-east-1",
  credentials: { accessKeyId: KEY, secretAccessKey: KEY },
});
const cohere = new CohereClientV2({ token: KEY, environment: ROOT });
const mistral = new Mistral({ apiKey: KEY, serverURL: ROOT });
const ollama = new Ollama({ host: ROOT, headers: { authorization: `Bearer ${KEY}` } });

async function joined(stream, pick) {
  let text = "";
  for await (const event of stream) text += pick(event) ?? "";
  return text;
}

for (const model of MODELS) {
  test(`openai responses, ${model}`, async () => {
    const whole = await openai.responses.create({ model, input: "Hi" });
    assert.deepEqual([whole.output_text, whole.status, whole.usage.output_tokens], [TEXT, "completed", 3]);
    const streamed = await openai.responses.stream({ model, input: "Hi" }).finalResponse();
    assert.equal(streamed.output_text, TEXT);
    const tools = [{ type: "function", name: "get_weather", parameters: SCHEMA, strict: false }];
    const first = await openai.responses.create({ model, input: ASKED, tools });
    const call = first.output.find((item) => item.type === "function_call");
    isWeather(call.name, call.arguments);
    const input = [{ type: "function_call_output", call_id: call.call_id, output: "sunny" }];
    const second = await openai.responses.create({ model, input, tools, previous_response_id: first.id });
    assert.equal(second.output_text, TEXT);
  });

  test(`anthropic, ${model}`, async () => {
    const about = { model, max_tokens: 99 };
    const whole = await anthropic.messages.create({ ...about, messages: HI });
    assert.deepEqual([whole.content[0].text, whole.stop_reason, whole.usage.output_tokens], [TEXT, "end_turn", 3]);
    assert.equal(await anthropic.messages.stream({ ...about, messages: HI }).finalText(), TEXT);
    const counted = await anthropic.messages.countTokens({ model, messages: HI });
    assert.ok(counted.input_tokens > 0);
    const tools = [{ name: "get_weather", input_schema: SCHEMA }];
    const first = await anthropic.messages.stream({ ...about, messages: [QUESTION], tools }).finalMessage();
    assert.equal(first.stop_reason, "tool_use");
    const call = first.content.find((block) => block.type === "tool_use");
    isWeather(call.name, call.input);
    const result = { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny" }] };
    const messages = [QUESTION, { role: "assistant", content: first.content }, result];
    const second = await anthropic.messages.create({ ...about, messages, tools });
    assert.equal(second.content[0].text, TEXT);
  });

  test(`google, ${model}`, async () => {
    const whole = await google.models.generateContent({ model, contents: "Hi" });
    assert.deepEqual([whole.text, whole.candidates[0].finishReason], [TEXT, "STOP"]);
    const stream = await google.models.generateContentStream({ model, contents: "Hi" });
    assert.equal(await joined(stream, (chunk) => chunk.text), TEXT);
    const config = { tools: [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: SCHEMA }] }] };
    const first = await google.models.generateContent({ model, contents: ASKED, config });
    const [call] = first.functionCalls;
    isWeather(call.name, call.args);
    const functionResponse = { id: call.id, name: call.name, response: { output: "sunny" } };
    const contents = [
      { role: "user", parts: [{ text: ASKED }] },
      first.candidates[0].content,
      { role: "user", parts: [{ functionResponse }] },
    ];
    assert.equal((await google.models.generateContent({ model, contents, config })).text, TEXT);
  });

  test(`bedrock, ${model}`, async () => {
    const user = (...content) => ({ role: "user", content });
    const asked = { modelId: model, messages: [user({ text: "Hi" })] };
    const whole = await bedrock.send(new ConverseCommand(asked));
    assert.deepEqual([whole.output.message.content[0].text, whole.stopReason], [TEXT, "end_turn"]);
    const { stream } = await bedrock.send(new ConverseStreamCommand(asked));
    assert.equal(await joined(stream, (event) => event.contentBlockDelta?.delta.text), TEXT);
    const toolConfig = { tools: [{ toolSpec: { name: "get_weather", inputSchema: { json: SCHEMA } } }] };
    const messages = [user({ text: ASKED })];
    const first = await bedrock.send(new ConverseCommand({ modelId: model, messages, toolConfig }));
    const { toolUse } = first.output.message.content.find((block) => block.toolUse);
    isWeather(toolUse.name, toolUse.input);
    const toolResult = { toolUseId: toolUse.toolUseId, content: [{ text: "sunny" }] };
    messages.push(first.output.message, user({ toolResult }));
    const second = await bedrock.send(new ConverseCommand({ modelId: model, messages, toolConfig }));
    assert.equal(second.output.message.content[0].text, TEXT);
  });

  test(`bedrock invoke, ${model}`, { skip: model === "bedrock" && "a body of Claude's, a model that is not" }, async () => {
    const body = JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 99, messages: HI });
    const told = await bedrock.send(new InvokeModelCommand({ modelId: model, body }));
    assert.equal(JSON.parse(new TextDecoder().decode(told.body)).content[0].text, TEXT);
  });

  test(`cohere, ${model}`, async () => {
    const whole = await cohere.chat({ model, messages: HI });
    assert.deepEqual([whole.message.content[0].text, whole.finishReason], [TEXT, "COMPLETE"]);
    const stream = await cohere.chatStream({ model, messages: HI });
    const pick = (event) => event.type === "content-delta" && event.delta.message.content.text;
    assert.equal(await joined(stream, (event) => pick(event) || ""), TEXT);
    const first = await cohere.chat({ model, messages: [QUESTION], tools: [FUNCTION] });
    const [call] = first.message.toolCalls;
    isWeather(call.function.name, call.function.arguments);
    const messages = [QUESTION, first.message, { role: "tool", toolCallId: call.id, content: "sunny" }];
    const second = await cohere.chat({ model, messages, tools: [FUNCTION] });
    assert.equal(second.message.content[0].text, TEXT);
  });

  test(`mistral, ${model}`, async () => {
    const whole = await mistral.chat.complete({ model, messages: HI });
    assert.deepEqual([whole.choices[0].message.content, whole.choices[0].finishReason], [TEXT, "stop"]);
    const stream = await mistral.chat.stream({ model, messages: HI });
    assert.equal(await joined(stream, (event) => event.data.choices[0]?.delta.content), TEXT);
    const first = await mistral.chat.complete({ model, messages: [QUESTION], tools: [FUNCTION] });
    const [call] = first.choices[0].message.toolCalls;
    isWeather(call.function.name, call.function.arguments);
    const result = { role: "tool", toolCallId: call.id, name: "get_weather", content: "sunny" };
    const messages = [QUESTION, first.choices[0].message, result];
    const second = await mistral.chat.complete({ model, messages, tools: [FUNCTION] });
    assert.equal(second.choices[0].message.content, TEXT);
  });

  test(`ollama, ${model}`, async () => {
    const whole = await ollama.chat({ model, messages: HI });
    assert.deepEqual([whole.message.content, whole.done_reason, whole.eval_count], [TEXT, "stop", 3]);
    const stream = await ollama.chat({ model, messages: HI, stream: true });
    assert.equal(await joined(stream, (line) => line.message.content), TEXT);
    const first = await ollama.chat({ model, messages: [QUESTION], tools: [FUNCTION] });
    const [call] = first.message.tool_calls;
    isWeather(call.function.name, call.function.arguments);
    const messages = [QUESTION, first.message, { role: "tool", tool_name: "get_weather", content: `sunny in ${PLACE.city}` }];
    assert.equal((await ollama.chat({ model, messages, tools: [FUNCTION] })).message.content, TEXT);
  });
}
