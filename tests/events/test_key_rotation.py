"""`keys rotate` re-encrypts the secrets of endpoints, and deliveries go on."""

from __future__ import annotations

from connector.encryption import EncryptionKey, TokenCipher
from connector.maintenance import KeyRotation
from tests.manual_clock import ManualClock

from .harness import CIPHER_KEY, EventsUnderTest, events_on
from .receiver import Receiver


async def test_after_a_rotation_the_new_key_alone_signs_with_the_same_secret(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    new_key = EncryptionKey.generate("k2")
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    await events.endpoints.send_test(endpoint_id)
    rotation = KeyRotation(store=events.store, cipher=TokenCipher((new_key, CIPHER_KEY)))
    assert await rotation.count_outdated() == 1
    report = await rotation.run(on_progress=lambda _: None)
    assert (report.rows, report.undecryptable) == (1, {})
    assert await rotation.count_by_key() == {"k2": 1}
    async with events_on(events.store, clock, cipher=TokenCipher((new_key,))) as rotated:
        await rotated.endpoints.send_test(endpoint_id)
        await rotated.write_events()
        await rotated.deliver()
    assert [event.json["type"] for event in receiver.received[1:]] == [
        "endpoint.test",
        "connection.connected",
    ]
