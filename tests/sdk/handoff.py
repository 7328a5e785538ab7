"""A complete handoff with the published Python client, unchanged, over two replicas.

    handoff.py URL URL...

Each agent alternates between the replicas from call to call, so that whatever one of them kept to itself would show.
Leaves with 0 when everything held, with a traceback and 1 when something did not. Run by tests/it/fleet/python_sdk.rs.
"""

import itertools
import secrets
import sys

from backchannel_sdk import BackchannelClient
from backchannel_sdk.client import BackchannelError


class Agent:
    """One key and a client for each replica; `next()` gives them in turn."""

    def __init__(self, label, urls, first):
        # The replica that mints the key is not the one that sees it first.
        issued = BackchannelClient.issue_key(label, base_url=urls[first])
        assert issued["agent_label"] == label, issued
        assert issued["key"].startswith(issued["key_id"] + "."), "a key is its id and its secret"
        self.label = label
        self.key_id = issued["key_id"]
        clients = [BackchannelClient(issued["key"], base_url=url) for url in urls]
        self._turn = itertools.cycle(clients[first + 1 :] + clients[: first + 1])

    def next(self):
        return next(self._turn)


def refused(status, error, call, *args, **kwargs):
    """The call must be refused in exactly this way."""
    try:
        answer = call(*args, **kwargs)
    except BackchannelError as refusal:
        assert (refusal.status, refusal.error) == (status, error), f"expected {status} {error}, got {refusal}"
        assert refusal.message, "a refusal has words"
        return
    raise AssertionError(f"expected {status} {error}, was answered {answer}")


def main(urls):
    run = secrets.token_hex(6)
    producer = Agent(f"producer-{run}", urls, 0)
    first = Agent(f"first-consumer-{run}", urls, 1 % len(urls))
    second = Agent(f"second-consumer-{run}", urls, 0)

    channel = producer.next().create_channel(f"tasks-{run}", mode="claimable", description="a handoff")
    assert channel["mode"] == "claimable" and channel["access"] == "open", channel
    for agent in (producer, first, second):
        assert agent.next().get_channel(channel["id"])["name"] == f"tasks-{run}"

    sent = producer.next().send_message(
        channel["id"], "process invoice #123", actor_label="producer", metadata={"invoice": 123}
    )
    assert sent["content"] == "process invoice #123" and sent["metadata"] == {"invoice": 123}, sent

    # Every replica shows it, and a reader that goes on from the cursor does not see it again.
    for _ in urls:
        page = first.next().list_messages(channel["id"], since="0")
        assert [message["id"] for message in page["data"]] == [sent["id"]], page
        after = first.next().list_messages(channel["id"], since=page["next_cursor"], limit=10)
        assert after["data"] == [], after

    # A retry after a lost answer, at the other replica: one message.
    for _ in urls:
        again = producer.next().send_message(
            channel["id"], "once only", actor_label="producer", idempotency_key=f"retry-{run}"
        )
    page = second.next().list_messages(channel["id"], since=sent["created_at"])
    assert [message["id"] for message in page["data"]] == [again["id"]], page

    claim = first.next().claim_message(sent["id"], actor="first")
    assert claim["status"] == "claimed", claim
    assert claim["message"]["claimed_by_key_id"] == first.key_id, claim
    for _ in urls:
        refused(409, "already_claimed", second.next().claim_message, sent["id"], actor="second")
        refused(409, "already_claimed", second.next().ack_message, sent["id"], actor="second")

    ack = first.next().ack_message(sent["id"], actor="first", metadata={"result": "paid"})
    assert ack["status"] == "acknowledged", ack
    assert first.next().ack_message(sent["id"], actor="first")["status"] == "already_acknowledged"

    # The producer sees who did it, at every replica.
    for _ in urls:
        page = producer.next().list_messages(channel["id"], since="0")
        done = next(message for message in page["data"] if message["id"] == sent["id"])
        assert [actor["name"] for actor in done["acknowledged_by"]] == ["first"], done

    # A consumer that waits is woken by a post made elsewhere.
    cursor = page["next_cursor"]
    empty = second.next().list_messages(channel["id"], since=cursor, wait=0.2)
    assert empty["data"] == [], empty
    producer.next().send_message(channel["id"], "one more", actor_label="producer")
    found = second.next().poll_until_message(channel["id"], since=cursor, max_polls=1)
    assert found is not None and found["content"] == "one more", found

    refused(401, "unauthorized", BackchannelClient("nonsense", base_url=urls[0]).get_channel, channel["id"])
    refused(409, "label_in_use", BackchannelClient.issue_key, producer.label, base_url=urls[-1])
    print(f"handoff over {len(urls)} replicas: ok")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
