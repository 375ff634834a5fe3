"""A store with a real model in it, exported and published by training's own code."""

from pathlib import Path

from photos import statistics_of, take_photos
from pictor_contract import ImageContract, PictureInput
from pictor_training.config.schema import ConvBlock, DenseBlock, NetworkConfig
from pictor_training.export.artifact import export_artifact
from pictor_training.export.publish import publish
from pictor_training.network.build import build_network
from pictor_training.network.saved import save_h5

LABELS = ("cat", "dog", "owl")


def export_store(folder: Path) -> Path:
    """Build, export and publish a network with weights as they were drawn; return the store."""
    picture_input = PictureInput(height=16, width=24)
    config = NetworkConfig(blocks=[ConvBlock(filters=4, batch_norm=True)], dense=[DenseBlock(units=8)])
    model = build_network(config, picture_input, len(LABELS), "multiclass", seed=1)
    contract = ImageContract(
        name="pets",
        labels=LABELS,
        head="multiclass",
        input=picture_input,
        temperature=1.7,
        allowed_batch_sizes=(1, 2, 5),
        statistics=statistics_of(take_photos(1, 40)),
    )
    save_h5(model, folder / "model.h5")
    export_artifact(model, folder / "model.h5", contract, folder / "artifact")
    publish(folder / "artifact", folder / "store", "pets")
    return folder / "store"
