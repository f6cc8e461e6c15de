"""Train problem 2: a frozen ViT and the given GPT-2 with an adapter, a prefix or LoRA. Leaves OUT/p2_<peft>.pth."""

import argparse
from pathlib import Path

from showtell.cli.words import err, run

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="Offline: encoder=lite")
    parser.add_argument("--images_root", default="hw3_data/p2_data/images", help="folder with train/ and val/")
    parser.add_argument("--annotations", default="hw3_data/p2_data", help="folder with train.json and val.json")
    parser.add_argument("--decoder", default="hw3_data/p2_data/decoder_model.bin", help="the given GPT-2")
    parser.add_argument("--peft", default="adapter", choices=("adapter", "prefix", "lora"))
    parser.add_argument("--out", default="p2_checkpoint", help="folder of the run and its checkpoint")
    parser.add_argument("--resume", action="store_true", help="continue a training that was stopped")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="changes of the recipe, as train.epochs=2")
    asked = parser.parse_intermixed_args()

    from p2_decoder import check_names

    import showtell
    from showtell.coursework.trained import write_trained
    from showtell.training.loop import train

    decoder, out = Path(asked.decoder).resolve(), Path(asked.out)
    words = [f"tokenizer.files={HERE}"] if (HERE / "encoder.json").is_file() else []
    data = ["data=coco", f"data.root={Path(asked.annotations).resolve()}"]
    data += [f"data.images={Path(asked.images_root).resolve()}/{{split}}"]
    if not any(change.startswith("decoder=") for change in asked.changes):  # else it is another decoder than GPT-2
        check_names(decoder)
        data += [f"decoder.weights={decoder}"]
    recipe = showtell.load_recipe(f"taipei-{asked.peft}", [*data, *words, *asked.changes])
    train(recipe, out, asked.resume, err)
    file = out / f"p2_{asked.peft}.pth"
    print(f"{file}: {write_trained(out, file):,} trained parameters")


if __name__ == "__main__":
    run(main)
