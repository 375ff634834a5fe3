"""The settings that say where TensorFlow Serving is and how it is spoken to, as they are typed."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from pictor_gateway.cli import serve


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
