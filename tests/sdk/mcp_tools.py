"""The published MCP server, unchanged, over stdio, against one URL with several replicas behind it.

    mcp_tools.py URL PART...

PART is `handoff` (tools, key, post_task, claim_task, await_result, broadcast, subscribe) or `discovery` (list_channels, request_access).
Leaves with 0 when everything held, with a traceback and 1 when something did not. Run by tests/it/fleet/mcp.rs.
"""

import asyncio
import json
import pathlib
import secrets
import sys
import tempfile

from backchannel_mcp.client import BackchannelClient, load_persisted_key
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

TOOLS = {
    "post_task", "broadcast", "claim_task", "subscribe", "await_result", "list_channels", "request_access", "issue_key",
}  # fmt: skip


class Assistant:
    """One MCP server process with a home, and so a key, of its own."""

    def __init__(self, url, label):
        self.home = tempfile.TemporaryDirectory()
        env = {"BACKCHANNEL_BASE_URL": url, "BACKCHANNEL_AGENT_LABEL": label, "HOME": self.home.name, "NO_PROXY": "*"}
        program = str(pathlib.Path(sys.executable).with_name("backchannel-mcp"))
        self.parameters = StdioServerParameters(command=program, args=["--log-level", "ERROR"], env=env)

    async def __aenter__(self):
        self.transport = stdio_client(self.parameters)
        self.session = ClientSession(*await self.transport.__aenter__())
        await self.session.__aenter__()
        await self.session.initialize()
        return self

    async def __aexit__(self, *why):
        await self.session.__aexit__(*why)
        await self.transport.__aexit__(*why)
        self.home.cleanup()

    def key(self):
        return load_persisted_key(pathlib.Path(self.home.name) / ".config/backchannel/key")

    async def text(self, tool, **arguments):
        answer = await self.session.call_tool(tool, arguments)
        assert not answer.isError, answer
        return answer.content[0].text

    async def call(self, tool, **arguments):
        said = await self.text(tool, **arguments)
        assert said.startswith("{"), f"{tool} {arguments}: {said}"
        return json.loads(said)


async def handoff(url, run):
    async with Assistant(url, f"mcp-producer-{run}") as producer, Assistant(url, f"mcp-worker-{run}") as worker:
        listed = await producer.session.list_tools()
        assert {tool.name for tool in listed.tools} == TOOLS, listed

        # The first call mints a key and keeps it.
        assert producer.key() is None
        posted = await producer.call(
            "post_task", channel=f"reviews-{run}", content="review it", metadata={"number": 7}, actor_label="producer"
        )
        key, channel, message = producer.key(), posted["channel"], posted["message_id"]
        assert key.startswith("bck_") and channel.startswith("ch_") and message.startswith("msg_"), posted
        assert posted["envelope"]["message"]["metadata"] == {"number": 7}, posted
        # A second one goes to the same channel, under the same key.
        again = await producer.call("post_task", channel=f"reviews-{run}", content="and this one")
        assert again["channel"] == channel and producer.key() == key, again
        minted = await producer.call("issue_key", agent_label=f"co-agent-{run}")
        assert minted["key"] != key and minted["agent_label"] == f"co-agent-{run}", minted

        # Each agent gets a task of its own, a third one none.
        first = await worker.call("claim_task", channel=channel, actor=f"worker-{run}")
        second = await producer.call("claim_task", channel=channel, actor=f"second-{run}")
        none = await producer.call("claim_task", channel=channel, actor=f"third-{run}")
        assert (first["message"]["id"], second["message"]["id"]) == (message, again["message_id"]), (first, second)
        assert (first["claimed"]["status"], none["claimed"]) == ("claimed", None), (first, none)

        late = await producer.call("await_result", channel=channel, message_id=message, timeout_seconds=1)
        assert late["status"] == "timeout", late
        waiting = asyncio.create_task(
            producer.call("await_result", channel=channel, message_id=message, timeout_seconds=30)
        )
        async with BackchannelClient(worker.key(), base_url=url) as client:
            acked = await client.ack_message(message, actor=f"worker-{run}")
        assert acked["status"] == "acknowledged", acked
        done = await waiting
        assert done["status"] == "acknowledged", done
        assert [actor["name"] for actor in done["message"]["acknowledged_by"]] == [f"worker-{run}"], done

        sent = await producer.call("broadcast", channel=f"news-{run}", content="all done", actor_label="producer")
        news = sent["message"]["channel_id"]
        page = await worker.call("subscribe", channel=news)
        assert [m["content"] for m in page["data"]] == ["all done"], page
        assert (await worker.call("subscribe", channel=news, since=page["next_cursor"], limit=5))["data"] == []

        # A refusal reaches the model in words, with the page that explains it.
        said = await worker.text("subscribe", channel=f"no-such-channel-{run}")
        assert "404 channel_not_found" in said and "/docs/errors.md#channel-not-found" in said, said


async def discovery(url, run):
    async with Assistant(url, f"mcp-owner-{run}") as owner, Assistant(url, f"mcp-guest-{run}") as guest:
        opened = await owner.call("post_task", channel=f"open-lane-{run}", content="a task")
        async with BackchannelClient(owner.key(), base_url=url) as client:
            lobby = await client.create_channel(f"lobby-{run}", access="restricted", discoverable=True)
        listed = await guest.call("list_channels", limit=100)
        found = {channel["id"]: channel for channel in listed["data"]}
        assert found[opened["channel"]]["access"] == "open", listed
        assert (found[lobby["id"]]["access"], found[lobby["id"]]["is_member"]) == ("restricted", False), listed
        first = await guest.call("list_channels", limit=1)
        assert len(first["data"]) == 1 and first["next_cursor"], first
        second = await guest.call("list_channels", limit=1, cursor=first["next_cursor"])
        assert second["data"] and second["data"][0]["id"] != first["data"][0]["id"], (first, second)

        asked = await guest.call("request_access", channel=lobby["id"], reason="to help")
        assert asked["status"] == "pending" and asked["request_id"], asked
        assert (await guest.call("request_access", channel=opened["channel"]))["status"] == "open"


async def main(url, parts):
    known = {"handoff": handoff, "discovery": discovery}
    for part in parts:
        await known[part](url, secrets.token_hex(6))
        print(f"{part}: ok")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
