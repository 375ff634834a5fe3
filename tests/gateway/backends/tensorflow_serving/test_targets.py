"""`--tfs` takes gRPC's own forms of addresses; anything else stops the start with what to write instead."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from pictor_gateway.backends.tensorflow_serving.targets import Address, DnsName, InvalidTarget, parse_targets
from pictor_gateway.cli import serve


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


def test_a_misspelt_target_stops_the_start_as_a_usage_error() -> None:
    """It is found when the settings are read, not at the first call."""
    done = CliRunner().invoke(serve, ["--print-config", "--tfs", "http://tfs:8501", "--model", "digits"])
    assert 2 == done.exit_code
    assert "--tfs or PICTOR_TFS: 'http://tfs:8501' is a URL; write the gRPC address alone" in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--tfs-ca-file", "ca.pem"], "need --tfs-tls=true"),
        (["--tfs-server-name", "tfs"], "need --tfs-tls=true"),
        (["--tfs-tls", "true", "--tfs-cert-file", "c.pem"], "go together"),
    ],
)
def test_settings_of_tls_that_would_have_no_effect_stop_the_start(flags: list[str], said: str) -> None:
    """Nobody should believe that calls are encrypted when they are not."""
    done = CliRunner().invoke(serve, ["--print-config", "--tfs", "tfs:8500", "--model", "digits", *flags])
    assert 2 == done.exit_code
    assert said in done.stderr


def test_reading_the_setting_loads_no_grpc() -> None:
    """A gateway without TensorFlow Serving does not pay for it."""
    program = "import sys, pictor_gateway.settings; sys.exit('grpc' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
