"""Agent frameworks, unmodified, as clients of the gateway; ``test_frameworks.py`` runs this, one framework a process.

Each asks in a client's dialect, runs the tool that is called, and goes on with its result. A line is printed for each
loop: the client's dialect, the model, what the tool was asked, and the last answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.gateway.polyglot import ASKED, KINDS

ONCE: dict[str, Any] = {"max_retries": 0}


class Tool:
    """The weather, and where it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_weather(self, city: str) -> str:
        """The weather in a city."""
        self.asked.append(city)
        return f"sunny in {city}"


class At:
    """Where a framework finds its model."""

    def __init__(self, root: str, key: str, client: str, model: str) -> None:
        self.root, self.key, self.client, self.model = root, key, client, model


# LangChain --------------------------------------------------------------------------------------------------------


def langchain(at: At, tool: Tool) -> str:
    """``create_agent``."""
    from langchain.agents import create_agent

    agent: Any = create_agent(_chain(at), [tool.get_weather])
    return str(agent.invoke({"messages": [{"role": "user", "content": ASKED}]})["messages"][-1].text)


def _chain(at: At) -> Any:
    if at.client.startswith("openai"):
        from langchain_openai import ChatOpenAI

        by_responses = at.client == "openai_responses"
        about = {"api_key": at.key, "model": at.model, "use_responses_api": by_responses} | ONCE
        return ChatOpenAI(base_url=f"{at.root}/v1", **about)
    if at.client == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(base_url=at.root, api_key=at.key, model_name=at.model, max_tokens=99, **ONCE)
    from langchain_google_genai import ChatGoogleGenerativeAI

    return ChatGoogleGenerativeAI(base_url=at.root, api_key=at.key, model=at.model, **ONCE)


# LlamaIndex -------------------------------------------------------------------------------------------------------


def llamaindex(at: At, tool: Tool) -> str:
    """``FunctionAgent``, which streams."""
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.llms.ollama import Ollama
    from ollama import AsyncClient, Client

    about: Any = {"host": at.root, "headers": {"authorization": f"Bearer {at.key}"}}
    asking = Ollama(model=at.model, client=Client(**about), async_client=AsyncClient(**about), context_window=8192)

    async def run() -> str:
        return str(await FunctionAgent(tools=[tool.get_weather], llm=asking).run(ASKED))

    return asyncio.run(run())


# OpenAI's agents --------------------------------------------------------------------------------------------------


def openai_agents(at: At, tool: Tool) -> str:
    """``Runner.run``."""
    return asyncio.run(_run_agent(at, tool, streamed=False))


def openai_agents_streamed(at: At, tool: Tool) -> str:
    """``Runner.run_streamed``."""
    return asyncio.run(_run_agent(at, tool, streamed=True))


async def _run_agent(at: At, tool: Tool, *, streamed: bool) -> str:
    import agents
    from openai import AsyncOpenAI

    agents.set_tracing_disabled(disabled=True)
    by_responses = at.client == "openai_responses"
    kind: Any = agents.OpenAIResponsesModel if by_responses else agents.OpenAIChatCompletionsModel
    async with AsyncOpenAI(base_url=f"{at.root}/v1", api_key=at.key, **ONCE) as vendor:
        asking = kind(model=at.model, openai_client=vendor)
        agent = agents.Agent(name="a", model=asking, tools=[agents.function_tool(tool.get_weather)])
        if not streamed:
            return str((await agents.Runner.run(agent, ASKED)).final_output)
        running = agents.Runner.run_streamed(agent, ASKED)
        async for _ in running.stream_events():
            pass
        return str(running.final_output)


# pydantic-ai ------------------------------------------------------------------------------------------------------


def pydantic_ai(at: At, tool: Tool) -> str:
    """``Agent.run``."""
    from pydantic_ai import Agent

    async def run() -> str:
        agent: Any = Agent(_typed(at), tools=[tool.get_weather])
        return str((await agent.run(ASKED)).output)

    return asyncio.run(run())


def _typed(at: At) -> Any:
    if at.client.startswith("openai"):
        from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        kind: Any = OpenAIResponsesModel if at.client == "openai_responses" else OpenAIChatModel
        return kind(at.model, provider=OpenAIProvider(base_url=f"{at.root}/v1", api_key=at.key))
    if at.client == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(at.model, provider=AnthropicProvider(base_url=at.root, api_key=at.key))
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(at.model, provider=GoogleProvider(base_url=at.root, api_key=at.key))


# The dialects that each can ask in.
OPENAI = ("openai_chat", "openai_responses")
FRAMEWORKS = {
    "langchain": (langchain, (*OPENAI, "anthropic", "gemini")),
    "llamaindex": (llamaindex, ("ollama",)),
    "openai_agents": (openai_agents, OPENAI),
    "openai_agents_streamed": (openai_agents_streamed, OPENAI),
    "pydantic_ai": (pydantic_ai, (*OPENAI, "anthropic", "gemini")),
}


def main(framework: str, root: str, key: str) -> None:
    """Run every loop of a framework."""
    loop, clients = FRAMEWORKS[framework]
    for client in clients:
        for model in KINDS:
            tool = Tool()
            said = loop(At(root, key, client, model), tool)
            sys.stdout.write(json.dumps([client, model, tool.asked, said]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
