"""Which servers there are: addresses come and go while calls are under way."""

import asyncio
from ipaddress import ip_address
from typing import Any

CALM = {"tfs_probe_timeout_s": 30}


def test_addresses_of_a_name_come_and_go(ground: Any) -> None:
    """A new pod gets calls; one that left gets none, but finishes what it has."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            hosts = [pods[0].host]

            async def resolve(host: str) -> list[Any]:
                return [ip_address(host) for host in hosts]

            running = await on.fleet(resolve=resolve, tfs=f"tfs:{pods[0].port}", **CALM)
            assert {"127.0.0.1"} == {await running.predict() for _ in range(2)}
            hosts.append(pods[1].host)
            await on.until(lambda: len(running.fleet.servers) == 2)
            assert {"127.0.0.1", "127.0.0.2"} == {await running.predict() for _ in range(2)}
            go_on = asyncio.Event()

            async def slow(request: bytes, context: Any) -> bytes:
                await go_on.wait()
                return b"slow"

            pods[0].answer = pods[1].answer = slow
            under_way = [asyncio.create_task(running.predict()) for _ in range(2)]
            leaver = running.server(pods[0])
            await on.until(lambda: leaver.busy == 1)
            hosts.remove(pods[0].host)
            await on.until(lambda: leaver.left)
            assert [pods[1].address] == [server.address for server in running.fleet.servers]
            pods[1].answer = None
            assert {"127.0.0.2"} == {await running.predict() for _ in range(4)}
            go_on.set()
            assert ["slow", "slow"] == await asyncio.gather(*under_way)
            await on.until(lambda: not leaver.at_work and not leaver._closing)

    asyncio.run(scenario())


def test_a_socket_file_leads_to_a_server(ground: Any) -> None:
    """For a server in the same pod."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(tfs=f"unix:{pods[0]._socket}", **CALM)
            assert "127.0.0.1" == await running.predict()
            assert [f"unix:{pods[0]._socket}"] == [server.address for server in running.fleet.servers]

    asyncio.run(scenario())


def test_an_ejection_asks_dns_at_once(ground: Any) -> None:
    """A pod that was replaced has another address."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            hosts = [pods[0].host]

            async def resolve(host: str) -> list[Any]:
                return [ip_address(host) for host in hosts]

            running = await on.fleet(
                resolve=resolve, tfs=f"tfs:{pods[0].port}", tfs_resolve_interval_s=3600, **CALM
            )
            await running.predict()
            hosts[:] = [pods[1].host]
            pods[0].kill()
            assert "127.0.0.2" == await running.predict()

    asyncio.run(scenario())
