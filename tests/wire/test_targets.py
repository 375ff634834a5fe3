"""`--tfs` takes gRPC's own forms of addresses; anything else stops the start with what to write instead."""

import pytest

from pictor_tfs.targets import Address, DnsName, InvalidTarget, parse_targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dns:///tfs.models.svc:8500", [DnsName("tfs.models.svc", 8500)]),
        ("dns:tfs:9000", [DnsName("tfs", 9000)]),
        ("DNS:///tfs", [DnsName("tfs", 8500)]),
        ("dns:9000", [DnsName("dns", 9000)]),
        ("tfs", [DnsName("tfs", 8500)]),
        ("tfs.models.svc.cluster.local.:8500", [DnsName("tfs.models.svc.cluster.local.", 8500)]),
        ("tf_serving:8500", [DnsName("tf_serving", 8500)]),
        ("a:1, b:2 ,", [DnsName("a", 1), DnsName("b", 2)]),
        ("a,a:8500,dns:///a", [DnsName("a", 8500)]),
        ("1.2.3.4", [Address("ipv4:1.2.3.4:8500", "1.2.3.4:8500")]),
        ("dns:///1.2.3.4:7", [Address("ipv4:1.2.3.4:7", "1.2.3.4:7")]),
        (
            "ipv4:1.2.3.4:8500,5.6.7.8:8501",
            [
                Address("ipv4:1.2.3.4:8500", "1.2.3.4:8500"),
                Address("ipv4:5.6.7.8:8501", "5.6.7.8:8501"),
            ],
        ),
        (
            "ipv6:[::1]:8500,[FD00::0001]",
            [Address("ipv6:[::1]:8500", "[::1]:8500"), Address("ipv6:[fd00::1]:8500", "[fd00::1]:8500")],
        ),
        ("[::1]:8500", [Address("ipv6:[::1]:8500", "[::1]:8500")]),
        ("unix:/run/tfs.sock", [Address("unix:/run/tfs.sock", "unix:/run/tfs.sock")]),
        ("unix:///run/tfs.sock", [Address("unix:/run/tfs.sock", "unix:/run/tfs.sock")]),
    ],
)
def test_every_form_that_grpc_has_is_read(text: str, expected: list[object]) -> None:
    """Port 8500 is TensorFlow Serving's own; what is named twice counts once."""
    assert expected == list(parse_targets(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no server is named"),
        (" , ", "no server is named"),
        ("http://tfs:8501/v1/models", "write the gRPC address alone, as 'tfs:8501'"),
        ("https://tfs", "--tfs-tls=true"),
        ("grpc://tfs:8500", "as 'tfs:8500'"),
        ("xds:///tfs", "the scheme 'xds', which is not known"),
        ("unix-abstract:tfs", "the scheme 'unix-abstract'"),
        ("dns://8.8.8.8/tfs", "which is not supported; write dns:///tfs"),
        ("dns://tfs:8500", "write dns:///tfs:8500"),
        ("dns:///", "holds no host name"),
        ("dns:", "holds no host name"),
        ("tfs:", "the port ''"),
        ("tfs:0", "write a number from 1 to 65535"),
        ("tfs:65536", "the port '65536'"),
        ("tfs:0000065536", "the port '0000065536'"),
        ("tfs:grpc", "the port 'grpc'"),
        ("tfs:٨٥", "the port '٨٥'"),
        ("tfs:8500/", "the port '8500/'"),
        ("::1", "an IPv6 address goes in brackets"),
        ("fd00::1:8500", "an IPv6 address goes in brackets"),
        ("[tfs]:8500", "no IPv6 address between [ and ]"),
        ("[::1]8500", "brackets"),
        ("ipv4:tfs:8500", "is no ipv4 address"),
        ("ipv4:[::1]:8500", "is no ipv4 address"),
        ("ipv6:1.2.3.4:8500", "is no ipv6 address"),
        ("1.2.3:8500", "holds no host name and no address"),
        ("256.1.1.1", "holds no host name and no address"),
        ("tfs..svc", "holds no host name"),
        ("-tfs", "holds no host name"),
        ("smörgås:8500", "holds no host name"),
        ("a b:8500", "holds no host name"),
        ("tfs," + "a" * 64, "holds no host name"),
        ("unix:", "names no socket file"),
        ("unix://host/path", "names a host before the path"),
    ],
)
def test_what_names_no_server_is_refused_with_what_to_write(text: str, said: str) -> None:
    """The message holds what was received, too."""
    with pytest.raises(InvalidTarget) as raised:
        parse_targets(text)
    assert said in str(raised.value)
    assert text.rpartition(",")[2].strip() in str(raised.value)
